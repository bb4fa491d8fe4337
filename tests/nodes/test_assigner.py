from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.events import VariableUpdated
from weft.nodes import Limits, build_node
from weft.testing.node_harness import NodeRun, make_spec, run_node
from weft.variables import File, Value, ValueType

pytestmark = pytest.mark.anyio

FILE = File(filename="a.txt")

VALUE = "InvalidInputValueError"
OPERATION = "OperationNotSupportedError"
SOURCE = "InputTypeNotSupportedError"
DATA = "InvalidDataError"
MISSING = "VariableNotFoundError"


def v1(mode: str = "over-write", target: str = "conversation.v", source: str = "n.x") -> dict[str, Any]:
    return {
        "type": "assigner",
        "title": "A",
        "assigned_variable_selector": target.split("."),
        "write_mode": mode,
        "input_variable_selector": source.split("."),
    }


def item(
    operation: str, value: Any = None, target: str = "conversation.v", input_type: str = ""
) -> dict[str, Any]:
    if not input_type:
        input_type = "constant" if operation in ("set", "+=", "-=", "*=", "/=") else "variable"
    if input_type == "variable" and isinstance(value, str):
        value = value.split(".")
    return {
        "variable_selector": target.split("."),
        "input_type": input_type,
        "operation": operation,
        "value": value,
        "write_mode": "over-write",
    }


def of_variable(operation: str, path: str) -> dict[str, Any]:
    return item(operation, path, input_type="variable")


def of_constant(operation: str, value: Any = None) -> dict[str, Any]:
    return item(operation, value, input_type="constant")


def v2(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "assigner", "title": "A", "version": "2", "items": list(items)}


def values_after(run: NodeRun, *paths: str) -> list[Value]:
    return [run.context.pool.get(tuple(path.split("."))) for path in paths]


def record(name: str, type: str, value: Value, node: str = "conversation") -> Value:
    return {"name": name, "selector": [node, name], "value_type": type, "new_value": value}


@pytest.mark.parametrize(
    ("mode", "type", "before", "source", "after", "inputs"),
    [
        pytest.param("over-write", "string", "old", "new", "new", {"value": "new"}, id="dsl-86a-over-write"),
        pytest.param("append", "array[string]", ["a"], "b", ["a", "b"], {"value": "b"}, id="dsl-86a-append"),
        pytest.param("clear", "array[string]", ["a"], "b", [], {"value": []}, id="dsl-86a-clear-list"),
        pytest.param("clear", "number", 5, 1, 0, {"value": 0}, id="dsl-86a-clear-number"),
        pytest.param("clear", "object", {"a": 1}, 1, {}, {"value": {}}, id="dsl-86a-clear-object"),
        pytest.param(
            "over-write", "number", 5, "text", "text", {"value": "text"}, id="types are not checked"
        ),
        pytest.param("over-write", "string", "old", None, None, {"value": None}, id="null overwrites"),
        pytest.param("append", "array[number]", [1], "b", [1, "b"], {"value": "b"}, id="nor those of items"),
    ],
)
async def test_the_first_version_writes_one_variable(
    mode: str, type: ValueType, before: Value, source: Value, after: Value, inputs: dict[str, Value]
) -> None:
    run = await run_node(v1(mode), {"conversation.v": before, "n.x": source}, types={"conversation.v": type})

    assert run.outputs == {}
    assert values_after(run, "conversation.v") == [after]
    assert run.context.inputs == inputs
    assert run.context.process_data == {"__updated_variables": [record("v", type, after)]}
    assert run.events == [
        VariableUpdated(selector=("conversation", "v"), value=after, value_type=type, node_id="node")
    ]


async def test_clearing_needs_no_source() -> None:
    run = await run_node(v1("clear", source="n.gone"), {"conversation.v": "a"})

    assert values_after(run, "conversation.v") == [""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (v1(target="conversation.gone"), "variable 'conversation.gone' was not found"),
        (v1(target="conversation.v.key"), "variable 'conversation.v.key' was not found"),
        (v1(target="conversation"), "variable 'conversation' was not found"),
        (v1(source="n.gone"), "variable 'n.gone' was not found, so there is nothing to assign"),
        (v1("append"), "nothing can be appended to 'conversation.v', which is of type object"),
        (v1(target="env.key"), "variable 'env.key' is read-only"),
        (v1("clear", target="sys.query"), "variable 'sys.query' is read-only"),
    ],
)
async def test_the_first_version_refuses_what_cannot_be_done(data: dict[str, Any], message: str) -> None:
    pool: dict[str, Value] = {"conversation.v": {"key": 1}, "n.x": "x", "env.key": "k", "sys.query": "q"}

    run = await run_node(data, pool)

    assert message in str(run.error)
    assert run.error_type in ("VariableOperatorNodeError", "VariableNotFoundError")
    assert getattr(run.error, "error_type", None) == ""
    assert values_after(run, *pool) == list(pool.values())
    assert run.events == []


@pytest.mark.parametrize(
    ("type", "before", "operation", "after"),
    [
        ("string", "a", item("over-write", "n.text"), "text"),
        ("string", "a", item("over-write", "const", input_type="constant"), "const"),
        ("string", "a", item("set", "const"), "const"),
        ("string", "a", item("set", ""), ""),
        ("string", "a", item("clear"), ""),
        ("number", 1, item("over-write", "n.number"), 7),
        ("number", 1, item("set", 2.5), 2.5),
        ("number", 5, item("+=", 2), 7),
        ("number", 5, item("-=", 2.5), 2.5),
        ("number", 5, item("*=", 3), 15),
        ("number", 5, item("/=", 2), 2.5),
        ("number", 5, item("clear"), 0),
        ("boolean", False, item("set", True), True),
        ("boolean", True, item("clear"), False),
        ("object", {}, item("set", {"a": 1}), {"a": 1}),
        ("object", {}, item("set", '{"a": [1]}'), {"a": [1]}),
        ("object", {"a": 1}, item("over-write", "n.object"), {"k": "v"}),
        ("object", {"a": 1}, item("clear"), {}),
        ("array[string]", ["a"], item("append", "n.text"), ["a", "text"]),
        ("array[string]", ["a"], item("extend", "n.texts"), ["a", "x", "y"]),
        ("array[string]", ["a"], item("over-write", "n.texts"), ["x", "y"]),
        ("array[string]", ["a"], item("over-write", "n.none_of_them"), []),
        ("array[number]", [1], item("append", "n.number"), [1, 7]),
        ("array[object]", [], item("append", "n.object"), [{"k": "v"}]),
        ("array[any]", [1], item("append", "n.text"), [1, "text"]),
        ("array[file]", [], item("append", "n.file"), [FILE]),
        ("array[string]", ["a", "b", "c"], item("remove-first"), ["b", "c"]),
        ("array[string]", ["a", "b", "c"], item("remove-last"), ["a", "b"]),
        ("array[string]", [], item("remove-first"), []),
        ("array[string]", [], item("remove-last"), []),
        ("array[string]", ["a"], item("clear"), []),
    ],
    ids=lambda value: (
        f"dsl-86b-{value['operation']}" if isinstance(value, dict) and "operation" in value else None
    ),
)
async def test_the_second_version_knows_an_operation_for_each_need(
    type: ValueType, before: Value, operation: dict[str, Any], after: Value
) -> None:
    pool: dict[str, Value] = {
        "conversation.v": before,
        "n.text": "text",
        "n.number": 7,
        "n.object": {"k": "v"},
        "n.texts": ["x", "y"],
        "n.none_of_them": [],
        "n.file": FILE,
    }

    run = await run_node(v2(operation), pool, types={"conversation.v": type})

    assert run.outputs == {}
    assert values_after(run, "conversation.v") == [after]
    assert run.context.process_data == {"v": after, "__updated_variables": [record("v", type, after)]}
    assert run.events == [
        VariableUpdated(selector=("conversation", "v"), value=after, value_type=type, node_id="node")
    ]


async def test_later_items_see_what_earlier_ones_did_and_each_variable_is_told_once() -> None:
    items = [
        item("+=", 2, target="loop.n"),
        item("*=", 10, target="loop.n"),
        item("append", "loop.n"),
        item("over-write", "conversation.v", target="conversation.w"),
        item("append", "n.nothing"),
    ]
    pool: dict[str, Value] = {"loop.n": 1, "conversation.v": [1], "conversation.w": [], "n.nothing": None}
    types: dict[str, ValueType] = {"conversation.v": "array[number]", "conversation.w": "array[number]"}

    run = await run_node(v2(*items), pool, types=types)  # dsl-87b

    assert run.error is None
    assert values_after(run, "loop.n", "conversation.v", "conversation.w") == [30, [1, 30], [1, 30]]
    assert run.context.process_data == {
        "n": 30,
        "v": [1, 30],
        "w": [1, 30],
        "__updated_variables": [
            record("n", "number", 30, "loop"),
            record("v", "array[number]", [1, 30]),
            record("w", "array[number]", [1, 30]),
        ],
    }
    assert [event.selector for event in run.events if isinstance(event, VariableUpdated)] == [
        ("loop", "n"),
        ("conversation", "v"),
        ("conversation", "w"),
    ]


@pytest.mark.parametrize(
    ("operation", "type", "before", "error_type"),
    [
        pytest.param(item("/=", 0), "number", 1, VALUE, id="dsl-88-zero"),
        pytest.param(item("+=", 1), "string", "a", OPERATION, id="dsl-88-text"),
        pytest.param(of_variable("set", "n.text"), "string", "a", SOURCE, id="dsl-88-variable"),
        pytest.param(item("over-write", "n.texts"), "array[number]", [1], VALUE, id="dsl-87a"),
        pytest.param(item("extend", "n.text"), "array[string]", [], VALUE, id="extend by one"),
        pytest.param(item("append", "n.texts"), "array[string]", [], VALUE, id="append many"),
        pytest.param(item("append", "n.text"), "string", "a", OPERATION, id="append to text"),
        pytest.param(item("remove-first"), "object", {}, OPERATION, id="remove of object"),
        pytest.param(item("set", []), "array[string]", [], OPERATION, id="set of array"),
        pytest.param(of_constant("over-write", []), "array[string]", [], SOURCE, id="constant array"),
        pytest.param(of_constant("clear"), "string", "a", SOURCE, id="constant clear"),
        pytest.param(of_constant("remove-last"), "array[string]", [], SOURCE, id="constant remove"),
        pytest.param(of_variable("+=", "n.number"), "number", 1, SOURCE, id="variable sum"),
        pytest.param(item("+=", "1"), "number", 1, VALUE, id="text sum"),
        pytest.param(item("set", 1), "string", "a", VALUE, id="number for text"),
        pytest.param(item("set", "{"), "object", {}, VALUE, id="broken JSON"),
        pytest.param(item("set", "[" * 100_000), "object", {}, VALUE, id="deep JSON"),
        pytest.param(item("set", "[1]"), "object", {}, VALUE, id="JSON of another kind"),
        pytest.param(item("*=", 2**40), "number", 2**40, VALUE, id="integer too large"),
        pytest.param(item("*=", 1e300), "number", 1e300, VALUE, id="infinite"),
        pytest.param(item("+=", 1), "number", "spoilt", DATA, id="no number in it"),
        pytest.param(item("append", "n.text"), "array[string]", "spoilt", DATA, id="no list in it"),
        pytest.param(item("over-write", "n.gone"), "string", "a", MISSING, id="no source"),
        pytest.param(item("over-write", []), "string", "a", DATA, id="no selector"),
        pytest.param(item("over-write", None), "string", "a", DATA, id="null selector"),
        pytest.param(item("set", "a", target="conversation.gone"), "string", "a", MISSING, id="no target"),
        pytest.param(item("set", "a", target="sys.query"), "string", "a", MISSING, id="read-only"),
    ],
)
async def test_an_item_that_cannot_be_done_fails_the_node_and_changes_nothing(
    operation: dict[str, Any], type: ValueType, before: Value, error_type: str
) -> None:
    pool: dict[str, Value] = {
        "conversation.first": "a",
        "conversation.v": before,
        "n.text": "text",
        "n.texts": ["x"],
        "n.number": 1,
        "sys.query": "q",
    }
    first = item("set", "changed", target="conversation.first")

    run = await run_node(v2(first, operation), pool, types={"conversation.v": type})

    assert run.error_type == error_type
    assert getattr(run.error, "error_type", None) == ""
    assert values_after(run, *pool) == list(pool.values())
    assert run.events == []
    assert run.context.process_data == {}
    assert run.context.inputs == {
        "items": [
            {key: made[key] for key in ("variable_selector", "input_type", "operation", "value")}
            for made in (first, operation)
        ]
    }


@pytest.mark.parametrize("target", ["conversation.v", "loop.v"])
@pytest.mark.parametrize(("length", "fits"), [(98, True), (99, False)])
async def test_a_conversation_variable_has_a_largest_size(target: str, length: int, fits: bool) -> None:
    data = v2(item("set", "x" * length, target=target))

    run = await run_node(data, {target: ""}, limits=Limits(max_variable_bytes=100))

    if fits or target == "loop.v":
        assert values_after(run, target) == ["x" * length]
    else:
        assert "takes 101 bytes, but a conversation variable may take 100" in str(run.error)
        assert values_after(run, target) == [""]
        assert run.events == []


async def test_an_untyped_list_keeps_its_type_while_the_node_works() -> None:
    items = [item("clear", target="loop.v"), item("append", "n.number", target="loop.v")]

    run = await run_node(v2(*items), {"loop.v": ["a"], "n.number": 1})

    assert run.error_type == "InvalidInputValueError"
    assert "of type array[string]" in str(run.error)


@pytest.mark.parametrize(
    ("data", "reads", "writes"),
    [
        (v1(), [("n", "x")], [("conversation", "v")]),
        (v1("clear"), [], [("conversation", "v")]),
        (v1(target="conversation"), [("n", "x")], []),
        (
            v2(item("append", "n.x"), item("set", "a"), item("clear", ["n", "y"], target="loop.n")),
            [("n", "x")],
            [("conversation", "v"), ("loop", "n")],
        ),
        (v2(), [], []),
    ],
)
def test_the_node_tells_what_it_reads_and_writes(
    data: dict[str, Any], reads: list[Any], writes: list[Any]
) -> None:
    node = build_node(make_spec(data))

    assert (node.reads(), node.writes(), node.instant) == (reads, writes, True)


@pytest.mark.parametrize("version", ["2", "3", 2])
async def test_an_unknown_version_is_taken_for_the_latest(version: object) -> None:
    run = await run_node({**v2(item("set", "b")), "version": version}, {"conversation.v": "a"})

    assert values_after(run, "conversation.v") == ["b"]


@pytest.mark.parametrize(
    "data",
    [
        {**v1(), "write_mode": "prepend"},
        {key: value for key, value in v1().items() if key != "assigned_variable_selector"},
        v2({**item("set", "a"), "operation": "^="}),
        v2({**item("set", "a"), "input_type": "magic"}),
    ],
)
def test_a_configuration_that_nobody_could_follow_is_a_problem_of_the_file(data: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        build_node(make_spec(data))
