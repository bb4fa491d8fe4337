from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.errors import VariableError
from weft.variables import (
    ARRAY_TYPES,
    File,
    Value,
    ValueType,
    coerce,
    element_type,
    infer_type,
    matches,
    revive,
    to_native,
    zero_value,
)

FILE = File(type="image", filename="a.png", url="https://example.org/a.png")
ALL_TYPES: tuple[ValueType, ...] = (
    "string",
    "number",
    "boolean",
    "object",
    "secret",
    "file",
    "none",
    "array[any]",
    "array[string]",
    "array[number]",
    "array[boolean]",
    "array[object]",
    "array[file]",
)


@pytest.mark.parametrize(
    ("value", "type"),
    [
        (None, "none"),
        ("", "string"),
        (True, "boolean"),
        (0, "number"),
        (1.5, "number"),
        ({}, "object"),
        (FILE, "file"),
        (["a"], "array[string]"),
        ([1, 1.5], "array[number]"),
        ([True], "array[boolean]"),
        ([{}], "array[object]"),
        ([FILE], "array[file]"),
        ([], "array[any]"),
        ([[1]], "array[any]"),
        (["a", 1], "array[any]"),
        ([True, 1], "array[any]"),
        ([None, None], "array[any]"),
        (["a", None], "array[any]"),
    ],
)
def test_a_value_has_the_type_of_what_it_is(value: object, type: ValueType) -> None:
    assert infer_type(value) == type


@pytest.mark.parametrize("value", [object(), (1,), {1}, b"x", [object()]])
def test_what_is_no_value_has_no_type(value: object) -> None:
    with pytest.raises(VariableError, match="cannot be held by a variable"):
        infer_type(value)


SAMPLES: dict[str, object] = {
    "text": "a",
    "int": 1,
    "float": 1.5,
    "bool": True,
    "object": {"a": 1},
    "file": FILE,
    "none": None,
    "empty": [],
    "texts": ["a"],
    "numbers": [1, 2.5],
    "bools": [True],
    "objects": [{}],
    "files": [FILE],
    "mixed": ["a", 1],
}
FITS: dict[ValueType, set[str]] = {
    "string": {"text"},
    "secret": {"text"},
    "number": {"int", "float", "bool"},
    "boolean": {"bool"},
    "object": {"object"},
    "file": {"file"},
    "none": {"none"},
    "array[any]": {"empty", "texts", "numbers", "bools", "objects", "files", "mixed"},
    "array[string]": {"empty", "texts"},
    "array[number]": {"empty", "numbers", "bools"},
    "array[boolean]": {"empty", "bools"},
    "array[object]": {"empty", "objects"},
    "array[file]": {"empty", "files"},
}


@pytest.mark.parametrize("type", ALL_TYPES)
def test_each_type_holds_these_values_and_no_others(type: ValueType) -> None:
    assert {name for name, value in SAMPLES.items() if matches(type, value)} == FITS[type]


@pytest.mark.parametrize(
    ("type", "zero"),
    [
        ("string", ""),
        ("secret", ""),
        ("number", 0),
        ("boolean", False),
        ("object", {}),
        ("file", None),
        ("none", None),
        *((array, []) for array in sorted(ARRAY_TYPES)),
    ],
)
def test_a_cleared_variable_holds_its_type_s_zero(type: ValueType, zero: Value) -> None:
    assert zero_value(type) == zero
    assert matches(type, zero) or type == "file"


def test_zeros_are_new_each_time() -> None:
    assert zero_value("array[any]") is not zero_value("array[any]")
    assert zero_value("object") is not zero_value("object")


@pytest.mark.parametrize(
    ("array", "element"),
    [
        ("array[string]", "string"),
        ("array[number]", "number"),
        ("array[boolean]", "boolean"),
        ("array[object]", "object"),
        ("array[file]", "file"),
        ("array[any]", None),
        ("string", None),
    ],
)
def test_an_array_knows_what_it_holds(array: ValueType, element: ValueType | None) -> None:
    assert element_type(array) == element


@pytest.mark.parametrize(
    ("type", "given", "value"),
    [
        ("string", "1", "1"),
        ("string", "", ""),
        ("number", 1, 1),
        ("number", True, True),
        ("number", "1", 1),
        ("number", "1.5", 1.5),
        ("number", " 1 ", 1),
        ("boolean", "true", True),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", " ", {}),
        ("array[string]", '["a"]', ["a"]),
        ("array[string]", "", []),
        ("array[any]", '["a", 1]', ["a", 1]),
        ("none", None, None),
    ],
)
def test_a_declared_value_may_be_given_as_json_text(type: ValueType, given: object, value: Value) -> None:
    assert coerce(type, given, name="x") == value


@pytest.mark.parametrize(
    ("type", "given"),
    [
        ("string", 1),
        ("number", "many"),
        ("number", ""),
        ("boolean", 1),
        ("boolean", "yes"),
        ("object", "[]"),
        ("array[string]", "[1]"),
        ("array[string]", "a, b"),
        ("array[number]", ["a"]),
        ("object", None),
        ("number", "NaN"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_types(type: ValueType, given: object) -> None:
    with pytest.raises(VariableError) as caught:
        coerce(type, given, name="x")
    assert str(caught.value) == (
        f"variable 'x' is declared as {type}, but its value is of type {infer_type(given)}"
    )


JSON: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.sampled_from(ALL_TYPES), JSON)
def test_whatever_comes_out_fits_the_type(type: ValueType, given: Value) -> None:
    try:
        value = coerce(type, given, name="x")
    except VariableError:
        return
    assert matches(type, value)


def test_files_become_mappings_for_code_wherever_they_are() -> None:
    record = {
        "dify_model_identity": "__dify__file__",
        "id": None,
        "tenant_id": None,
        "type": "image",
        "transfer_method": "remote_url",
        "remote_url": None,
        "related_id": None,
        "filename": "a.png",
        "extension": None,
        "mime_type": None,
        "size": None,
        "url": "https://example.org/a.png",
    }
    assert to_native({"one": FILE, "many": [FILE, 1]}) == {"one": record, "many": [record, 1]}
    assert to_native(FILE) == msgspec.json.decode(msgspec.json.encode(FILE))


def test_stored_records_become_files_again_wherever_they_are() -> None:
    value: Value = {"one": FILE, "many": [FILE, {"deep": FILE}], "text": "x"}
    assert revive(msgspec.json.decode(msgspec.json.encode(value))) == value


@settings(deadline=None)
@given(JSON)
def test_plain_json_stays_as_it_is(value: Value) -> None:
    assert revive(value) == value
    assert to_native(value) == value


def test_what_only_looks_like_a_record_stays_a_mapping() -> None:
    """A caller may write anything into a conversation variable that is an object."""
    forged = {"dify_model_identity": "__dify__file__", "type": "pigeon", "size": {}}
    assert revive([forged]) == [forged]


def test_what_is_nested_too_deeply_to_look_into_stays_as_it_is() -> None:
    value: list[object] = []
    for _ in range(5000):
        value = [value]
    assert revive(value) is value
