"""What is stored of a run is what was told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.engine.harness import (
    Gate,
    answer,
    assign,
    do,
    fail,
    falter,
    give,
    inside,
    iteration,
    retried,
    say,
    start,
    wait,
)
from tests.runs.house import Heard, House, variable
from weft.errors import NodeFailedError, StoreError
from weft.events import AnswerReplaced, FileProduced, NodeFinished, NodeRetried, ResourcesRetrieved
from weft.nodes import Context
from weft.store import Connection, MessageFile, NodeExecution
from weft.variables import File, Value

pytestmark = pytest.mark.anyio


async def stored(house: House, heard: Heard) -> list[NodeExecution]:
    return list(await house.execution_rows(heard))


async def test_every_node_execution_is_stored_as_it_was_told(house: House) -> None:
    def work(context: Context) -> dict[str, object]:
        context.inputs = {"asked": ["ü", None]}
        context.process_data = {"prompts": []}
        context.metadata = {"total_tokens": 3}
        return {"x": 1}

    version = await house.serve(
        {
            "start": start(),
            "work": do(work),
            "it": iteration("start.items", "n.x", error_handle_mode="continue-on-error"),
            **inside("it", n=fail()),
            "bad": fail(error_strategy="fail-branch"),
            "a": answer("x"),
        },
        "start > work > it > bad",
        "bad:fail-branch > a",
        "it_start > n",
    )
    prepared = await house.start(version)
    engine = prepared.live.engine
    assert engine is not None
    engine._pool.update("start", {"items": [1, 2]})  # a list of numbers is no input of a form
    heard = await prepared.ended()
    told = [event for event in heard.events if isinstance(event, NodeFinished)]
    run = heard.live.run
    assert await stored(house, heard) == [
        NodeExecution(
            id=event.execution_id,
            run_id=run.id,
            app_id=run.app_id,
            index=event.index,
            node_id=event.node_id,
            node_type=event.node_type,
            title=event.title,
            status=event.status,
            created_at=event.started_at,
            predecessor_node_id=event.predecessor_id,
            inputs=event.inputs,
            process_data=event.process_data,
            outputs=event.outputs,
            error=event.error,
            elapsed_time=event.elapsed_time,
            execution_metadata=event.metadata,
            extras={},
            iteration_id=event.frame.iteration_id,
            iteration_index=event.frame.iteration_index,
            finished_at=event.at,
        )
        for event in sorted(told, key=lambda event: event.index)
    ]
    assert [(row.node_id, row.iteration_index) for row in await stored(house, heard)] == [
        ("start", None),
        ("work", None),
        ("it", None),
        ("n", 0),
        ("n", 1),
        ("bad", None),
        ("a", None),
    ]


async def test_an_attempt_that_failed_is_a_row_of_its_own(house: House) -> None:
    version = await house.serve(
        {"start": start(), "n": falter(2, lambda _: {"x": 1}, **retried(2, 1000))}, "start > n"
    )
    heard = await house.ask(version)
    attempts = [event for event in heard.events if isinstance(event, NodeRetried)]
    rows = [row for row in await stored(house, heard) if row.node_id == "n"]
    assert sorted((row.status, row.error or "", row.index) for row in rows) == [
        ("retry", "attempt 1", 2),
        ("retry", "attempt 2", 2),
        ("succeeded", "", 2),
    ]
    assert [(row.execution_metadata or {}).get("retry_index") for row in rows if row.status == "retry"] == [
        event.retry_index for event in attempts
    ]
    assert len({row.id for row in rows}) == 3


async def test_the_stored_answer_is_what_was_streamed_not_what_nodes_put_out(house: House) -> None:
    """An answer of a skipped branch's variable shows nothing, though the output has its path."""
    version = await house.serve(
        {
            "start": start(),
            "if": {"type": "branch", "do": lambda _: "a"},
            "a": say("A", "B"),
            "b": give(text="never"),
            "answer": answer("{{#a.text#}}{{#b.text#}}."),
        },
        "start > if:a > a > answer",
        "if:b > b > answer",
    )
    heard = await house.ask(version)
    assert (await house.message_row(heard)).answer == heard.answer == "AB."
    assert (await house.run_row(heard)).outputs == {"answer": "ABb.text."}


async def test_an_answer_that_was_replaced_is_stored_as_it_reads_then(house: House) -> None:
    def replace(context: Context) -> None:
        context.emit(AnswerReplaced(text="I cannot say that.", reason="output_moderation"))

    version = await house.serve(
        {
            "start": start(),
            "a": answer("secret"),
            "n": do(replace),
            "m": say(" Sorry."),
            "b": answer("{{#m.text#}}"),
        },
        "start > a > n > m > b",
    )
    heard = await house.ask(version)
    assert heard.answer == "secret Sorry."
    assert (await house.message_row(heard)).answer == "I cannot say that. Sorry."


@pytest.mark.parametrize("enabled", [True, False, None])
async def test_passages_are_kept_once_and_numbered_where_the_app_shows_them(
    house: House, enabled: bool | None
) -> None:
    def retrieve(context: Context) -> None:
        first: dict[str, Value] = {"dataset_id": "d", "document_id": "1", "position": 9, "content": "a"}
        context.emit(ResourcesRetrieved(resources=[first, {**first, "document_id": "2"}], node_id="n"))
        context.emit(ResourcesRetrieved(resources=[{**first, "content": "again"}], node_id="n"))

    features = {} if enabled is None else {"retriever_resource": {"enabled": enabled}}
    version = await house.serve({"start": start(), "n": do(retrieve)}, "start > n", features=features)
    heard = await house.ask(version)
    shown = [
        {"dataset_id": "d", "document_id": "1", "position": 1, "content": "a"},
        {"dataset_id": "d", "document_id": "2", "position": 2, "content": "a"},
    ]
    metadata = (await house.message_row(heard)).metadata or {}
    assert metadata["retriever_resources"] == (shown if enabled else [])


async def test_files_that_the_run_made_belong_to_its_answer(house: House) -> None:
    file = File(
        id="1",
        type="image",
        transfer_method="tool_file",
        related_id="tool",
        filename="a.png",
        mime_type="image/png",
        size=3,
        url="https://e.org/a.png",
    )

    def draw(context: Context) -> None:
        context.emit(FileProduced(file=file, node_id="n"))

    version = await house.serve({"start": start(), "n": do(draw)}, "start > n")
    heard = await house.ask(version)
    (row,) = await house.message_files(heard)
    message = heard.live.message
    assert message is not None
    # Known under the id that the event told, and without its link, which is made when it is read.
    assert row == MessageFile(
        id="1",
        message_id=message.id,
        type="image",
        transfer_method="tool_file",
        belongs_to="assistant",
        created_at=house.clock.now(),
        upload_file_id="tool",
        name="a.png",
        mime_type="image/png",
        size=3,
    )


async def test_executions_of_a_long_run_can_be_watched_while_it_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, written, write = Gate(), asyncio.Event(), house.store.write

    async def write_and_tell(fn: Callable[[Connection], object]) -> object:
        result = await write(fn)
        written.set()
        return result

    async def take_time(_: Context) -> dict[str, object]:
        await house.clock.sleep(2.5)
        return {}

    version = await house.serve(
        {"start": start(), "long": do(take_time), "quick": give(), "slow": wait(gate)},
        "start > long > quick > slow",
    )
    heard = await house.start(version)
    monkeypatch.setattr(house.store, "write", write_and_tell)
    async with asyncio.timeout(5):
        await gate.reached()
        await written.wait()
    # What came after the last time that they were stored waits for the next.
    assert [row.node_id for row in await stored(house, heard)] == ["start", "long"]
    assert (await house.run_row(heard)).status == "running"
    gate.open()
    await heard.ended()
    assert [row.node_id for row in await stored(house, heard)] == ["start", "long", "quick", "slow"]


async def test_executions_of_a_short_run_are_stored_with_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    write = house.store.write

    async def count(fn: Callable[[Connection], object]) -> object:
        nonlocal writes
        writes += 1
        return await write(fn)

    version = await house.serve({"start": start(), "n": give(), "a": answer("x")}, "start > n > a")
    monkeypatch.setattr(house.store, "write", count)
    await house.ask(version)
    assert writes == 2


async def test_what_the_store_refused_on_the_way_is_stored_with_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [StoreError("busy"), StoreError("still busy")]
    write = house.store.write

    async def fail_once(fn: Callable[[Connection], object]) -> object:
        if failures:
            raise failures.pop()
        return await write(fn)

    async def take_time(_: Context) -> dict[str, object]:
        await house.clock.sleep(2.5)
        return {}

    version = await house.serve(
        {
            "start": start(),
            "long": do(take_time),
            "set": assign("conversation.topic", "over-write", "<sys.query>"),
            "a": answer("x"),
        },
        "start > long > set > a",
        conversation_variables=(variable("topic", "string", ""),),
    )
    heard = await house.start(version)
    monkeypatch.setattr(house.store, "write", fail_once)
    await heard.ended()
    assert ((await house.run_row(heard)).status, (await house.message_row(heard)).answer) == (
        "succeeded",
        "x",
    )
    assert [row.node_id for row in await stored(house, heard)] == ["start", "long", "set", "a"]
    assert [row.value for row in await house.variable_rows(heard)] == ["Hi"]
    assert failures == []


async def test_writes_of_a_run_never_overtake_each_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may have many connections; of two values of a variable the later one has to stay."""
    write = house.store.write
    waiting: list[asyncio.Event] = []
    most = 0

    async def last_comes_first(fn: Callable[[Connection], object]) -> object:
        nonlocal most
        turn = asyncio.Event()
        waiting.append(turn)
        most = max(most, len(waiting))
        asyncio.get_running_loop().call_soon(lambda: waiting[-1].set())
        await turn.wait()
        waiting.remove(turn)
        result = await write(fn)
        if waiting:
            waiting[-1].set()
        return result

    version = await house.serve(
        {
            "start": start(),
            "one": assign("conversation.n", "+=", 1),
            "two": assign("conversation.n", "+=", 1),
            "three": assign("conversation.n", "+=", 1),
        },
        "start > one > two > three",
        conversation_variables=(variable("n", "number", 0),),
    )
    heard = await house.start(version)
    monkeypatch.setattr(house.store, "write", last_comes_first)
    await heard.ended()
    assert [row.value for row in await house.variable_rows(heard)] == [3]
    assert most == 1


async def test_a_node_that_was_running_when_the_run_failed_is_stored_as_stopped(house: House) -> None:
    never, ready = Gate(), Gate()

    def refuse(_: Context) -> None:
        raise NodeFailedError("boom")

    version = await house.serve(
        {"start": start(), "slow": wait(never), "bad": wait(ready, refuse)}, "start > slow", "start > bad"
    )
    heard = await house.start(version)
    await never.reached()
    await ready.reached()
    ready.open()
    await heard.ended()
    assert {row.node_id: row.status for row in await stored(house, heard)} == {
        "start": "succeeded",
        "slow": "stopped",
        "bad": "failed",
    }
