"""Compiling and rendering templates that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from jinja2 import Template, TemplateError
from jinja2.exceptions import TemplateSyntaxError

from weft.errors import NodeFailedError
from weft.nodes.jinja.code import check_tree
from weft.nodes.jinja.context import MeteredContext
from weft.nodes.jinja.environment import MeteredEnvironment
from weft.nodes.jinja.functions import FUNCTIONS
from weft.nodes.jinja.meter import MAX_STEPS, Meter
from weft.variables import File, to_native

_MAX_TEMPLATE_CHARS: Final = 1_000_000
_MAX_SHARED_CHARS: Final = 100_000
_FILE_NAME: Final = "<template>"
_PLAIN = (list, dict, File)

_ENVIRONMENT = MeteredEnvironment()

_TEMPLATE_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    RuntimeError,
    SyntaxError,
    TemplateError,
    TypeError,
    ValueError,
)
"""What a wrong template can raise: it is a program, and may do wrong what programs do wrong."""


class TemplateRenderError(NodeFailedError):
    """A Jinja2 template is wrong, does too much, or makes a text that is too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message, error_type="TemplateRenderError")


class JinjaTemplate:
    """A compiled template. Names that it uses and that it is not given are errors."""

    __slots__ = ("_template", "text")

    def __init__(self, text: str) -> None:
        """Compile a template.

        Raises:
            TemplateRenderError: It is no valid template, or too long.
        """
        self.text = text
        if len(text) > _MAX_TEMPLATE_CHARS:
            raise TemplateRenderError(
                f"the template has {len(text)} characters; it may have {_MAX_TEMPLATE_CHARS} at the most"
            )
        try:
            tree = _ENVIRONMENT.parse(text)
            check_tree(tree)
            self._template: Template = _ENVIRONMENT.from_string(tree)
        except _TEMPLATE_FAULTS as error:
            line = error.lineno if isinstance(error, TemplateSyntaxError) else None
            raise TemplateRenderError(_describe(error, line)) from error

    def render(self, values: Mapping[str, object], max_chars: int, *, max_steps: int = MAX_STEPS) -> str:
        """The text that the template makes of these values.

        Args:
            values: By name; files appear as objects with their attributes.
            max_chars: How long the text may become.
            max_steps: How much the template may do; a step is about a microsecond.

        Raises:
            TemplateRenderError: The template did something that cannot be done, took too many steps, or made
                more text than that.
        """
        template = self._template
        given: dict[str, Any] = {
            name: to_native(value) if isinstance(value, _PLAIN) else value for name, value in values.items()
        }
        context = MeteredContext(_ENVIRONMENT, {**FUNCTIONS, **given}, None, template.blocks)
        context.meter = Meter(max_steps)
        pieces = []
        size = 0
        try:
            for piece in template.root_render_func(context):
                size += len(piece)
                if size > max_chars:
                    break
                pieces.append(piece)
        except _TEMPLATE_FAULTS as error:
            raise TemplateRenderError(_describe(error, _line_of(error, template))) from error
        if size > max_chars:
            raise TemplateRenderError(f"the template makes a text of more than {max_chars} characters")
        return "".join(pieces)


def compile_jinja(text: str) -> JinjaTemplate:
    """The compiled template of that text; equal texts share one, unless they are very long.

    Raises:
        TemplateRenderError: It is no valid template, or too long.
    """
    return _compile_once(text) if len(text) <= _MAX_SHARED_CHARS else JinjaTemplate(text)


_compile_once = lru_cache(maxsize=256)(JinjaTemplate)


def render_jinja(template: str, values: Mapping[str, object], *, max_chars: int) -> str:
    """The text that a template makes of values; see `JinjaTemplate.render`.

    Raises:
        TemplateRenderError: The template is wrong, does too much, or makes more text than `max_chars`.
    """
    return compile_jinja(template).render(values, max_chars)


def _line_of(error: BaseException, template: Template) -> int | None:
    """The line of the template where an error happened."""
    line: int | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE_NAME:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _describe(error: BaseException, line: int | None) -> str:
    if isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    elif isinstance(error, TemplateError):
        reason = error.message or type(error).__name__
    else:
        reason = f"{type(error).__name__}: {error}"
    where = "" if line is None else f", line {line}"
    return f"template{where}: {reason}"
