"""Jinja2 templates in a process that has other things to do.

Templates come with exported apps, so anybody may have written them. They see plain data and nothing else of
Python, and whatever they do is counted, so that each ends within about a second, by itself or with an error.

Order of the modules: meter, operators, methods and functions, context, filters and tests, code, environment,
template.
"""

from weft.nodes.jinja.template import JinjaTemplate, TemplateRenderError, compile_jinja, render_jinja

__all__ = ["JinjaTemplate", "TemplateRenderError", "compile_jinja", "render_jinja"]
