from __future__ import annotations

import math
from typing import Any

import pytest

from weft.errors import NodeFailedError
from weft.nodes import Limits
from weft.nodes.code_output import CodeOutput, OutputCheck


def check(returned: dict[str, object], limits: Limits | None = None, **types: Any) -> dict[str, Any]:
    declared = {
        name: CodeOutput.model_validate({"type": type} if isinstance(type, str) else type)
        for name, type in types.items()
    }
    return OutputCheck(limits or Limits()).check(returned, declared)


def nested(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("type", "value", "checked"),
    [
        pytest.param("number", True, 1, id="dsl-83-boolean-as-number"),
        pytest.param("string", "a\x00b", "ab", id="dsl-83-nul"),
        pytest.param("string", "x" * 400_000, "x" * 400_000, id="longest-string"),
        pytest.param("array[string]", ["x"] * 30, ["x"] * 30, id="longest-string-array"),
        pytest.param("array[number]", [1] * 1000, [1] * 1000, id="longest-number-array"),
        pytest.param("array[object]", [{}] * 30, [{}] * 30, id="longest-object-array"),
        pytest.param("array[boolean]", [True] * 2000, [True] * 2000, id="boolean-arrays-have-no-limit"),
        pytest.param("number", 9_223_372_036_854_775_807, 9_223_372_036_854_775_807, id="largest-number"),
        pytest.param("number", 1e-20, 1e-20, id="most-decimal-places"),
        pytest.param("number", "1e+3", 1000.0, id="scientific-notation"),
        pytest.param("string", "1e+3", "1e+3", id="scientific-notation-as-text"),
        pytest.param("array[number]", [True, 2.5, "1e-1"], [1, 2.5, 0.1], id="number-array"),
        pytest.param("array[string]", ["a\x00", None], ["a", None], id="null-in-string-array"),
        pytest.param("array[object]", [{"a": 1}, None], [{"a": 1}, None], id="null-in-object-array"),
        pytest.param("array[boolean]", [True, None], [True, None], id="null-in-boolean-array"),
        pytest.param("boolean", "yes", "yes", id="boolean-is-not-held-to-it"),
        *(
            pytest.param(type, None, None, id=f"null-as-{type}")
            for type in ("string", "number", "boolean", "object", "array[number]", "array[object]")
        ),
        pytest.param(
            "object",
            {"a": [1, None, 2.5], "b": "x\x00", "c": [[1], [2]], "d": [], "e": None, "f": True},
            {"a": [1, None, 2.5], "b": "x", "c": [[1], [2]], "d": [], "e": None, "f": True},
            id="object-of-anything",
        ),
        pytest.param("object", nested(4), nested(4), id="dsl-82a-depth-5"),
    ],
)
def test_a_value_passes(type: str, value: object, checked: object) -> None:
    found = check({"out": value}, out=type)["out"]

    assert found == checked
    assert isinstance(found, bool) == isinstance(checked, bool)


@pytest.mark.parametrize(
    ("type", "value", "error_type"),
    [
        pytest.param("object", nested(5), "DepthLimitError", id="dsl-82a-depth-6"),
        pytest.param("object", {"a": {"b": {"c": [[[1]]]}}}, "DepthLimitError", id="lists-are-levels-too"),
        pytest.param("string", 1, "OutputValidationError", id="dsl-82b-number-as-string"),
        pytest.param("array[string]", ["x"] * 31, "OutputValidationError", id="dsl-83-31-strings"),
        pytest.param("array[number]", [1] * 1001, "OutputValidationError", id="1001-numbers"),
        pytest.param("array[object]", [{}] * 31, "OutputValidationError", id="31-objects"),
        pytest.param("string", "x" * 400_001, "OutputValidationError", id="too-long-a-string"),
        pytest.param("number", 9_223_372_036_854_775_808, "OutputValidationError", id="too-large-a-number"),
        pytest.param("number", -9_223_372_036_854_775_808, "OutputValidationError", id="too-small-a-number"),
        pytest.param("number", math.inf, "OutputValidationError", id="infinity"),
        pytest.param("number", math.nan, "OutputValidationError", id="nan"),
        pytest.param("number", "1e+999", "OutputValidationError", id="infinity-in-words"),
        pytest.param("number", 1e-21, "OutputValidationError", id="too-many-decimal-places"),
        pytest.param("number", "12", "OutputValidationError", id="string-as-number"),
        pytest.param("object", [], "OutputValidationError", id="list-as-object"),
        pytest.param("array[string]", "x", "OutputValidationError", id="string-as-array"),
        pytest.param("array[string]", [1], "OutputValidationError", id="number-in-string-array"),
        pytest.param("array[number]", [None], "OutputValidationError", id="null-in-number-array"),
        pytest.param("array[object]", ["x"], "OutputValidationError", id="string-in-object-array"),
        pytest.param("array[boolean]", [1], "OutputValidationError", id="number-in-boolean-array"),
        pytest.param("object", {"a": [1, "x"]}, "OutputValidationError", id="mixed-list"),
        pytest.param("object", {"a": {1}}, "OutputValidationError", id="no-json"),
    ],
)
def test_a_value_is_refused(type: str, value: object, error_type: str) -> None:
    with pytest.raises(NodeFailedError, match="'out") as caught:
        check({"out": value}, out=type)

    assert caught.value.error_type == error_type


@pytest.mark.parametrize(
    ("returned", "error_type", "message"),
    [
        pytest.param({}, "OutputValidationError", "'a' is missing", id="dsl-82b-missing"),
        pytest.param({"a": 1, "b": 2}, "CodeNodeError", "'b', which is not declared", id="dsl-82b-extra"),
        pytest.param({"a": "x"}, "OutputValidationError", "'a' should be a number", id="dsl-82b-wrong-type"),
    ],
)
def test_outputs_are_those_that_were_declared(
    returned: dict[str, object], error_type: str, message: str
) -> None:
    with pytest.raises(NodeFailedError, match=message) as caught:
        check(returned, a="number")

    assert caught.value.error_type == error_type


def test_children_are_checked_like_outputs() -> None:
    person = {"type": "object", "children": {"name": {"type": "string"}, "age": {"type": "number"}}}

    assert check({"p": {"name": "A", "age": 3}}, p=person) == {"p": {"name": "A", "age": 3}}
    with pytest.raises(NodeFailedError, match=r"'p\.age' is missing"):
        check({"p": {"name": "A"}}, p=person)
    with pytest.raises(NodeFailedError, match=r"'p\.sex', which is not declared"):
        check({"p": {"name": "A", "age": 3, "sex": "f"}}, p=person)


def test_children_of_a_list_are_checked_in_every_item() -> None:
    people = {"type": "array[object]", "children": {"name": {"type": "string"}}}

    assert check({"p": [{"name": "A"}, None]}, p=people) == {"p": [{"name": "A"}, None]}
    with pytest.raises(NodeFailedError, match=r"'p\[1\].name' is missing"):
        check({"p": [{"name": "A"}, {}]}, p=people)


def test_limits_are_settings() -> None:
    limits = Limits(max_string_chars=3, max_object_depth=1)

    with pytest.raises(NodeFailedError, match="at most 3 are allowed"):
        check({"a": "abcd"}, limits, a="string")
    with pytest.raises(NodeFailedError, match="nested more than 1 levels"):
        check({"a": {}}, limits, a="object")
