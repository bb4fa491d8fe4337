from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.nodes import build_node
from weft.testing.node_harness import make_spec, run_node
from weft.variables import File, Value, ValueType

pytestmark = pytest.mark.anyio

A = File(
    type="document",
    transfer_method="local_file",
    filename="a.pdf",
    extension=".pdf",
    mime_type="application/pdf",
    size=300,
    related_id="r1",
)
B = File(
    type="image", transfer_method="remote_url", filename="b.png", extension=".png", size=20, url="https://x/b"
)
C = File(type="image", transfer_method="tool_file")
WORDS: list[Value] = ["pear", "apple", "", "fig"]
NUMBERS: list[Value] = [3, 1.5, -2]


def list_operator(**data: Any) -> dict[str, Any]:
    off = {
        "filter_by": {"enabled": False, "conditions": []},
        "order_by": {"enabled": False, "key": "", "value": "asc"},
        "limit": {"enabled": False, "size": 10},
    }
    return {"type": "list-operator", "title": "List", "variable": ["n", "x"], **off, **data}


def keep(operator: str, value: Any, key: str = "") -> dict[str, Any]:
    condition = {"key": key, "comparison_operator": operator, "value": value}
    return {"filter_by": {"enabled": True, "conditions": [condition]}}


def order(value: str, key: str = "") -> dict[str, Any]:
    return {"order_by": {"enabled": True, "key": key, "value": value}}


async def work(items: Value, type: ValueType | None = None, **data: Any) -> Value:
    types = {"n.x": type} if type else {}
    run = await run_node(list_operator(**data), {"n.x": items, "n.want": "fig", "n.at": 2}, types=types)
    return run.outputs["result"]


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("contains", "p", ["pear", "apple"]),
        ("not contains", "p", ["", "fig"]),
        ("start with", "p", ["pear"]),
        ("end with", "g", ["fig"]),
        ("is", "fig", ["fig"]),
        ("is", "{{#n.want#}}", ["fig"]),
        ("is not", "fig", ["pear", "apple", ""]),
        ("in", "pearfig", ["pear", "", "fig"]),
        ("not in", "pearfig", ["apple"]),
        ("empty", "", [""]),
        ("not empty", "", ["pear", "apple", "fig"]),
    ],
    ids="dsl-89-{}".format,
)
async def test_texts_are_filtered_by_their_characters(
    operator: str, value: str, expected: list[Value]
) -> None:
    assert await work(WORDS, **keep(operator, value)) == expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("=", "3.0", [3]),
        ("≠", "3", [1.5, -2]),
        ("<", "1.5", [-2]),
        ("≤", "1.5", [1.5, -2]),
        (">", "{{#n.at#}}", [3]),
        ("≥", 1.5, [3, 1.5]),
    ],
    ids="dsl-89-{}".format,
)
async def test_numbers_are_filtered_by_their_size(operator: str, value: Any, expected: list[Value]) -> None:
    assert await work(NUMBERS, **keep(operator, value)) == expected


@pytest.mark.parametrize(("operator", "expected"), [("is", [True]), ("is not", [False])])
async def test_booleans_are_filtered_by_a_real_boolean(operator: str, expected: list[Value]) -> None:
    assert await work([True, False], **keep(operator, True)) == expected


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("name", "contains", ".p", [A, B]),
        ("name", "empty", "", [C]),
        ("extension", "is", ".pdf", [A]),
        ("mime_type", "start with", "application/", [A]),
        ("url", "end with", "b", [B]),
        ("related_id", "is", "r1", [A]),
        ("type", "in", ["image", "audio"], [B, C]),
        ("type", "not in", ["image"], [A]),
        ("type", "in", "image", [B, C]),
        ("transfer_method", "in", ["tool_file"], [C]),
        ("size", ">", "{{#n.at#}}0", [A]),
        ("size", "<", "1", [C]),
    ],
    ids="dsl-89-{}".format,
)
async def test_files_are_filtered_by_an_attribute(
    key: str, operator: str, value: Any, expected: list[Value]
) -> None:
    assert await work([A, B, C], **keep(operator, value, key)) == expected


@pytest.mark.parametrize(
    ("items", "data", "expected"),
    [
        pytest.param(WORDS, order("asc"), ["", "apple", "fig", "pear"], id="dsl-89-texts"),
        pytest.param(NUMBERS, order("desc"), [3, 1.5, -2], id="dsl-89-numbers"),
        pytest.param([True, False], order("asc"), [False, True], id="dsl-89-booleans"),
        pytest.param([A, B, C], order("asc", "size"), [C, B, A], id="dsl-89-size"),
        pytest.param([A, B, C], order("desc", "name"), [B, A, C], id="dsl-89-name"),
        pytest.param([B, A, C], order("asc", "type"), [A, B, C], id="equals keep their order"),
    ],
)
async def test_items_are_sorted(items: list[Value], data: dict[str, Any], expected: list[Value]) -> None:
    assert await work(items, **data) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [(2, ["pear", "apple"]), (9, WORDS), (0, []), (-1, WORDS[:-1])]
)
async def test_a_limit_cuts_from_the_front(size: int, expected: list[Value]) -> None:
    assert await work(WORDS, limit={"enabled": True, "size": size}) == expected


@pytest.mark.parametrize(
    ("serial", "expected"), [("1", "pear"), ("4", "fig"), ("{{#n.at#}}", "apple"), (2, "apple")]
)
async def test_one_item_is_picked_by_its_position(serial: Any, expected: str) -> None:
    assert await work(WORDS, extract_by={"enabled": True, "serial": serial}) == [expected]


async def test_the_steps_follow_each_other_and_the_ends_are_outputs_of_their_own() -> None:
    conditions = [{"comparison_operator": "not empty"}, {"comparison_operator": "not contains", "value": "g"}]
    data = list_operator(
        filter_by={"enabled": True, "conditions": conditions},
        **order("asc"),
        limit={"enabled": True, "size": 2},
    )

    run = await run_node(data, {"n.x": [*WORDS, "banana"]})

    assert run.outputs == {"result": ["apple", "banana"], "first_record": "apple", "last_record": "banana"}
    assert run.context.inputs == run.context.process_data == {"variable": [*WORDS, "banana"]}


async def test_picking_comes_before_sorting() -> None:
    data: dict[str, Any] = {"extract_by": {"enabled": True, "serial": "2"}, **order("asc")}

    assert await work(WORDS, **data) == ["apple"]


@pytest.mark.parametrize("value", [[], None, "", 0, {}], ids="dsl-90-{}".format)
async def test_nothing_at_all_is_an_empty_list(value: Value) -> None:
    run = await run_node(list_operator(extract_by={"enabled": True, "serial": "5"}), {"n.x": value})

    assert run.outputs == {"result": [], "first_record": None, "last_record": None}
    assert run.context.inputs == run.context.process_data == {"variable": []}


@pytest.mark.parametrize(
    ("items", "data", "error_type", "message"),
    [
        pytest.param([{}], {}, "NodeFailedError", "of type array[object]", id="dsl-90-objects"),
        pytest.param(["a", 1], {}, "NodeFailedError", "of type array[any]", id="dsl-90-mixed"),
        pytest.param("text", {}, "NodeFailedError", "of type string", id="no list"),
        pytest.param(["a"], {"variable": ["n", "gone"]}, "NodeFailedError", "was not found", id="missing"),
        pytest.param(["a"], {"variable": []}, "NodeFailedError", "was not found", id="no selector"),
        pytest.param(
            ["a"],
            {"extract_by": {"enabled": True, "serial": "0"}},
            "InvalidKeyError",
            "item 0 in",
            id="dsl-89-zero",
        ),
        pytest.param(
            ["a"],
            {"extract_by": {"enabled": True, "serial": "2"}},
            "InvalidKeyError",
            "item 2 in",
            id="dsl-89-n+1",
        ),
        pytest.param(
            ["a"],
            {"extract_by": {"enabled": True, "serial": "x"}},
            "NodeFailedError",
            "no position",
            id="no number",
        ),
        pytest.param(
            ["a"], keep("=", "a"), "InvalidConditionError", "cannot be compared with '='", id="text ="
        ),
        pytest.param(["a"], keep("is", ["a"]), "InvalidFilterValueError", "text is needed", id="text list"),
        pytest.param(["a"], keep("is", True), "InvalidFilterValueError", "text is needed", id="text bool"),
        pytest.param(
            [1], keep("contains", "1"), "InvalidConditionError", "only with: =", id="number contains"
        ),
        pytest.param([1], keep("=", "one"), "InvalidFilterValueError", "number is needed", id="number text"),
        pytest.param([True], keep("is", "true"), "InvalidFilterValueError", "booleans", id="boolean text"),
        pytest.param([True], keep("=", True), "InvalidConditionError", "only with: is", id="boolean ="),
        pytest.param([A], keep("is", "x"), "InvalidKeyError", "filtered by ''", id="file without key"),
        pytest.param(
            [A], keep("is", ["x"], "name"), "InvalidKeyError", "filtered by 'name'", id="file name list"
        ),
        pytest.param([A], keep("is", "x", "type"), "InvalidConditionError", "in, not in", id="file type is"),
        pytest.param(
            [A], keep("is", True, "name"), "InvalidFilterValueError", "true or false", id="file bool"
        ),
        pytest.param(
            [A], keep(">", "big", "size"), "InvalidFilterValueError", "number is needed", id="file size"
        ),
        pytest.param([A], order("asc"), "InvalidKeyError", "no attribute ''", id="file order"),
    ],
)
async def test_what_does_not_suit_the_items_fails_the_node(
    items: Value, data: dict[str, Any], error_type: str, message: str
) -> None:
    run = await run_node(list_operator(**data), {"n.x": items})

    assert run.error_type == error_type
    assert message in str(run.error)
    assert getattr(run.error, "error_type", None) == ""


async def test_what_is_switched_off_is_not_even_read() -> None:
    data: dict[str, Any] = {
        "filter_by": {"enabled": False, "conditions": [{"comparison_operator": "", "value": None}]},
        "extract_by": {"enabled": False, "serial": "x"},
    }

    assert await work(WORDS, **data) == WORDS


async def test_a_declared_type_does_not_hide_what_the_list_holds() -> None:
    assert await work(["b", "a"], type="array[any]", **order("asc")) == ["a", "b"]


def test_the_node_tells_what_it_reads() -> None:
    data = list_operator(**keep("is", "{{#n.want#}}"), extract_by={"enabled": True, "serial": "{{#n.at#}}"})
    node = build_node(make_spec(data))

    assert node.reads() == [("n", "x"), ("n", "want"), ("n", "at")]
    assert build_node(make_spec(list_operator(variable=[]))).reads() == []
    assert node.instant


def test_a_filter_value_that_is_an_object_is_a_problem_of_the_file() -> None:
    with pytest.raises(GraphError):
        build_node(make_spec(list_operator(**keep("is", {"a": 1}))))
