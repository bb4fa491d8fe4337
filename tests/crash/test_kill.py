"""A server that is killed: nothing a client was told is lost, nothing stays open."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.contract.caller import BOUND, Caller, Stream
from tests.contract.house import House, open_house
from tests.crash.victim import Victim
from weft.clock import SystemClock
from weft.store import Connection, LogFilter, Message, NodeExecution, Run, logs, messages, node_executions
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio

ORPHANED = "The server stopped before this run ended."


class LaterClock(SystemClock):
    """A clock that is a minute ahead, when whoever has said nothing since is known to be dead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=1)


@asynccontextmanager
async def succeed(victim: Victim, *, clock: SystemClock | None = None) -> AsyncIterator[tuple[House, Caller]]:
    """A server in this process on the data of a dead one."""
    settings: dict[str, Any] = {"models_url": victim.models_url}
    if victim.database_url is not None:
        settings["database_url"] = victim.database_url
    async with open_house(victim.data.parent, clock=clock or LaterClock(), **settings) as house:
        yield house, await house.serve(victim.app)


async def test_runs_in_the_middle_are_closed_with_a_reason(victim: Victim, fake: FakeModels) -> None:
    stalled = Behaviour(text="one two three", stall_after=3)
    fake.then(stalled, stalled)
    flow = await victim.start()
    async with flow.stream("streamed") as stream:
        await stream.until_text("one two")
        waiting = asyncio.create_task(flow.chat("awaited"))
        async with asyncio.timeout(BOUND):
            await fake.received(2)
        await victim.kill()
        with pytest.raises(aiohttp.ClientError):
            await stream.rest()
        with pytest.raises(aiohttp.ClientError):
            await waiting
    began = stream.events[0]
    async with succeed(victim) as (_, flow):
        run = await flow.run_detail(began["workflow_run_id"])
        conversations = await flow.conversations()
        stored = {item["name"]: (await flow.messages(item["id"]))[0] for item in conversations}
        log = (await flow.get("/workflows/logs")).ok["data"]
        again = await flow.said("go on", conversation_id=began["conversation_id"])
    assert (run["status"], run["error"], run["finished_at"] is None) == ("failed", ORPHANED, False)
    assert {name: (message["query"], message["status"]) for name, message in stored.items()} == {
        "streamed": ("streamed", "error"),
        "awaited": ("awaited", "error"),
    }
    assert {message["error"] for message in stored.values()} == {ORPHANED}
    assert (stored["streamed"]["id"], stored["streamed"]["conversation_id"]) == (
        began["message_id"],
        began["conversation_id"],
    )
    assert [entry["workflow_run"]["status"] for entry in log] == ["failed", "failed"]
    assert again["answer"] == "go on!"


async def test_the_run_of_a_server_that_lives_is_left_alone(victim: Victim, fake: FakeModels) -> None:
    fake.then(Behaviour(text="one two", stall_after=2))
    first = await victim.start()
    async with first.stream("hi") as stream:
        await stream.until_text("one")
        run_id = stream.events[0]["workflow_run_id"]
        async with succeed(victim, clock=SystemClock()) as (_, second):
            during = await second.run_detail(run_id)
            await first.stop(stream.events[0]["task_id"])
            await stream.rest()
            after = await second.run_detail(run_id)
    assert (during["status"], during["finished_at"]) == ("running", None)
    assert (after["status"], stream.finished["status"]) == ("stopped", "stopped")


@dataclass(slots=True)
class Crowd:
    """Clients that talk without a pause, and what they have been told."""

    streams: list[Stream] = field(default_factory=list)
    heard: int = 0
    """Events of all clients."""
    _awaited: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, count: int) -> None:
        """Wait until so many more events have come."""
        self._awaited = self.heard + count
        self._reached.clear()
        async with asyncio.timeout(BOUND):
            await self._reached.wait()

    async def talk(self, flow: Caller, user: str) -> None:
        """One message after the other, until the server is gone."""
        conversation_id = ""
        while True:
            query = f"{len(self.streams)} from {user}"
            stream = flow.stream(query, user=user, conversation_id=conversation_id)
            self.streams.append(stream)
            try:
                async with stream:
                    while await stream.next() is not None:
                        self.heard += 1
                        if self.heard >= self._awaited:
                            self._reached.set()
            except (aiohttp.ClientError, OSError):
                return
            conversation_id = stream.events[0]["conversation_id"]


TALKERS = 12
ROUNDS = {"sqlite": 4, "postgres": 2}


async def test_at_any_moment_under_load_nothing_that_a_client_was_told_is_lost(
    victim: Victim, fake: FakeModels, backend: str
) -> None:
    moments = random.Random(20260301)
    crowd = Crowd()
    for _ in range(ROUNDS[backend]):
        fake.then(*([Behaviour(interval_s=0.002)] * 50))  # so that some are in the middle of a reply
        flow = await victim.start()
        talking = [asyncio.create_task(crowd.talk(flow, f"user {n}")) for n in range(TALKERS)]
        await crowd.hear(moments.randrange(30, 900))
        await victim.kill()
        async with asyncio.timeout(BOUND):
            await asyncio.gather(*talking)
        await victim.close()
    async with succeed(victim) as (house, flow):
        told = [stream for stream in crowd.streams if stream.events]
        stored = await read_all(house, flow, told)
        for stream in told:
            check(stream, stored)
        await check_everything(house, flow)
    whole = [stream for stream in told if "workflow_finished" in stream.names]
    assert (len(whole) > TALKERS, len(told) > len(whole)) == (True, True)


@dataclass(slots=True)
class Stored:
    """Records by run id."""

    runs: dict[str, Run]
    messages: dict[str, Message]
    executions: dict[str, tuple[NodeExecution, ...]]


async def read_all(house: House, flow: Caller, told: list[Stream]) -> Stored:
    """What is stored of the runs that clients were told of."""

    def read(connection: Connection) -> Stored:
        stored = Stored({}, {}, {})
        for page in range(1, 10_000):
            found = logs.list_page(connection, flow.app_id, LogFilter(), page=page, limit=100)
            for entry in found.items:
                run = entry.run
                stored.runs[run.id] = run
                message = messages.find(connection, flow.app_id, run.message_id or "")
                assert message is not None, run
                stored.messages[run.id] = message
                stored.executions[run.id] = node_executions.list_by_run(connection, flow.app_id, run.id)
            if not found.has_more:
                break
        return stored

    stored = await house.runtime.store.read(read)
    assert {stream.events[0]["workflow_run_id"] for stream in told} <= set(stored.runs)
    return stored


def check(stream: Stream, stored: Stored) -> None:
    """A client's story against the records."""
    began = stream.events[0]
    run_id = began["workflow_run_id"]
    run, message, executions = stored.runs[run_id], stored.messages[run_id], stored.executions[run_id]
    assert (message.id, message.conversation_id) == (began["message_id"], began["conversation_id"])
    assert (message.query, message.run_id) == (stream.body["query"], run_id)
    if "workflow_finished" in stream.names:
        assert (run.status, message.status, message.answer) == ("succeeded", "normal", stream.answer)
        assert run.outputs == stream.finished["outputs"]
        finished = [event["data"]["id"] for event in stream.of("node_finished")]
        assert [execution.id for execution in executions] == finished
    elif run.status == "succeeded":  # it ended, and the client did not hear of it any more
        assert (message.status, message.answer.startswith(stream.answer)) == ("normal", True)
    else:
        assert (run.status, run.error, message.status) == ("failed", ORPHANED, "error")


async def check_everything(house: House, flow: Caller) -> None:
    """No record is half, whoever has heard of it."""
    stored = await read_all(house, flow, [])
    for run in stored.runs.values():
        message, executions = stored.messages[run.id], stored.executions[run.id]
        assert (run.status in ("succeeded", "failed"), run.finished_at is None) == (True, False)
        if run.status == "succeeded":
            assert run.outputs == {"answer": message.answer}
            assert (message.answer, message.status) == (f"{message.query}!", "normal")
            assert [execution.node_id for execution in executions] == ["start", "llm", "note", "answer"]
        else:
            assert (run.error, message.status, message.answer) == (ORPHANED, "error", "")
