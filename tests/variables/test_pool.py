from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.errors import VariableError
from weft.variables import MISSING, File, Selector, Value, VariablePool, walk

IMAGE = File(
    type="image",
    transfer_method="local_file",
    related_id="upload",
    filename="a.png",
    extension=".png",
    mime_type="image/png",
    size=7,
    remote_url="https://example.org/remote.png",
)


def pool(**nodes: dict[str, Value]) -> VariablePool:
    made = VariablePool()
    for node_id, values in nodes.items():
        made.update(node_id, values)
    return made


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        pytest.param((), MISSING, id="no-part"),
        pytest.param(("llm",), MISSING, id="one-part"),
        pytest.param(("llm", "text"), "Hi", id="dsl-111-value"),
        pytest.param(("llm", "other"), MISSING, id="dsl-111-missing"),
        pytest.param(("other", "text"), MISSING, id="dsl-111-missing-node"),
        pytest.param(("llm", "none"), None, id="nothing-is-a-value"),
        pytest.param(("llm", "object", "a", "b"), 1, id="dsl-111-nested-key"),
        pytest.param(("llm", "object", "a", "x"), MISSING, id="dsl-111-missing-key"),
        pytest.param(("llm", "object", "a", "b", "c"), MISSING, id="into-a-number"),
        pytest.param(("llm", "list", "0"), MISSING, id="dsl-111-array-index"),
        pytest.param(("llm", "text", "0"), MISSING, id="into-a-text"),
        pytest.param(("llm", "none", "x"), MISSING, id="into-nothing"),
        pytest.param(("llm", "file", "name"), "a.png", id="dsl-111-file-name"),
        pytest.param(("llm", "object", "file", "size"), 7, id="file-in-an-object"),
        pytest.param(("llm", "file", "name", "x"), MISSING, id="two-parts-into-a-file"),
        pytest.param(("llm", "file", "filename"), MISSING, id="no-file-attribute"),
        pytest.param(("llm", "file", "link"), MISSING, id="no-python-attribute"),
    ],
)
def test_a_selector_walks_into_objects_and_files_only_dsl_111(selector: Selector, found: Value) -> None:
    values = pool(
        llm={
            "text": "Hi",
            "none": None,
            "object": {"a": {"b": 1}, "file": IMAGE},
            "list": ["x"],
            "file": IMAGE,
        }
    )
    assert values.find(selector) == found


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("type", "image"),
        ("size", 7),
        ("name", "a.png"),
        ("mime_type", "image/png"),
        ("transfer_method", "local_file"),
        ("url", "https://example.org/remote.png"),
        ("extension", ".png"),
        ("related_id", "upload"),
    ],
)
def test_a_file_has_these_attributes(attribute: str, value: object) -> None:
    assert walk(IMAGE, (attribute,)) == value


def test_what_must_be_there_is_named_when_it_is_not() -> None:
    with pytest.raises(
        VariableError, match=r"variable 'llm\.text' was not found; no node that ran has set it"
    ):
        VariablePool().get(("llm", "text"))


def test_missing_is_false_and_like_nothing_else() -> None:
    assert not MISSING
    assert MISSING is not None


def test_outputs_are_copied_so_that_a_node_cannot_change_them_afterwards() -> None:
    outputs: dict[str, Value] = {"x": 1}
    values = pool(n=outputs)
    outputs["x"] = 2
    assert values.get(("n", "x")) == 1


def test_a_second_update_adds_to_the_first() -> None:
    values = pool(n={"x": 1, "y": 1})
    values.update("n", {"y": 2, "z": 2})
    assert values.all("n") == {"x": 1, "y": 2, "z": 2}


def test_an_overlay_reads_through_and_keeps_its_writes() -> None:
    below = pool(n={"x": 1, "y": 1}, m={"x": 1})
    above = below.overlay()
    above.update("n", {"y": 2})
    above.set("k", "x", 3)
    assert (above.all("n"), above.all("m"), above.all("k")) == ({"x": 1, "y": 2}, {"x": 1}, {"x": 3})
    assert (above.own("n"), above.own("m")) == ({"y": 2}, {})
    assert (below.all("n"), below.all("k")) == ({"x": 1, "y": 1}, {})


def test_forgetting_concerns_this_pool_only() -> None:
    below = pool(n={"x": 1})
    above = below.overlay()
    above.update("n", {"x": 2})
    above.forget(["n", "unknown"])
    assert (above.find(("n", "x")), below.find(("n", "x"))) == (1, 1)
    below.forget(["n"])
    assert above.find(("n", "x")) is MISSING


def test_assigning_changes_the_pool_that_holds_the_variable() -> None:
    below = pool(loop={"count": 1})
    above = below.overlay().overlay()
    above.assign(("loop", "count"), 2)
    assert (below.get(("loop", "count")), above.own("loop")) == (2, {})


def test_conversation_variables_are_assigned_on_top() -> None:
    below = pool(conversation={"topic": "old"})
    above = below.overlay()
    above.assign(("conversation", "topic"), "new")
    assert (above.get(("conversation", "topic")), below.get(("conversation", "topic"))) == ("new", "old")
    assert above.own("conversation") == {"topic": "new"}


def test_assigning_what_nobody_holds_puts_it_on_top() -> None:
    below = VariablePool()
    above = below.overlay()
    above.assign(("n", "x"), 1)
    assert (above.own("n"), below.own("n")) == ({"x": 1}, {})


def test_a_declared_type_counts_more_than_the_value() -> None:
    values = VariablePool()
    values.set("conversation", "seen", [], "array[string]")
    values.set("conversation", "plain", [])
    values.assign(("conversation", "seen"), ["a"])
    assert values.type_of(("conversation", "seen")) == "array[string]"
    assert values.type_of(("conversation", "plain")) == "array[any]"
    assert values.overlay().type_of(("conversation", "seen")) == "array[string]"


def test_what_lies_inside_a_declared_variable_has_the_type_of_its_value() -> None:
    values = VariablePool()
    values.set("conversation", "prefs", {"size": 1}, "object")
    assert values.type_of(("conversation", "prefs", "size")) == "number"


def test_there_is_no_type_of_what_is_not_there() -> None:
    with pytest.raises(VariableError):
        VariablePool().type_of(("n", "x"))


VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just(IMAGE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES, st.lists(st.sampled_from(["a", "b", "name", "0", ""]), max_size=4))
def test_walking_finds_something_or_nothing_and_never_fails(value: Value, parts: list[str]) -> None:
    found = walk(value, tuple(parts))
    if not parts:
        assert found == value
