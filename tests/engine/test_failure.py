"""What becomes of a run when nodes fail. Source of the row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.engine.harness import (
    Data,
    Gate,
    Play,
    Setting,
    Told,
    answer,
    choose,
    do,
    end,
    fail,
    falter,
    give,
    graph,
    play,
    retried,
    say,
    start,
    wait,
)
from weft.errors import CredentialsError, NodeFailedError, RateLimitedError
from weft.events import NodeRetried
from weft.nodes import Context
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

BRANCHING = {"error_strategy": "fail-branch"}


def defaults(**values: object) -> Data:
    """The strategy that puts values in the place of those that are missing."""
    kinds = {str: "string", int: "number", dict: "object", list: "array[string]"}
    return {
        "error_strategy": "default-value",
        "default_value": [
            {"key": key, "type": kinds[type(value)], "value": value} for key, value in values.items()
        ],
    }


async def test_a_failing_node_ends_the_run_and_nothing_behind_it_starts_dsl_20() -> None:
    nodes = {"start": start(), "bad": fail(), "after": give(), "end": end(x="bad.x")}
    told = await play(nodes, "start > bad > after > end")
    assert told.story == ["S(start)", "OK(start)", "S(bad)", "F(bad)"]
    assert told.end == ("failed", {}, 1)
    assert (told.outcome.error, type(told.outcome.cause)) == ("boom", NodeFailedError)
    bad = told.finished("bad")
    assert (bad.error, bad.error_type, bad.outputs) == ("boom", "Boom", {})


async def test_what_a_node_raises_by_mistake_fails_it_under_a_name_of_its_own() -> None:
    def stumble(_: Context) -> None:
        raise ZeroDivisionError("by zero")

    told = await play({"start": start(), "bad": do(stumble)}, "start > bad")
    assert (told.finished("bad").error, told.finished("bad").error_type) == ("by zero", "WorkflowNodeError")


async def test_a_mistake_without_a_text_is_told_by_its_class() -> None:
    def stumble(_: Context) -> None:
        raise KeyError

    told = await play({"start": start(), "bad": do(stumble)}, "start > bad")
    assert told.outcome.error == "KeyError"


async def test_a_provider_s_error_keeps_its_class_and_its_name_in_the_records() -> None:
    def ask(_: Context) -> None:
        raise CredentialsError("no key", provider="openai")

    told = await play({"start": start(), "bad": do(ask)}, "start > bad")
    assert (type(told.outcome.cause), told.finished("bad").error_type) == (
        CredentialsError,
        "InvokeAuthorizationError",
    )


async def test_a_node_whose_own_work_was_cancelled_fails_and_the_run_is_told_so() -> None:
    async def give_up(_: Context) -> None:
        raise asyncio.CancelledError

    nodes = {"start": start(), "bad": do(give_up), "side": give()}
    told = await play(nodes, "start > bad", "start > side")
    assert (told.outcome.status, told.finished("bad").status) == ("failed", "failed")
    assert told.finished("bad").error == "the node gave up, although nobody stopped it"


@pytest.mark.parametrize("first", [True, False], ids=["dsl-20-first-branch", "dsl-20-other-branch"])
async def test_a_failure_ends_the_siblings_at_once_whichever_branch_they_are_in(first: bool) -> None:
    """One branch goes on in the task of the run itself, the other has its own."""
    never, ready = Gate(), Gate()
    nodes = {
        "start": start(),
        "slow": wait(never),
        "bad": wait(ready, lambda _: _refuse()),
        "after": give(),
    }
    ways = ["start > slow > after", "start > bad > after"]

    async def let_fail(_: Play) -> None:
        await never.reached()
        await ready.reached()
        ready.open()

    told = await play(nodes, *(ways if first else reversed(ways)), after=let_fail)
    assert told.story[-2:] == ["F(bad)", "stop(slow)"]
    assert told.end == ("failed", {}, 1)
    assert (never.inside, told.outcome.error) == (0, "boom")


def _refuse() -> None:
    raise NodeFailedError("boom", error_type="Boom")


async def test_of_two_failures_the_first_is_the_run_s() -> None:
    a, b = Gate(), Gate()

    async def insist(context: Context) -> None:
        try:
            await b.wait()
        finally:
            raise NodeFailedError("second")

    nodes = {"start": start(), "a": wait(a, lambda _: _refuse()), "b": do(insist)}

    async def let_fail(_: Play) -> None:
        await a.reached()
        await b.reached()
        a.open()

    told = await play(nodes, "start > b", "start > a", after=let_fail)
    assert (told.outcome.error, told.story[-2:]) == ("boom", ["F(a)", "F(b)"])
    assert told.end == ("failed", {}, 2)


async def test_a_fail_branch_takes_the_error_side_dsl_21() -> None:
    nodes = {
        "start": start(),
        "bad": fail(**BRANCHING),
        "good": end(x="bad.x"),
        "handler": end(error="bad.error_message", kind="bad.error_type"),
    }
    told = await play(nodes, "start > bad > good", "bad:fail-branch > handler")
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(bad)",
        "bad:'boom'",
        "handler:'\\n'",
        "bad:'Boom'",
        "X(bad)",
        "S(handler)",
        "OK(handler)",
    ]
    assert told.end == ("partial-succeeded", {"error": "boom", "kind": "Boom"}, 1)
    bad = told.finished("bad")
    assert (bad.error, bad.error_type) == ("boom", "Boom")
    assert bad.outputs == {"error_message": "boom", "error_type": "Boom"}
    assert bad.metadata == {"error_strategy": "fail-branch"}


async def test_a_node_with_a_fail_branch_that_succeeds_takes_the_other_side_only_dsl_22() -> None:
    nodes = {
        "start": start(),
        "fine": do(lambda _: {"x": 1}, **BRANCHING),
        "good": end(x="fine.x", error="fine.error_message"),
        "handler": end(),
    }
    told = await play(nodes, "start > fine > good", "fine:fail-branch > handler")
    assert told.nodes == ["start", "fine", "good"]
    assert told.end == ("succeeded", {"x": 1, "error": None}, 0)


async def test_default_values_stand_in_for_outputs_dsl_23() -> None:
    nodes = {
        "start": start(),
        "bad": fail(**defaults(result=132123)),
        "answer": answer("{{#bad.result#}}"),
        "error": answer(" {{#bad.error_message#}} {{#bad.error_type#}}"),
    }
    told = await play(nodes, "start > bad > answer > error")
    assert told.end == ("partial-succeeded", {"answer": "132123 boom Boom"}, 1)
    assert told.answer == "132123 boom Boom"
    bad = told.finished("bad")
    assert (bad.status, bad.outputs, bad.metadata) == (
        "exception",
        {"result": 132123, "error_message": "boom", "error_type": "Boom"},
        {"error_strategy": "default-value"},
    )


async def test_default_values_take_all_ways_out() -> None:
    nodes = {"start": start(), "bad": fail(**defaults(x="d")), "a": give(), "b": give()}
    told = await play(nodes, "start > bad > a", "bad > b")
    assert sorted(told.nodes) == ["a", "b", "bad", "start"]


async def test_what_a_failed_node_would_have_put_out_is_shown_but_not_stored() -> None:
    def half(context: Context) -> None:
        context.inputs = {"asked": 1}
        context.process_data = {"half": True}
        context.outputs = {"x": 1}
        raise NodeFailedError("boom")

    nodes = {"start": start(), "bad": do(half, **BRANCHING), "end": end(x="bad.x")}
    told = await play(nodes, "start > bad", "bad:fail-branch > end")
    bad = told.finished("bad")
    assert (bad.inputs, bad.process_data) == ({"asked": 1}, {"half": True})
    assert told.outcome.outputs == {"x": None}

    unhandled = await play({"start": start(), "bad": do(half)}, "start > bad")
    assert unhandled.finished("bad").outputs == {"x": 1}
    assert unhandled.pool.all("bad") == {}


async def test_a_branch_may_have_a_fail_branch_beside_its_own_ways() -> None:
    nodes = {
        "start": start(),
        "if": choose("true", **BRANCHING),
        "yes": give(),
        "no": give(),
        "error": give(),
    }
    told = await play(nodes, "start > if:true > yes", "if:false > no", "if:fail-branch > error")
    assert told.nodes == ["start", "if", "yes"]


def flaky(times: int, **data: Any) -> dict[str, Data]:
    return {"start": start(), "n": falter(times, lambda _: {"x": "ok"}, **data), "end": end(x="n.x")}


async def test_a_node_is_tried_again_until_it_works_dsl_25() -> None:
    clock = FrozenClock()
    told = await play(flaky(2, **retried(3, 1500)), "start > n > end", clock=clock)
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(n)",
        "R1(n)",
        "R2(n)",
        "n:'ok'",
        "OK(n)",
        "S(end)",
        "OK(end)",
    ]
    assert told.end == ("partial-succeeded", {"x": "ok"}, 2)
    assert clock.slept == [1.5, 1.5]
    assert told.outcome.total_steps == 5
    retries = [event for event in told.events if isinstance(event, NodeRetried)]
    assert [(event.error, event.error_type, event.retry_index) for event in retries] == [
        ("attempt 1", "Falter", 1),
        ("attempt 2", "Falter", 2),
    ]


async def test_each_attempt_has_its_own_times() -> None:
    clock = FrozenClock()
    started = clock.now()

    async def work(context: Context) -> dict[str, Any]:
        await clock.sleep(4)
        return {}

    def first(context: Context) -> Any:
        return work(context)

    told = await play({"start": start(), "n": falter(1, first, **retried(1, 2000))}, "start > n", clock=clock)
    (retry,) = [event for event in told.events if isinstance(event, NodeRetried)]
    done = told.finished("n")
    assert ((retry.started_at - started).total_seconds(), retry.elapsed_time) == (0, 2)
    assert ((done.started_at - started).total_seconds(), done.elapsed_time) == (2, 4)
    assert (done.at - done.started_at).total_seconds() == done.elapsed_time


async def test_attempts_do_not_mix_what_they_show() -> None:
    left = [1]

    def attempt(context: Context) -> dict[str, Any]:
        context.inputs[f"asked {left}"] = 1
        context.process_data[f"done {left}"] = 1
        context.metadata[f"cost {left}"] = 1
        context.outputs[f"made {left}"] = 1
        if left[0]:
            left[0] -= 1
            raise NodeFailedError("once")
        return {}

    told = await play({"start": start(), "n": do(attempt, **retried(1))}, "start > n")
    (retry,) = [event for event in told.events if isinstance(event, NodeRetried)]
    done = told.finished("n")
    assert (retry.inputs, retry.process_data, retry.metadata, retry.outputs) == (
        {"asked [1]": 1},
        {"done [1]": 1},
        {"cost [1]": 1},
        {"made [1]": 1},
    )
    assert (done.inputs, done.process_data, done.metadata) == (
        {"asked [0]": 1},
        {"done [0]": 1},
        {"cost [0]": 1},
    )


@pytest.mark.parametrize(
    ("strategy", "story", "status"),
    [
        pytest.param({}, ["R1(n)", "R2(n)", "F(n)"], "failed", id="dsl-26-no-strategy"),
        pytest.param(
            defaults(x="d"),
            ["R1(n)", "R2(n)", "n:'d'", "X(n)", "S(end)", "OK(end)"],
            "partial-succeeded",
            id="dsl-26-default-value",
        ),
    ],
)
async def test_when_all_attempts_fail_the_strategy_steps_in(
    strategy: Data, story: list[str], status: str
) -> None:
    told = await play(flaky(9, **retried(2), **strategy), "start > n > end")
    assert told.story[3:] == story
    assert (told.outcome.status, told.outcome.exceptions_count) == (status, 3)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"retry_enabled": False, "max_retries": 5}, id="switched-off"),
        pytest.param({"retry_enabled": True, "max_retries": 0}, id="no-times"),
    ],
)
async def test_nothing_is_tried_again_where_the_settings_do_not_say_so(settings: Data) -> None:
    told = await play(flaky(1, retry_config=settings), "start > n > end")
    assert told.story[2:] == ["S(n)", "F(n)"]


async def test_a_type_that_does_not_honour_retries_is_not_tried_again_dsl_27() -> None:
    nodes = {
        "start": start(),
        "if": {
            "type": "if-else",
            "cases": [
                {
                    "case_id": "true",
                    "conditions": [{"variable_selector": ["no", "where"], "comparison_operator": "empty"}],
                }
            ],
            **retried(3),
        },
        "end": end(),
    }
    told = await play(nodes, "start > if:true > end")
    assert told.story[2:] == ["S(if)", "F(if)"]


async def test_a_provider_s_error_is_tried_again_like_any_other() -> None:
    left = [1]

    def ask(_: Context) -> dict[str, Any]:
        if left.pop() if left else 0:
            raise RateLimitedError("slowly", retry_after=9)
        return {}

    told = await play({"start": start(), "n": do(ask, **retried(1))}, "start > n")
    assert told.story[2:] == ["S(n)", "R1(n)", "OK(n)"]


async def test_a_graph_serves_many_runs_at_the_same_time() -> None:
    """Nothing of a run stays in the graph."""
    made = graph(
        {"start": start(), "say": say("a", "b"), "answer": answer("{{#start.x#}} {{#say.text#}}")},
        "start > say > answer",
    )

    async def run(index: int) -> Told:
        playing = Play(made, Setting(inputs={"x": index}))
        outcome = await playing.engine.run()
        return Told(outcome, playing.events, playing.pool, playing.clock)

    many = await asyncio.gather(*(run(index) for index in range(20)))
    assert [told.answer for told in many] == [f"{index} ab" for index in range(20)]
    assert [told.outcome.outputs for told in many] == [{"answer": f"{index} ab"} for index in range(20)]
