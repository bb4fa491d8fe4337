from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.errors import VariableError
from weft.variables import File, VariablePool, freeze, thaw, thaw_all

FILES = st.builds(File, filename=st.none() | st.text(), size=st.none() | st.integers(0, 2**60))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | FILES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.just("$file"), inner),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, and not-a-number is itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or one != one


@given(VALUES)
def test_a_value_is_what_it_was_after_it_was_json(value: Any) -> None:
    text = json.dumps(freeze(value), allow_nan=False)
    assert same(thaw(json.loads(text)), value)
    text.encode()


@pytest.mark.parametrize(
    "value", [{"a": "\ud800"}, {"\udfff": 1}, float("nan"), float("-inf"), -(2**70), {"$text": "61"}]
)
def test_what_json_has_no_form_for_is_what_it_was(value: Any) -> None:
    assert same(thaw(json.loads(json.dumps(freeze(value), allow_nan=False))), value)


def test_a_number_may_be_of_any_length() -> None:
    assert thaw(freeze(10**5000)) == 10**5000


def test_what_is_no_value_cannot_be_saved() -> None:
    with pytest.raises(VariableError, match="type set"):
        freeze({"a": [set()]})  # type: ignore[list-item]


def test_what_is_nested_too_deeply_cannot_be_saved() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(VariableError, match="too deeply"):
        freeze(value)


@pytest.mark.parametrize("odd", [{"$odd": 1}, {"$int": 1}, {"$map": {}}, {"$text": "xyz"}])
def test_what_was_never_frozen_is_refused(odd: Any) -> None:
    with pytest.raises(ValueError):  # whatever it says, it is caught as such
        thaw(odd)


def test_a_list_is_no_mapping_of_values() -> None:
    with pytest.raises(ValueError, match="a mapping was expected, not a list"):
        thaw_all([])


def test_a_pool_keeps_values_and_declared_types() -> None:
    pool = VariablePool()
    pool.set("conversation", "tags", [], "array[string]")
    pool.set("env", "key", "secret", "secret")
    pool.update("a", {"x": None, "file": File(filename="f")})
    saved = json.loads(json.dumps(pool.save(without=("env",))))
    assert "secret" not in json.dumps(saved)
    other = VariablePool()
    other.set("env", "key", "new", "secret")
    other.restore(saved)
    assert other.all("a") == {"x": None, "file": File(filename="f")}
    assert other.type_of(("conversation", "tags")) == "array[string]"
    assert other.get(("env", "key")) == "new"


@pytest.mark.parametrize("saved", [{}, {"values": [], "types": []}, {"values": {}, "types": [1]}])
def test_what_is_no_saved_pool_is_refused(saved: Any) -> None:
    with pytest.raises(VariableError, match="cannot be read"):
        VariablePool().restore(saved)
