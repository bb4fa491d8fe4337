from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from weft.errors import NodeFailedError
from weft.nodes.jinja import TemplateRenderError, compile_jinja, render_jinja
from weft.variables import File

VALUES: dict[str, object] = {
    "text": "The quick <b>brown</b> fox, 中文",
    "empty": "",
    "none": None,
    "number": 42,
    "price": 3.14159,
    "yes": True,
    "words": ["pear", "Apple", "fig", "apple"],
    "numbers": [3, 1, 2],
    "people": [
        {"name": "Ada", "age": 36, "tags": ["a", "b"]},
        {"name": "Bob", "age": 20, "tags": []},
        {"name": "Cy", "age": 36, "tags": ["c"]},
    ],
    "data": {"items": 1, "k": "v", "nested": {"list": [1, {"deep": "x"}]}},
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}],
    "lines": "one\ntwo\n\nthree",
}

TEMPLATES = (Path(__file__).parent / "jinja_templates.txt").read_text(encoding="utf-8").split("\n----\n")


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates_read_as_jinja_itself_reads_them(text: str) -> None:
    expected = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(VALUES)

    assert render_jinja(text, VALUES, max_chars=100_000) == expected


def test_files_appear_as_objects_and_other_values_as_they_are() -> None:
    file = File(filename="a.txt", size=3)

    text = render_jinja(
        "{{ f.filename }}{{ l[0].size }}{{ d.f.extension }}",
        {"f": file, "l": [file], "d": {"f": file}},
        max_chars=100,
    )

    assert text == "a.txt3None"


def test_equal_texts_share_one_template_and_runs_share_nothing() -> None:
    template = compile_jinja("{% set ns = namespace(n=n) %}{% set ns.n = ns.n + [1] %}{{ ns.n }}")

    assert compile_jinja(template.text) is template
    assert [template.render({"n": []}, 100) for _ in range(2)] == ["[1]", "[1]"]


def test_a_value_may_have_the_name_of_a_function() -> None:
    assert render_jinja("{{ range }}{{ dict }}", {"range": "r", "dict": "d"}, max_chars=10) == "rd"


def test_values_are_not_changed_by_a_template() -> None:
    values: dict[str, object] = {"x": [1], "d": {}}

    for attack in ("{{ x.append(2) }}", "{{ d.update({'a': 1}) }}", "{{ x.clear() }}", "{{ d.pop('a', 1) }}"):
        with pytest.raises(TemplateRenderError, match="has no attribute"):
            render_jinja(attack, values, max_chars=100)
    assert values == {"x": [1], "d": {}}


def test_keys_that_look_like_forbidden_methods_are_just_keys() -> None:
    values = {"d": {"pop": 1, "update": 2, "clear": 3, "_private": 4}}

    assert (
        render_jinja("{{ d.pop }}{{ d.update }}{{ d.clear }}{{ d._private }}", values, max_chars=10) == "1234"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ [1]|map(attribute='__class__')|first }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ '{x.__init__}'.format_map({'x': x}) }}",
        "{{ ('{0.__class__}'|e).format(1) }}",
        "{{ ['{0.__class__}']|map('format', 1)|list|first|replace('{', '')|attr('format') }}",
        "{{ ('%s'|attr('format')).__globals__ }}",
        "{{ range.__class__ }}",
        "{{ range.call }}",
        "{{ dict.fromkeys }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ namespace().__class__ }}",
        "{{ namespace()['__class__'] }}",
        "{{ namespace()._Namespace__attrs }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ cycler(1).__init__.__globals__ }}",
        "{{ cycler(1).items }}",
        "{{ joiner().__init__ }}",
        "{{ joiner().sep }}",
        "{{ lipsum.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{% block a %}{% endblock %}{{ self.a() }}",
        "{{ self._TemplateReference__context }}",
        "{% block a %}{{ super.x }}{% endblock %}",
        "{% for i in x %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{% for i in x %}{{ loop._iterator }}{% endfor %}",
        "{% for i in x %}{{ loop._recurse }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{% endmacro %}{{ m._environment }}",
        "{{ nobody._undefined_exception }}",
        "{{ nobody.__class__ is defined }}",
        "{{ (x|map('upper')).gi_frame }}",
        "{{ x.append.__self__ }}",
        "{{ ''.join.__self__ }}",
        "{{ ''.join.__func__ }}",
        "{{ x.sort() }}",
        "{{ 'a'.encode() }}",
        "{{ 'a'.maketrans('a', 'b') }}",
        "{{ 'a'.translate({}) }}",
        "{{ (1).from_bytes('a') }}",
        "{{ (1).real }}",
        "{{ x() }}",
        "{{ ''() }}",
        "{{ d.k() }}",
        "{{ context }}",
        "{{ environment }}",
        "{{ resolve }}",
        "{{ undefined }}",
        "{{ caller() }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__class__ }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% autoescape true %}{{ '<' }}{% endautoescape %}",
        "{{ x[1:2, 3] }}",
        "{% for a, b in x %}{% endfor %}",
        "{% set x.y = 1 %}",
        "{{ 1e999 }}",
    ],
)  # fmt: skip
def test_a_template_sees_nothing_but_its_data(text: str) -> None:
    with pytest.raises(TemplateRenderError) as raised:
        render_jinja(text, {"x": ["a"], "d": {"k": "v"}}, max_chars=1000)

    assert str(raised.value).startswith("template")


def test_the_error_is_a_failure_of_the_node() -> None:
    with pytest.raises(NodeFailedError) as raised:
        render_jinja("{{ 1 +", {}, max_chars=10)

    assert raised.value.error_type == "TemplateRenderError"


def test_the_line_of_an_error_is_that_of_the_template() -> None:
    text = "{% macro m(a) %}\n\n{{ a.b }}{% endmacro %}\n\n{{ m({}) }}"

    with pytest.raises(TemplateRenderError, match="template, line 3: 'dict object' has no attribute 'b'"):
        render_jinja(text, {}, max_chars=100)
