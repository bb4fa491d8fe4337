from __future__ import annotations

import pytest
from pydantic import ValidationError

from weft.nodes.extraction import Parameter, find_problem, object_schema, shape
from weft.variables import Value


def parameter(type: str, *, required: bool = False, options: list[str] | None = None) -> Parameter:
    return Parameter.model_validate({"name": "p", "type": type, "required": required, "options": options})


@pytest.mark.parametrize(
    ("type", "given", "shaped"),
    [
        ("string", "x", "x"),
        ("string", 5, "5"),
        ("string", True, "true"),
        ("string", {"a": 1}, ""),
        ("select", "x", "x"),
        ("number", 1.5, 1.5),
        ("number", " 42 ", 42),
        ("number", "1.5", 1.5),
        ("number", "1e999", 0),
        ("number", "many", 0),
        ("number", True, 1),
        ("number", [], 0),
        ("boolean", False, False),
        ("boolean", "TRUE ", True),
        ("boolean", "false", False),
        ("boolean", 1, True),
        ("boolean", 0, False),
        ("boolean", 2, False),
        ("boolean", "maybe", False),
        ("bool", "true", True),
        ("array[string]", ["a", 1, {}], ["a", "1"]),
        ("array[number]", [1, "2", "x"], [1, 2]),
        ("array[object]", [{"a": 1}, "x"], [{"a": 1}]),
        ("array[boolean]", [True, "false", "x"], [True, False]),
        ("array[string]", "a", []),
        *((type, None, empty) for type, empty in (("string", ""), ("number", 0), ("boolean", False))),
        ("array[object]", None, []),
    ],
)
def test_values_are_brought_into_their_type(type: str, given: Value, shaped: Value) -> None:
    found = shape([parameter(type)], {"p": given})["p"]

    assert found == shaped
    assert isinstance(found, bool) == isinstance(shaped, bool)


def test_what_was_not_asked_for_is_dropped_and_what_is_absent_is_empty() -> None:
    assert shape([parameter("array[string]")], {"other": 1}) == {"p": []}


@pytest.mark.parametrize(
    ("wanted", "found", "problem"),
    [
        pytest.param(parameter("string"), {"p": "x"}, None, id="right"),
        pytest.param(parameter("string"), {"p": None}, None, id="optional-and-null"),
        pytest.param(
            parameter("string", required=True), {}, "required parameter 'p'", id="dsl-99-required-missing"
        ),
        pytest.param(
            parameter("string", required=True), {"p": None}, "required parameter 'p'", id="required-and-null"
        ),
        pytest.param(parameter("number"), {"p": "5"}, "'p' is not of type number", id="dsl-99-wrong-type"),
        pytest.param(parameter("boolean"), {"p": 1}, "'p' is not of type boolean", id="number-as-boolean"),
        pytest.param(parameter("array[object]"), {"p": ["x"]}, "not of type array[object]", id="wrong-item"),
        pytest.param(
            parameter("select", options=["a"]),
            {"p": "b"},
            "'p' is none of its options",
            id="dsl-99-bad-select",
        ),
        pytest.param(parameter("select", options=["a"]), {"p": "a"}, None, id="good-select"),
        pytest.param(parameter("string"), {}, "1 parameters were asked for, but 0", id="too-few"),
        pytest.param(
            parameter("string"), {"p": "x", "q": 1}, "1 parameters were asked for, but 2", id="too-many"
        ),
    ],
)
def test_problems_are_told(wanted: Parameter, found: dict[str, Value], problem: str | None) -> None:
    told = find_problem([wanted], found)

    assert (told is None) if problem is None else (problem in (told or ""))


def test_the_schema_says_all_that_is_known() -> None:
    parameters = [
        Parameter(name="a", type="select", options=["x", "y"], description="D", required=True),
        Parameter(name="b", type="array[number]"),
        Parameter(name="c", type="boolean", options=["noise"]),
    ]

    assert object_schema(parameters) == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "enum": ["x", "y"], "description": "D"},
            "b": {"type": "array", "items": {"type": "number"}},
            "c": {"type": "boolean"},
        },
        "required": ["a"],
    }


@pytest.mark.parametrize("name", ["__reason", "__is_success", ""])
def test_names_of_the_nodes_own_outputs_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Parameter(name=name)
