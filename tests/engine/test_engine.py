"""One run from its first node to its outcome, every event in full."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.engine.harness import Data, answer, do, end, give, graph, play, remote_image, start
from weft.engine import RunOutcome
from weft.errors import NodeFailedError
from weft.events import NodeFinished, NodeRetried, NodeStarted, TextStreamed
from weft.nodes import Context
from weft.providers import Usage
from weft.testing.clock import FrozenClock
from weft.variables import Value

pytestmark = pytest.mark.anyio


def execution_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


async def test_a_run_tells_everything_once_and_in_order() -> None:
    clock = FrozenClock()
    failures = [NodeFailedError("busy", error_type="Busy")]

    async def work(context: Context) -> dict[str, Value]:
        await clock.sleep(1)
        context.inputs = {"asked": "x"}
        if failures:
            raise failures.pop()
        context.process_data = {"done": True}
        context.metadata = {"total_tokens": 2}
        context.usage = Usage(total_tokens=2, total_price=Decimal("0.5"))
        context.files = [remote_image("a.png")]
        context.stream("text", "Hi")
        context.end_stream("text")
        return {"text": "Hi"}

    began = clock.now()
    retry = {"retry_config": {"retry_enabled": True, "max_retries": 1, "retry_interval": 3000}}
    told = await play(
        {"start": start(), "work": do(work, **retry), "answer": answer("> {{#work.text#}}")},
        "start > work > answer",
        inputs={"city": "Köln"},
        values={"sys.query": "Hi?"},
        clock=clock,
    )

    inputs: dict[str, Value] = {"city": "Köln", "sys.query": "Hi?"}
    at = [began + timedelta(seconds=seconds) for seconds in range(6)]
    work_is: Data = {"node_id": "work", "node_type": "do", "title": "The work", "predecessor_id": "start"}
    answer_is: Data = {
        "node_id": "answer",
        "node_type": "answer",
        "title": "The answer",
        "predecessor_id": "work",
    }
    assert told.events == [
        TextStreamed("> ", ("answer", "answer"), "answer"),
        NodeStarted(
            execution_id=execution_id(1),
            node_id="start",
            node_type="start",
            title="The start",
            index=1,
            at=at[0],
        ),
        NodeFinished(
            execution_id=execution_id(1),
            node_id="start",
            node_type="start",
            title="The start",
            index=1,
            status="succeeded",
            started_at=at[0],
            at=at[0],
            elapsed_time=0.0,
            inputs=inputs,
            outputs=inputs,
        ),
        NodeStarted(execution_id=execution_id(2), **work_is, index=2, at=at[0]),
        NodeRetried(
            execution_id=execution_id(2),
            **work_is,
            index=2,
            retry_index=1,
            error="busy",
            error_type="Busy",
            started_at=at[0],
            at=at[4],
            elapsed_time=4.0,
            inputs={"asked": "x"},
        ),
        TextStreamed("Hi", ("work", "text"), "work"),
        TextStreamed("", ("work", "text"), "work"),
        NodeFinished(
            execution_id=execution_id(2),
            **work_is,
            index=2,
            status="succeeded",
            started_at=at[4],
            at=at[5],
            elapsed_time=1.0,
            inputs={"asked": "x"},
            process_data={"done": True},
            outputs={"text": "Hi"},
            metadata={"total_tokens": 2},
            files=[remote_image("a.png")],
        ),
        NodeStarted(execution_id=execution_id(3), **answer_is, index=3, at=at[5]),
        NodeFinished(
            execution_id=execution_id(3),
            **answer_is,
            index=3,
            status="succeeded",
            started_at=at[5],
            at=at[5],
            elapsed_time=0.0,
            outputs={"answer": "> Hi"},
        ),
    ]
    assert told.outcome == RunOutcome(
        status="partial-succeeded",
        outputs={"answer": "> Hi"},
        error=None,
        cause=None,
        usage=Usage(total_tokens=2, total_price=Decimal("0.5")),
        total_steps=4,
        exceptions_count=1,
        elapsed_time=5.0,
    )


async def test_answers_follow_each_other_and_anything_else_is_replaced() -> None:
    nodes = {
        "start": start(),
        "a": answer("one"),
        "n": give(x=1, y=2),
        "b": end(answer="sys.query", x="n.x", kept="n.y"),
        "c": end(x="n.y"),
    }
    told = await play(nodes, "start > a > n > b > c", values={"sys.query": " two"})
    assert told.outcome.outputs == {"answer": "one two", "x": 2, "kept": 2}


async def test_an_output_called_answer_that_is_no_text_replaces_the_answer() -> None:
    nodes = {"start": start(), "a": answer("one"), "n": give(x=[1]), "b": end(answer="n.x")}
    told = await play(nodes, "start > a > n > b")
    assert told.outcome.outputs == {"answer": [1]}


async def test_a_run_without_any_answer_has_no_outputs() -> None:
    told = await play({"start": start(), "n": give(x=1)}, "start > n")
    assert (told.end, told.outcome.files) == (("succeeded", {}, 0), [])


async def test_the_usage_of_failed_attempts_and_of_nodes_that_fail_counts() -> None:
    def spend(context: Context) -> None:
        context.usage = Usage(total_tokens=1, prompt_tokens=1)
        raise NodeFailedError("boom")

    retry = {"retry_config": {"retry_enabled": True, "max_retries": 2}}
    told = await play({"start": start(), "n": do(spend, **retry)}, "start > n")
    assert (told.outcome.status, told.outcome.usage) == ("failed", Usage(total_tokens=3, prompt_tokens=3))


async def test_an_agent_says_how_it_goes_about_its_task_when_it_starts() -> None:
    made = graph({"start": start(), "agent": give(x=1)}, "start > agent")
    made.nodes["agent"].behaviour.agent_strategy = {"name": "ReAct", "icon": None}
    told = await play(made)
    strategies = {
        event.node_id: event.agent_strategy for event in told.events if isinstance(event, NodeStarted)
    }
    assert strategies == {"start": None, "agent": {"name": "ReAct", "icon": None}}
