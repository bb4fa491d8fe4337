"""Iterations. Source of the row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.harness import (
    Data,
    Gate,
    Play,
    Told,
    answer,
    assign,
    assign_v1,
    choose,
    do,
    end,
    falter,
    give,
    inside,
    iteration,
    loop,
    play,
    retried,
    start,
    template,
    wait,
)
from weft.errors import NodeFailedError
from weft.events import (
    ContainerAdvanced,
    ContainerFinished,
    ContainerStarted,
    Frame,
    NodeFinished,
    NodeStarted,
)
from weft.nodes import Context, Limits
from weft.providers import Usage
from weft.testing.clock import FrozenClock
from weft.variables import Value

pytestmark = pytest.mark.anyio

WAYS = ["start > it > end", "it_start > n"]


async def over(items: Value, child: Data, *, values: dict[str, Value] | None = None, **settings: Any) -> Told:
    """Run an iteration over a list, with one node ``n`` in it whose output ``x`` counts."""
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", **settings),
        **inside("it", n=child),
        "end": end(out="it.output"),
    }
    return await play(nodes, *WAYS, inputs={"items": items}, values=values or {})


def shout(context: Context) -> dict[str, Value]:
    return {"x": str(context.pool.get(("it", "item"))).upper()}


def refuse_two(context: Context) -> dict[str, Value]:
    """Fails on the item ``b``."""
    if context.pool.get(("it", "item")) == "b":
        raise NodeFailedError("no b", error_type="NoB")
    return shout(context)


async def test_every_item_is_worked_on_in_order_dsl_56() -> None:
    told = await over(["a", "b", "c"], template("{{ item|upper }}", item="it.item"))
    # A template's output is `output`, so nothing is found here; `shout` gives `x`.
    assert told.finished("it").outputs == {"output": [None, None, None]}
    told = await over(["a", "b", "c"], do(shout))
    child = [[f"S(n i{index})", f"OK(n i{index})"] for index in range(3)]
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(it)",
        "begin(it of 3)",
        "next(it 0)",
        *child[0],
        "next(it 1)",
        *child[1],
        "next(it 2)",
        *child[2],
        "succeeded(it after 3)",
        "it:'- A\\n- B\\n- C'",
        "OK(it)",
        "S(end)",
        "OK(end)",
    ]
    assert told.end == ("succeeded", {"out": ["A", "B", "C"]}, 0)


async def test_all_events_of_an_iteration_say_where_and_when_they_happened() -> None:
    clock = FrozenClock()

    async def work(context: Context) -> dict[str, Value]:
        await clock.sleep(2)
        return {"x": context.pool.get(("it", "index"))}

    nodes = {"start": start(), "it": iteration("start.items", "n.x"), **inside("it", n=do(work))}
    began = clock.now()
    told = await play(nodes, "start > it", "it_start > n", inputs={"items": ["a", "b"]}, clock=clock)
    common: dict[str, Any] = {
        "execution_id": "00000000-0000-7000-8000-000000000002",
        "node_id": "it",
        "node_type": "iteration",
        "title": "The it",
    }
    times = [began, began + timedelta(seconds=2), began + timedelta(seconds=4)]
    metadata: dict[str, Value] = {
        "total_tokens": 0,
        "total_price": "0",
        "currency": "USD",
        "iteration_duration_map": {"0": 2.0, "1": 2.0},
    }
    inputs: dict[str, Value] = {"iterator_selector": ["a", "b"]}
    assert [event for event in told.events if not isinstance(event, NodeStarted | NodeFinished)] == [
        ContainerStarted(kind="iteration", **common, inputs=inputs, length=2, at=times[0]),
        ContainerAdvanced(kind="iteration", **common, index=0, at=times[0]),
        ContainerAdvanced(kind="iteration", **common, index=1, at=times[1]),
        ContainerFinished(
            kind="iteration",
            **common,
            status="succeeded",
            inputs=inputs,
            outputs={"output": [0, 1]},
            error=None,
            steps=2,
            elapsed_time=4.0,
            total_tokens=0,
            metadata=metadata,
            started_at=times[0],
            at=times[2],
        ),
    ]
    items = [
        NodeFinished(
            execution_id=f"00000000-0000-7000-8000-00000000000{3 + item}",
            node_id="n",
            node_type="do",
            title="The n",
            index=3 + item,
            status="succeeded",
            started_at=times[item],
            at=times[item + 1],
            elapsed_time=2.0,
            predecessor_id="it_start",
            frame=Frame(iteration_id="it", iteration_index=item),
            outputs={"x": item},
        )
        for item in range(2)
    ]
    whole = NodeFinished(
        **common,
        index=2,
        status="succeeded",
        started_at=times[0],
        at=times[2],
        elapsed_time=4.0,
        predecessor_id="start",
        inputs=inputs,
        outputs={"output": [0, 1]},
        metadata=metadata,
    )
    assert [event for event in told.events if isinstance(event, NodeFinished)][1:] == [*items, whole]


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        pytest.param({"items": []}, "succeeded", None, id="dsl-57-empty-list"),
        pytest.param({"items": None}, "succeeded", None, id="dsl-57-nothing"),
        pytest.param({"items": "abc"}, "failed", "InvalidIteratorValueError", id="dsl-57-text"),
        pytest.param({}, "failed", "IteratorVariableNotFoundError", id="dsl-57-missing"),
    ],
)
async def test_what_can_be_gone_through(given: dict[str, Value], status: str, error_type: str | None) -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x"),
        **inside("it", n=give(x=1)),
        "end": end(out="it.output"),
    }
    told = await play(nodes, *WAYS, inputs=given)
    assert (told.outcome.status, told.finished("it").error_type) == (status, error_type)
    if status == "succeeded":
        assert told.story[2:6] == ["S(it)", "begin(it of 0)", "succeeded(it after 0)", "OK(it)"]
        assert told.outcome.outputs == {"out": []}
    else:
        assert told.story[2:] == ["S(it)", "F(it)"]


LISTS = [[1, 2], None, [3]]


@pytest.mark.parametrize(
    ("items", "flatten", "output"),
    [
        pytest.param(LISTS, True, [1, 2, 3], id="dsl-58-flat"),
        pytest.param(LISTS, False, LISTS, id="dsl-58-nested"),
        pytest.param([[1], 2], True, [[1], 2], id="dsl-58-mixed"),
        pytest.param([[[1]], [[2]]], True, [[1], [2]], id="dsl-58-one-level-only"),
        pytest.param([None, None], True, [None, None], id="dsl-58-nothing-but-nulls"),
        pytest.param([[], []], True, [], id="dsl-58-empty-lists"),
    ],
)
async def test_lists_of_lists_are_flattened_where_the_settings_say_so(
    items: list[Value], flatten: bool, output: list[Value]
) -> None:
    told = await over(
        items, do(lambda context: {"x": context.pool.get(("it", "item"))}), flatten_output=flatten
    )
    assert told.outcome.outputs == {"out": output}


async def test_flattening_is_what_happens_if_the_file_says_nothing() -> None:
    told = await over([[1], [2]], do(lambda context: {"x": context.pool.get(("it", "item"))}))
    assert told.outcome.outputs == {"out": [1, 2]}


@pytest.mark.parametrize("parallel", [False, True], ids=["sequential", "parallel"])
@pytest.mark.parametrize(
    ("mode", "output"),
    [
        pytest.param("continue-on-error", ["A", None, "C"], id="dsl-59-continue"),
        pytest.param("remove-abnormal-output", ["A", "C"], id="dsl-59-remove"),
    ],
)
async def test_an_item_that_fails_may_be_passed_over_dsl_60(
    mode: str, output: list[Value], parallel: bool
) -> None:
    told = await over(["a", "b", "c"], do(refuse_two), error_handle_mode=mode, is_parallel=parallel)
    assert told.end == ("partial-succeeded", {"out": output}, 1)
    assert (told.finished("it").status, told.container("it").status) == ("succeeded", "succeeded")


async def test_removing_what_failed_keeps_nulls_that_are_results() -> None:
    def work(context: Context) -> dict[str, Value]:
        refuse_two(context)
        return {}

    told = await over(["a", "b", "c"], do(work), error_handle_mode="remove-abnormal-output")
    assert told.outcome.outputs == {"out": [None, None]}


async def test_every_failure_that_is_passed_over_counts_dsl_60() -> None:
    def refuse(_: Context) -> None:
        raise NodeFailedError("boom")

    told = await over([1, 2], do(refuse), error_handle_mode="continue-on-error")
    assert told.end == ("partial-succeeded", {"out": [None, None]}, 2)


async def test_an_item_that_fails_ends_the_iteration_dsl_59() -> None:
    told = await over(["a", "b", "c"], do(refuse_two))
    assert told.story[4:] == [
        "next(it 0)",
        "S(n i0)",
        "OK(n i0)",
        "next(it 1)",
        "S(n i1)",
        "F(n i1)",
        "failed(it after 3)",
        "F(it)",
    ]
    assert told.end == ("failed", {}, 2)
    failed, node = told.container("it"), told.finished("it")
    assert (failed.error, failed.outputs) == ("no b", {"output": ["A"]})
    assert (node.error, node.error_type, node.outputs) == ("no b", "NoB", {"output": ["A"]})
    assert set(node.metadata) == {"total_tokens", "total_price", "currency", "iteration_duration_map"}


async def test_an_iteration_that_fails_may_have_a_strategy_of_its_own() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", error_strategy="fail-branch"),
        **inside("it", n=do(refuse_two)),
        "good": end(out="it.output"),
        "bad": end(error="it.error_message"),
    }
    told = await play(
        nodes,
        "start > it > good",
        "it:fail-branch > bad",
        "it_start > n",
        inputs={"items": ["a", "b"]},
    )
    assert told.end == ("partial-succeeded", {"error": "no b"}, 2)
    assert (told.container("it").status, told.finished("it").status) == ("failed", "exception")
    assert "error_strategy" not in told.container("it").metadata


async def test_a_node_inside_may_have_a_strategy_of_its_own() -> None:
    settings = {
        "error_strategy": "default-value",
        "default_value": [{"key": "x", "type": "string", "value": "none"}],
    }
    told = await over(["a", "b"], do(refuse_two, **settings))
    assert told.end == ("partial-succeeded", {"out": ["A", "none"]}, 1)


async def test_each_item_is_an_execution_of_its_own_also_where_nodes_are_tried_again() -> None:
    told = await over(["a", "b"], falter(1, shout, **retried(2)))
    assert told.story[4:9] == ["next(it 0)", "S(n i0)", "R1(n i0)", "OK(n i0)", "next(it 1)"]
    ids = [event.execution_id for event in told.events if isinstance(event, NodeStarted)]
    assert len(set(ids)) == len(ids)
    assert told.outcome.outputs == {"out": ["A", "B"]}


# Parallel


async def test_no_more_items_are_in_flight_than_the_settings_allow_dsl_61() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", is_parallel=True, parallel_nums=3),
        **inside("it", n=wait(gate, lambda context: {"x": context.pool.get(("it", "item"))})),
        "end": end(out="it.output"),
    }

    async def let_through(_: Play) -> None:
        await gate.reached(3)
        for _turn in range(20):
            await asyncio.sleep(0)
        gate.open()

    told = await play(nodes, *WAYS, inputs={"items": list(range(10))}, after=let_through)
    assert (gate.most, told.outcome.outputs) == (3, {"out": list(range(10))})
    assert told.story[4:10] == [
        "next(it 0)",
        "S(n i0)",
        "next(it 1)",
        "S(n i1)",
        "next(it 2)",
        "S(n i2)",
    ]


async def test_results_are_in_the_order_of_items_whoever_is_done_first() -> None:
    gates = [Gate(), Gate(), Gate()]

    async def work(context: Context) -> dict[str, Value]:
        index = context.pool.get(("it", "index"))
        assert isinstance(index, int)
        await gates[index].wait()
        return {"x": index}

    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", is_parallel=True),
        **inside("it", n=do(work)),
        "end": end(out="it.output"),
    }

    async def let_through(playing: Play) -> None:
        for index in (2, 0, 1):
            await gates[index].reached()
            gates[index].open()
            await playing.saw(f"OK(n i{index})")

    told = await play(nodes, *WAYS, inputs={"items": ["abc"] * 3}, after=let_through)
    assert told.outcome.outputs == {"out": [0, 1, 2]}


async def test_after_a_failure_running_items_finish_and_no_new_one_begins_dsl_62() -> None:
    gate = Gate()

    async def work(context: Context) -> dict[str, Value]:
        match context.pool.get(("it", "item")):
            case "bad":
                await gate.reached()
                raise NodeFailedError("boom")
            case "slow":
                await gate.wait()
        return {"x": context.pool.get(("it", "item"))}

    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", is_parallel=True, parallel_nums=2),
        **inside("it", n=do(work)),
        "end": end(out="it.output"),
    }

    async def let_through(playing: Play) -> None:
        await playing.saw("F(n i0)")
        gate.open()

    told = await play(nodes, *WAYS, inputs={"items": ["bad", "slow", "never", "never"]}, after=let_through)
    assert told.story[4:] == [
        "next(it 0)",
        "S(n i0)",
        "next(it 1)",
        "S(n i1)",
        "F(n i0)",
        "OK(n i1)",
        "failed(it after 4)",
        "F(it)",
    ]
    assert (told.outcome.error, told.container("it").outputs) == ("boom", {"output": ["slow"]})


async def test_of_two_failing_items_the_first_to_fail_is_told_and_neither_has_an_output() -> None:
    gate = Gate()

    async def work(context: Context) -> dict[str, Value]:
        if context.pool.get(("it", "item")) == "late":
            await gate.wait()
        raise NodeFailedError(str(context.pool.get(("it", "item"))))

    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", is_parallel=True),
        **inside("it", n=do(work)),
    }

    async def let_through(playing: Play) -> None:
        await playing.saw("F(n i1)")
        gate.open()

    told = await play(
        nodes, "start > it", "it_start > n", inputs={"items": ["late", "early"]}, after=let_through
    )
    assert (told.outcome.error, told.container("it").outputs) == ("early", {"output": []})
    assert told.outcome.exceptions_count == 3


async def test_one_worker_and_few_places_do_not_lock_each_other_out_dsl_62() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "inner.output", is_parallel=True, parallel_nums=1),
        **inside("it", inner=iteration("start.items", "n.x", is_parallel=True)),
        **inside("inner", n=do(lambda context: {"x": context.pool.get(("inner", "item"))})),
        "end": end(out="it.output"),
    }
    told = await play(
        nodes,
        "start > it > end",
        "it_start > inner",
        "inner_start > n",
        inputs={"items": [1, 2, 3]},
        limits=Limits(max_parallel=1),
    )
    assert told.outcome.outputs == {"out": [1, 2, 3] * 3}


# Nesting


async def test_an_iteration_inside_an_iteration_nests_its_outputs_dsl_63() -> None:
    nodes = {
        "start": start(),
        "outer": iteration("start.rows", "inner.output", flatten_output=False),
        **inside("outer", inner=iteration("outer.item", "n.x")),
        **inside(
            "inner",
            n=do(
                lambda context: {
                    "x": [context.pool.get(("outer", "index")), context.pool.get(("inner", "item"))]
                }
            ),
        ),
        "end": end(out="outer.output"),
    }
    nodes["inner"]["flatten_output"] = False
    told = await play(
        nodes,
        "start > outer > end",
        "outer_start > inner",
        "inner_start > n",
        inputs={"rows": [["a", "b"], ["c"]]},
    )
    assert told.outcome.outputs == {"out": [[[0, "a"], [0, "b"]], [[1, "c"]]]}
    frames = [event.frame for event in told.events if isinstance(event, NodeStarted) and event.node_id == "n"]
    assert frames == [
        Frame(iteration_id="inner", iteration_index=0),
        Frame(iteration_id="inner", iteration_index=1),
        Frame(iteration_id="inner", iteration_index=0),
    ]
    inner = [event.frame for event in told.events if isinstance(event, ContainerStarted)][1:]
    assert inner == [Frame(iteration_id="outer", iteration_index=index) for index in range(2)]


async def test_a_loop_inside_an_iteration_names_both() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "lo.loop_round"),
        **inside("it", lo=loop(2)),
        **inside("lo", n=give(x=1)),
    }
    told = await play(nodes, "start > it", "it_start > lo", "lo_start > n", inputs={"items": [1, 2]})
    frames = [event.frame for event in told.events if isinstance(event, NodeStarted) and event.node_id == "n"]
    assert frames == [
        Frame(iteration_id="it", iteration_index=item, loop_id="lo", loop_index=round)
        for item in range(2)
        for round in range(2)
    ]
    assert told.finished("it").outputs == {"output": [2, 2]}


@pytest.mark.parametrize("kind", ["iteration", "loop"])
async def test_containers_may_be_nested_deeply(kind: str) -> None:
    depth = 20
    nodes: dict[str, Data] = {"start": start()}
    ways = []
    for level in range(depth):
        id, out = f"c{level}", f"c{level + 1}.{'output' if kind == 'iteration' else 'loop_round'}"
        made = iteration("start.items", out) if kind == "iteration" else loop(1)
        nodes[id] = made if level == 0 else {**made, "inside": f"c{level - 1}"}
        ways.append(f"{'start' if level == 0 else f'c{level - 1}_start'} > {id}")
    nodes[f"c{depth}"] = {**give(output=["deep"], loop_round=1), "inside": f"c{depth - 1}"}
    ways.append(f"c{depth - 1}_start > c{depth}")
    told = await play(nodes, *ways, inputs={"items": [1]})
    output = {"output": ["deep"]} if kind == "iteration" else {"loop_round": 1}
    assert (told.outcome.status, told.finished("c0").outputs) == ("succeeded", output)
    assert len(told.nodes) == depth + 2


# Values


async def test_what_happens_in_an_item_stays_in_it() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.seen"),
        **inside(
            "it",
            n=do(
                lambda context: {
                    "x": 1,
                    "seen": [str(context.pool.find(("n", "x"))), context.pool.get(("start", "items"))],
                }
            ),
        ),
        "end": end(x="n.x", item="it.item", out="it.output"),
    }
    nodes["it"]["flatten_output"] = False
    told = await play(nodes, *WAYS, inputs={"items": [1, 2]})
    assert told.outcome.outputs == {
        "x": None,
        "item": None,
        "out": [["Missing.MISSING", [1, 2]], ["Missing.MISSING", [1, 2]]],
    }


async def test_an_item_does_not_see_what_a_skipped_node_put_out_in_the_item_before() -> None:
    def pick(context: Context) -> str:
        return str(context.pool.get(("it", "item")))

    nodes = {
        "start": start(),
        "it": iteration("start.items", "either.output"),
        **inside(
            "it",
            **{"if": {**choose("x"), "do": pick}},
            a=give(x="A"),
            b=give(x="B"),
            either={"type": "variable-aggregator", "variables": [["a", "x"], ["b", "x"]]},
        ),
        "end": end(out="it.output"),
    }
    told = await play(
        nodes,
        "start > it > end",
        "it_start > if:a > a > either",
        "if:b > b > either",
        inputs={"items": ["a", "b", "a"]},
    )
    assert told.outcome.outputs == {"out": ["A", "B", "A"]}


@pytest.mark.parametrize("parallel", [False, True], ids=["dsl-64-sequential", "dsl-64-parallel"])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_conversation_variable_that_items_write_is_seen_afterwards_dsl_64(
    parallel: bool, version: int
) -> None:
    writer = (
        assign("conversation.seen", "append", "<it.item>")
        if version == 2
        else assign_v1("conversation.seen", "append", "it.item")
    )
    nodes = {
        "start": start(),
        "it": iteration("start.items", "it.item", is_parallel=parallel),
        **inside("it", n=writer),
        "answer": answer("{{#conversation.seen#}}"),
    }
    told = await play(
        nodes,
        "start > it > answer",
        "it_start > n",
        inputs={"items": ["a", "b", "c"]},
        values={"conversation.seen": []},
        types={"conversation.seen": "array[string]"},
    )
    assert told.answer == told.outcome.outputs["answer"] == "- a\n- b\n- c"
    assert told.pool.get(("conversation", "seen")) == ["a", "b", "c"]
    assert [text for text in told.story if text.startswith("conversation")] == [
        "conversation.seen = ['a']",
        "conversation.seen = ['a', 'b']",
        "conversation.seen = ['a', 'b', 'c']",
    ]


async def test_what_a_failing_item_wrote_into_the_conversation_stays() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "it.item", error_handle_mode="continue-on-error"),
        **inside("it", n=assign("conversation.last", "over-write", "<it.item>"), bad=do(refuse_two)),
        "answer": answer("{{#conversation.last#}}"),
    }
    told = await play(
        nodes,
        "start > it > answer",
        "it_start > n > bad",
        inputs={"items": ["a", "b"]},
        values={"conversation.last": ""},
    )
    assert told.answer == "b"


async def test_writes_come_up_through_nested_iterations() -> None:
    nodes = {
        "start": start(),
        "outer": iteration("start.items", "outer.item"),
        **inside("outer", inner=iteration("start.items", "inner.item")),
        **inside("inner", n=assign("conversation.count", "+=", 1)),
        "answer": answer("{{#conversation.count#}}"),
    }
    told = await play(
        nodes,
        "start > outer > answer",
        "outer_start > inner",
        "inner_start > n",
        inputs={"items": [1, 2, 3]},
        values={"conversation.count": 0},
        types={"conversation.count": "number"},
    )
    assert told.answer == "9"


async def test_what_models_cost_inside_is_added_up_for_the_container_and_for_the_run() -> None:
    def spend(context: Context) -> dict[str, Value]:
        context.usage = Usage(prompt_tokens=3, total_tokens=3, total_price=Decimal("0.001"), currency="EUR")
        return {}

    nodes = {
        "start": start(),
        "before": do(spend),
        "it": iteration("start.items", "n.x"),
        **inside("it", inner=iteration("start.items", "n.x", is_parallel=True)),
        **inside("inner", n=do(spend)),
    }
    told = await play(
        nodes, "start > before > it", "it_start > inner", "inner_start > n", inputs={"items": [1, 2]}
    )
    done = told.container("it")
    assert (done.total_tokens, told.outcome.usage.total_tokens) == (12, 15)
    assert {key: done.metadata[key] for key in ("total_tokens", "total_price", "currency")} == {
        "total_tokens": 12,
        "total_price": "0.004",
        "currency": "EUR",
    }
    assert told.finished("it").metadata == done.metadata
    assert told.outcome.usage.total_price == Decimal("0.005")
