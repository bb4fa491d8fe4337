from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.nodes import Limits, build_node
from weft.testing.node_harness import make_spec, run_node
from weft.variables import File, Value

pytestmark = pytest.mark.anyio


def template(text: str, *names: str, **data: Any) -> dict[str, Any]:
    variables = [{"variable": name, "value_selector": ["n", name], "value_type": "string"} for name in names]
    return {"type": "template-transform", "title": "T", "template": text, "variables": variables, **data}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("{{ x }}", "text", "text", id="dsl-84-text"),
        pytest.param("{{ x }}", None, "None", id="dsl-84-none"),
        pytest.param("{{ x }}", ["a", 1], "['a', 1]", id="dsl-84-list"),
        pytest.param(
            "{% for i in x %}{{ loop.index }}{{ i }};{% endfor %}", ["a", "b"], "1a;2b;", id="dsl-84-loop"
        ),
        pytest.param("{{ x.k }} {{ x['k'] }} {{ x }}", {"k": "v"}, "v v {'k': 'v'}", id="dsl-84-dict"),
        pytest.param("{{ x + 1 }}", 41, "42", id="dsl-84-number"),
        pytest.param("{{ x }}", True, "True", id="dsl-84-boolean"),
        pytest.param("{{ x|tojson }}", {"b": "ü", "a": [1]}, '{"a": [1], "b": "\\u00fc"}', id="dsl-84-json"),
        pytest.param("{{ x }}", "<b>&</b>", "<b>&</b>", id="nothing is escaped"),
        pytest.param("a\r\n{{ x }}\n", "b", "a\nb", id="line ends"),
    ],
)
async def test_values_keep_their_types_in_the_template(text: str, value: Value, expected: str) -> None:
    run = await run_node(template(text, "x"), {"n.x": value})

    assert run.outputs == {"output": expected}
    assert run.context.inputs == {"x": value}


async def test_a_missing_variable_reads_as_none() -> None:
    run = await run_node(template("{{ x }}|{{ x is none }}|{{ y|default('d', true) }}", "x", "y"), {})

    assert run.outputs == {"output": "None|True|d"}
    assert run.context.inputs == {"x": None, "y": None}


async def test_a_file_reads_as_an_object_with_its_attributes() -> None:
    file = File(filename="a.pdf", size=3)

    run = await run_node(template("{{ x.filename }} {{ y[0].size }}", "x", "y"), {"n.x": file, "n.y": [file]})

    assert run.outputs == {"output": "a.pdf 3"}
    assert run.context.inputs == {"x": file, "y": [file]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ nobody }}", "template, line 2: 'nobody' is undefined"),
        ("{{ x.gone }}", "template, line 1: 'dict object' has no attribute 'gone'"),
        ("\n\n{{ 1 / 0 }}", "template, line 3: ZeroDivisionError: division by zero"),
        ("{{ x + 1 }}", "template, line 1: TypeError: unsupported operand type(s) for +: 'dict' and 'int'"),
        ("{% if %}", "template, line 1: Expected an expression, got 'end of statement block'"),
        ("\n{{ x|nofilter }}", "template, line 2: No filter named 'nofilter'."),
        ("{{ x }", "template, line 1: unexpected '}'"),
    ],
    ids=lambda value: "dsl-84-error" if value.startswith("template") else None,
)
async def test_a_wrong_template_fails_the_node_and_says_where(text: str, message: str) -> None:
    run = await run_node(template(text, "x"), {"n.x": {"k": 1}})

    assert str(run.error) == message
    assert run.error_type == "TemplateRenderError"
    assert run.context.inputs == {"x": {"k": 1}}


@pytest.mark.parametrize(
    ("length", "fits"), [(10, True), (11, False)], ids=["dsl-84-at-limit", "dsl-84-over"]
)
async def test_the_output_may_not_be_longer_than_the_limit(length: int, fits: bool) -> None:
    run = await run_node(
        template("{{ x }}", "x"), {"n.x": "a" * length}, limits=Limits(max_template_chars=10)
    )

    if fits:
        assert run.outputs == {"output": "a" * length}
    else:
        assert str(run.error) == "the template makes a text of more than 10 characters"


def test_the_node_tells_what_it_reads() -> None:
    data = template("", "x")
    data["variables"].append({"variable": "y", "value_selector": []})
    node = build_node(make_spec(data))

    assert (node.reads(), node.instant) == ([("n", "x")], True)


async def test_a_node_without_variables_is_just_its_text() -> None:
    assert (await run_node(template("#000000", variables=None))).outputs == {"output": "#000000"}


def test_a_variable_without_a_name_is_a_problem_of_the_file() -> None:
    with pytest.raises(GraphError):
        build_node(make_spec(template("", variables=[{"value_selector": ["n", "x"]}])))
