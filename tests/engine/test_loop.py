"""Loops. Source of the row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.harness import (
    Data,
    Told,
    answer,
    assign,
    condition,
    do,
    end,
    fail,
    give,
    if_else,
    inside,
    iteration,
    loop,
    loop_variable,
    play,
    start,
)
from weft.errors import NodeFailedError
from weft.events import ContainerAdvanced, ContainerFinished, ContainerStarted, Frame, NodeStarted
from weft.nodes import Context
from weft.providers import Usage
from weft.testing.clock import FrozenClock
from weft.variables import Value

pytestmark = pytest.mark.anyio

COUNTER = loop_variable("n", "number", 0)
LOOP_END: Data = {"type": "loop-end"}
WAYS = ["start > lo > end", "lo_start > more"]


async def counting(made: Data, **nodes: Data) -> Told:
    """Run a loop ``lo`` whose node ``more`` adds one to the loop variable ``n``."""
    all_nodes = {
        "start": start(),
        "lo": made,
        **inside("lo", more=assign("lo.n", "+=", 1)),
        "end": end(n="lo.n", rounds="lo.loop_round"),
        **nodes,
    }
    return await play(all_nodes, *WAYS)


async def test_a_loop_goes_on_until_its_condition_holds_dsl_65() -> None:
    told = await counting(loop(10, condition("lo.n", "≥", "5"), variables=[COUNTER]))
    assert told.end == ("succeeded", {"n": 5, "rounds": 5}, 0)
    done = told.container("lo")
    assert (done.metadata["completed_reason"], done.steps) == ("loop_break", 10)
    assert done.metadata["loop_variable_map"] == {str(index): {"n": index + 1} for index in range(5)}


async def test_a_loop_ends_when_its_rounds_are_used_up() -> None:
    told = await counting(loop(2, condition("lo.n", ">", "5"), variables=[COUNTER]))
    assert told.story[2:12] == [
        "S(lo)",
        "begin(lo of 2)",
        "S(more l0)",
        "lo.n = 1",
        "OK(more l0)",
        "next(lo 1)",
        "S(more l1)",
        "lo.n = 2",
        "OK(more l1)",
        "succeeded(lo after 2)",
    ]
    assert told.container("lo").metadata["completed_reason"] == "loop_completed"
    assert told.outcome.outputs == {"n": 2, "rounds": 2}


async def test_all_events_of_a_loop_say_where_and_when_they_happened() -> None:
    clock = FrozenClock()

    async def work(context: Context) -> dict[str, Value]:
        await clock.sleep(1)
        return {}

    nodes = {"start": start(), "lo": loop(2, variables=[COUNTER]), **inside("lo", n=do(work))}
    began = clock.now()
    told = await play(nodes, "start > lo", "lo_start > n", clock=clock)
    common: dict[str, Any] = {
        "kind": "loop",
        "execution_id": "00000000-0000-7000-8000-000000000002",
        "node_id": "lo",
        "node_type": "loop",
        "title": "The lo",
    }
    middle = began + timedelta(seconds=1)
    inputs: dict[str, Value] = {"loop_count": 2, "n": 0}
    kinds = (ContainerStarted, ContainerAdvanced, ContainerFinished)
    assert [event for event in told.events if isinstance(event, kinds)] == [
        ContainerStarted(**common, inputs=inputs, length=2, at=began),
        ContainerAdvanced(**common, index=1, at=middle),
        ContainerFinished(
            **common,
            status="succeeded",
            inputs=inputs,
            outputs={"n": 0, "loop_round": 2},
            error=None,
            steps=2,
            elapsed_time=2.0,
            total_tokens=0,
            metadata={
                "total_tokens": 0,
                "total_price": "0",
                "currency": "USD",
                "loop_duration_map": {"0": 1.0, "1": 1.0},
                "loop_variable_map": {"0": {"n": 0}, "1": {"n": 0}},
                "completed_reason": "loop_completed",
            },
            started_at=began,
            at=clock.now(),
        ),
    ]


async def test_a_loop_end_behind_a_condition_ends_the_loop_after_its_round_dsl_66() -> None:
    nodes = {
        "start": start(),
        "lo": loop(10, variables=[COUNTER]),
        **inside(
            "lo",
            more=assign("lo.n", "+=", 1),
            **{"if": if_else(true=("lo.n", "≥", "2"))},
            stop=LOOP_END,
            rest=give(x=1),
        ),
        "end": end(n="lo.n", rounds="lo.loop_round"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > more > if:true > stop > rest")
    assert told.outcome.outputs == {"n": 2, "rounds": 2}
    # What comes after the loop-end in its round still runs.
    assert told.nodes == ["start", "lo", "more", "if", "more", "if", "stop", "rest", "end"]
    assert told.container("lo").metadata["completed_reason"] == "loop_break"


async def test_a_loop_whose_condition_holds_at_once_has_no_rounds_dsl_66() -> None:
    told = await counting(loop(10, condition("lo.n", "=", "0"), variables=[COUNTER]))
    assert told.nodes == ["start", "lo", "end"]
    done = told.container("lo")
    assert (done.outputs, done.steps, done.metadata["completed_reason"]) == ({}, 0, "loop_break")
    assert told.outcome.outputs == {"n": 0, "rounds": None}  # the variable itself is there


async def test_a_condition_may_be_about_what_the_first_round_brings_dsl_67() -> None:
    nodes = {
        "start": start(),
        "lo": loop(5, condition("n.x", "is", "done")),
        **inside("lo", n=give(x="done")),
        "end": end(rounds="lo.loop_round"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > n")
    assert told.end == ("succeeded", {"rounds": 1}, 0)


async def test_a_condition_about_what_never_comes_fails_the_loop_after_its_first_round_dsl_67() -> None:
    nodes = {
        "start": start(),
        "lo": loop(5, condition("n.never", "is", "done")),
        **inside("lo", n=give(x=1)),
    }
    told = await play(nodes, "start > lo", "lo_start > n")
    assert told.story[2:] == [
        "S(lo)",
        "begin(lo of 5)",
        "S(n l0)",
        "OK(n l0)",
        "failed(lo after 5)",
        "F(lo)",
    ]
    assert told.end == ("failed", {}, 1)


async def test_a_node_that_fails_inside_fails_the_loop_dsl_68() -> None:
    nodes = {
        "start": start(),
        "lo": loop(3, variables=[COUNTER]),
        **inside("lo", more=assign("lo.n", "+=", 1), bad=fail()),
    }
    told = await play(nodes, "start > lo", "lo_start > more > bad")
    assert told.story[-4:] == ["S(bad l0)", "F(bad l0)", "failed(lo after 3)", "F(lo)"]
    assert told.end == ("failed", {}, 2)
    done, node = told.container("lo"), told.finished("lo")
    assert (done.error, done.outputs, done.metadata["completed_reason"]) == (
        "boom",
        {"n": 1, "loop_round": 1},
        "error",
    )
    assert (node.error, node.error_type, node.outputs) == ("boom", "Boom", {"n": 1, "loop_round": 1})


async def test_a_loop_that_fails_may_have_default_values() -> None:
    nodes = {
        "start": start(),
        "lo": loop(
            3,
            error_strategy="default-value",
            default_value=[{"key": "n", "type": "number", "value": "7"}],
        ),
        **inside("lo", bad=fail()),
        "end": end(n="lo.n", error="lo.error_message"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > bad")
    assert told.end == ("partial-succeeded", {"n": 7, "error": "boom"}, 2)


async def test_a_loop_end_inside_an_iteration_ends_the_loop_it_names_dsl_69() -> None:
    nodes = {
        "start": start(),
        "lo": loop(5),
        **inside("lo", it=iteration("start.items", "stop.x")),
        **inside("it", stop={**LOOP_END, "loop_id": "lo"}),
        "end": end(rounds="lo.loop_round"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > it", "it_start > stop", inputs={"items": [1, 2]})
    assert told.outcome.outputs == {"rounds": 1}
    assert told.nodes == ["start", "lo", "it", "stop", "stop", "end"]  # the round finishes first


async def test_an_inner_loop_s_end_does_not_end_the_outer_loop() -> None:
    nodes = {
        "start": start(),
        "outer": loop(2),
        **inside("outer", inner=loop(5)),
        **inside("inner", stop=LOOP_END),
        "end": end(rounds="outer.loop_round"),
    }
    told = await play(nodes, "start > outer > end", "outer_start > inner", "inner_start > stop")
    assert told.outcome.outputs == {"rounds": 2}
    assert told.nodes == ["start", "outer", "inner", "stop", "inner", "stop", "end"]


async def test_an_inner_loop_may_end_the_outer_one() -> None:
    nodes = {
        "start": start(),
        "outer": loop(5),
        **inside("outer", inner=loop(2)),
        **inside("inner", stop={**LOOP_END, "loop_id": "outer"}),
        "end": end(rounds="outer.loop_round", inner="inner.loop_round"),
    }
    told = await play(nodes, "start > outer > end", "outer_start > inner", "inner_start > stop")
    assert told.outcome.outputs == {"rounds": 1, "inner": 2}


async def test_a_node_that_is_skipped_in_a_round_has_nothing_from_the_round_before_dsl_69() -> None:
    nodes = {
        "start": start(),
        "lo": loop(2, variables=[COUNTER, loop_variable("seen", "array[string]", "[]")]),
        **inside(
            "lo",
            **{"if": if_else(first=("lo.n", "=", "0"))},
            once=give(x="there"),
            look=do(lambda context: {"x": "there" if context.pool.find(("once", "x")) else "gone"}),
            note=assign("lo.seen", "append", "<look.x>"),
            more=assign("lo.n", "+=", 1),
        ),
        "end": end(seen="lo.seen"),
    }
    told = await play(
        nodes, "start > lo > end", "lo_start > if:first > once > look > note > more", "if:false > look"
    )
    assert told.outcome.outputs == {"seen": ["there", "gone"]}


@pytest.mark.parametrize(
    ("var_type", "constant", "value"),
    [
        pytest.param("number", "1", 1, id="dsl-70-number"),
        pytest.param("number", "1.5", 1.5, id="dsl-70-fraction"),
        pytest.param("number", 2, 2, id="dsl-70-number-itself"),
        pytest.param("boolean", "true", True, id="dsl-70-boolean"),
        pytest.param("string", "1", "1", id="dsl-70-text-stays-text"),
        pytest.param("string", "", "", id="dsl-70-empty-text"),
        pytest.param("array[string]", '["a", "b"]', ["a", "b"], id="dsl-70-array"),
        pytest.param("array[number]", "[1, 2.5]", [1, 2.5], id="dsl-70-numbers"),
        pytest.param("array[object]", '[{"a": 1}]', [{"a": 1}], id="dsl-70-objects"),
        pytest.param("array[string]", "", [], id="dsl-70-empty-array-text"),
        pytest.param("array[string]", None, [], id="dsl-70-no-array"),
        pytest.param("array[string]", ["a"], ["a"], id="dsl-70-array-itself"),
        pytest.param("object", '{"a": 1}', {"a": 1}, id="dsl-70-object"),
        pytest.param("object", {"a": 1}, {"a": 1}, id="dsl-70-object-itself"),
    ],
)
async def test_constants_become_values_of_their_type(var_type: str, constant: object, value: Value) -> None:
    nodes = {
        "start": start(),
        "lo": loop(1, variables=[loop_variable("v", var_type, constant)]),
        **inside("lo", n=give(x=1)),
        "end": end(v="lo.v"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > n")
    assert told.end == ("succeeded", {"v": value}, 0)
    assert type(told.outcome.outputs["v"]) is type(value)


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param(loop_variable("v", "number", "many"), id="text-for-a-number"),
        pytest.param(loop_variable("v", "array[number]", '["a"]'), id="wrong-elements"),
        pytest.param(loop_variable("v", "array[number]", "1, 2"), id="no-json"),
        pytest.param(loop_variable("v", "string", ["gone", "x"], "variable"), id="missing-variable"),
        pytest.param(loop_variable("v", "string", [], "variable"), id="no-variable-named"),
    ],
)
async def test_a_loop_that_cannot_set_its_variables_fails_before_it_begins(variable: Data) -> None:
    nodes = {"start": start(), "lo": loop(1, variables=[variable]), **inside("lo", n=give(x=1))}
    told = await play(nodes, "start > lo", "lo_start > n")
    assert told.story[2:] == ["S(lo)", "F(lo)"]
    assert told.finished("lo").error_type == "LoopVariableError"
    assert "'v'" in str(told.outcome.error) or "gone.x" in str(told.outcome.error)


async def test_a_loop_variable_may_begin_with_another_variable() -> None:
    nodes = {
        "start": start(),
        "lo": loop(1, variables=[loop_variable("v", "string", ["start", "x"], "variable")]),
        **inside("lo", n=give(x=1)),
        "end": end(v="lo.v"),
    }
    told = await play(nodes, "start > lo > end", "lo_start > n", inputs={"x": "given"})
    assert told.outcome.outputs == {"v": "given"}


async def test_every_event_inside_names_its_round_dsl_71() -> None:
    nodes = {"start": start(), "lo": loop(3), **inside("lo", a=give(x=1), b=give(x=2))}
    told = await play(nodes, "start > lo", "lo_start > a > b")
    frames = [(event.node_id, event.frame) for event in told.events if isinstance(event, NodeStarted)]
    assert frames[2:] == [
        (id, Frame(loop_id="lo", loop_index=index)) for index in range(3) for id in ("a", "b")
    ]


async def test_rounds_share_the_values_of_the_flow_around_them() -> None:
    def note(context: Context) -> dict[str, Value]:
        return {"x": [context.pool.get(("before", "x")), context.pool.get(("lo", "n"))]}

    nodes = {
        "start": start(),
        "before": give(x="outside"),
        "lo": loop(2, variables=[COUNTER]),
        **inside("lo", n=do(note), more=assign("lo.n", "+=", 1)),
        "end": end(last="n.x"),
    }
    told = await play(nodes, "start > before > lo > end", "lo_start > n > more")
    assert told.outcome.outputs == {"last": ["outside", 1]}


async def test_a_loop_runs_anew_in_every_item_of_an_iteration() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "lo.n", is_parallel=True),
        **inside("it", lo=loop(3, condition("lo.n", "≥", "2"), variables=[COUNTER])),
        **inside("lo", more=assign("lo.n", "+=", 1)),
        "end": end(out="it.output"),
    }
    told = await play(
        nodes, "start > it > end", "it_start > lo", "lo_start > more", inputs={"items": [1, 2, 3]}
    )
    assert told.outcome.outputs == {"out": [2, 2, 2]}


async def test_an_iteration_inside_a_loop_may_change_the_loop_s_variables() -> None:
    nodes = {
        "start": start(),
        "lo": loop(2, variables=[COUNTER]),
        **inside("lo", it=iteration("start.items", "it.item")),
        **inside("it", more=assign("lo.n", "+=", 1)),
        "end": end(n="lo.n"),
    }
    told = await play(
        nodes, "start > lo > end", "lo_start > it", "it_start > more", inputs={"items": [1, 2, 3]}
    )
    assert told.outcome.outputs == {"n": 6}


async def test_branches_inside_a_round_run_side_by_side_and_one_that_fails_ends_the_loop() -> None:
    nodes = {
        "start": start(),
        "lo": loop(5),
        **inside("lo", a=give(x=1), b=fail(), c=give(x=1), join=give(x=1)),
    }
    told = await play(
        nodes, "start > lo", "lo_start > a > join", "lo_start > b > join", "lo_start > c > join"
    )
    assert (told.outcome.error, told.end) == ("boom", ("failed", {}, 2))
    assert "join" not in told.nodes


async def test_a_loop_of_a_thousand_rounds_runs_to_its_end() -> None:
    told = await counting(loop(1000, variables=[COUNTER]))
    assert told.outcome.outputs == {"n": 1000, "rounds": 1000}
    assert told.outcome.total_steps == 3


async def test_what_models_cost_inside_is_added_up_for_the_loop() -> None:
    def spend(context: Context) -> dict[str, Value]:
        context.usage = Usage(total_tokens=5, total_price=Decimal("0.01"))
        context.stream("text", "x")
        if context.frame.loop_index == 1:
            raise NodeFailedError("broke")
        return {}

    nodes = {"start": start(), "lo": loop(3), **inside("lo", n=do(spend))}
    told = await play(nodes, "start > lo", "lo_start > n")
    done = told.container("lo")
    assert (done.total_tokens, done.metadata["total_price"]) == (10, "0.02")
    assert told.outcome.usage.total_tokens == 10  # what failed has cost something, too


async def test_a_loop_without_a_way_inside_runs_empty_rounds() -> None:
    nodes = {"start": start(), "lo": loop(3), "end": answer("{{#lo.loop_round#}}")}
    told = await play(nodes, "start > lo > end")
    assert told.answer == "3"
