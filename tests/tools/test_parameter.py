from __future__ import annotations

from typing import Any

import pytest

from weft.tools import ToolParameter, arguments_schema, cast_arguments
from weft.variables import File, Value

FILE = File(id="f", url="https://files/a.png")


def parameter(type: Any, **more: Any) -> ToolParameter:
    return ToolParameter(name="p", type=type, **more)


@pytest.mark.parametrize(
    ("type", "value", "cast"),
    [
        ("string", "a", "a"),
        ("string", 3, "3"),
        ("string", True, "True"),
        ("string", {"a": "ä"}, '{"a":"ä"}'),
        ("string", None, None),
        ("number", "3", 3),
        ("number", " -3 ", -3),
        ("number", "3.0", 3.0),
        ("number", "1e3", 1000.0),
        ("number", 2.5, 2.5),
        ("number", "", None),
        ("boolean", "True", True),
        ("boolean", "no", False),
        ("boolean", 0, False),
        ("boolean", " ", None),
        ("select", "b", "b"),
        ("select", "TRUE", "True"),
        ("select", "", None),
        ("file", FILE, FILE),
        ("file", [FILE], FILE),
        ("file", [], None),
        ("files", FILE, [FILE]),
        ("files", [FILE, FILE], [FILE, FILE]),
        ("files", "", None),
        ("array", '[1, "a"]', [1, "a"]),
        ("array", "a", ["a"]),
        ("array", 5, [5]),
        ("array", "", None),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", {"a": 1}, {"a": 1}),
        ("object", " ", None),
        ("any", [1], [1]),
    ],
)
def test_a_value_becomes_what_the_tool_expects(type: Any, value: Value, cast: Value) -> None:
    result = parameter(type, options=("b", "True") if type == "select" else ()).cast(value)
    assert (result, result.__class__) == (cast, cast.__class__)


@pytest.mark.parametrize(
    ("type", "value", "complaint"),
    [
        ("number", "three", "'three' is no number"),
        ("number", "nan", "'nan' is no number"),
        ("number", "9" * 5000, f"{'9' * 100 + '…'!r} is no number"),
        ("number", {}, "a number is expected, not an object"),
        ("boolean", "maybe", "'maybe' is neither true nor false"),
        ("select", "x", "'x' is none of: a, b"),
        ("file", "a.png", "a file is expected, not the text 'a.png'"),
        ("files", ["a.png"], "files are expected, not a list"),
        ("object", "[1]", "'[1]' is no JSON object"),
        ("object", 5, "an object is expected, not a number"),
    ],
)
def test_a_value_that_does_not_fit_is_told(type: Any, value: Value, complaint: str) -> None:
    with pytest.raises(ValueError) as raised:
        parameter(type, options=("a", "b") if type == "select" else ()).cast(value)
    assert str(raised.value) == complaint


def test_arguments_are_what_was_given_and_defaults_for_the_rest() -> None:
    parameters = [
        ToolParameter(name="query", required=True),
        ToolParameter(name="count", type="number", default=5),
        ToolParameter(name="zone", default="UTC"),
        ToolParameter(name="note"),
        ToolParameter(name="empty", required=True),
    ]
    given: dict[str, Value] = {"query": "x", "count": None, "zone": "", "unknown": 1, "empty": ""}
    assert cast_arguments(parameters, given) == {"query": "x", "count": 5, "zone": "UTC", "empty": ""}


def test_a_missing_or_wrong_argument_is_named() -> None:
    with pytest.raises(ValueError, match="parameter 'p' is required; give it a value"):
        cast_arguments([parameter("string", required=True)], {"p": None})
    with pytest.raises(ValueError, match="parameter 'p': 'x' is no number"):
        cast_arguments([parameter("number")], {"p": "x"})


def test_a_model_is_told_types_choices_and_what_is_required() -> None:
    assert arguments_schema(
        [
            ToolParameter(name="city", required=True, description="Where"),
            ToolParameter(name="unit", type="select", options=("c", "f")),
            ToolParameter(name="days", type="number", schema={"type": "integer", "minimum": 1}),
            ToolParameter(name="tags", type="array"),
            ToolParameter(name="more", type="any"),
        ]
    ) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "unit": {"type": "string", "enum": ["c", "f"]},
            "days": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {}},
            "more": {},
        },
        "required": ["city"],
    }
