from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.store.conftest import FrozenClock
from tests.store.rows import at
from weft.store import Connection, Store, open_store, runs
from weft.store import tables as t

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("acknowledged", [1, 37, 400])
async def test_after_a_kill_every_acknowledged_write_is_there_and_none_is_half(
    url: str, clock: FrozenClock, acknowledged: int
) -> None:
    told = await kill_after(url, acknowledged)

    async with open_store(url, clock=clock) as store:
        await until_nobody_else_is_at_work(store)
        found = await store.read(what_is_stored)
        closed = await store.write(lambda connection: runs.close_orphans(connection, set(), at(60)))
        after = await store.read(what_is_stored)

    assert told["started"] <= found["started"]
    assert told["finished"] <= found["finished"]
    assert found["half"] == set()
    assert set(closed) == found["started"] - found["finished"]
    assert after["finished"] == after["started"] == found["started"]


async def until_nobody_else_is_at_work(store: Store) -> None:
    """Let Postgres end what the dead writer had sent; SQLite has nothing that outlives its process."""

    def others(connection: Connection) -> int:
        if connection.dialect.name == "sqlite":
            return 0
        query = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        return int(connection.execute(text(query)).scalar_one())

    async with asyncio.timeout(10):
        while await store.read(others) > 0:
            pass


async def kill_after(url: str, acknowledged: int) -> dict[str, set[str]]:
    """The ids that a writer called started and finished before it was killed in the middle of it."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.crash_writer", url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    told: dict[str, set[str]] = {"started": set(), "finished": set()}
    async with asyncio.timeout(30):
        for _ in range(acknowledged):
            what, run_id = (await writer.stdout.readline()).decode().split()
            told[what].add(run_id)
        os.kill(writer.pid, signal.SIGKILL)
        # What it said before it died counts, except for a line that it did not finish.
        for line in (await writer.stdout.read()).decode().splitlines(keepends=True):
            if line.endswith("\n"):
                what, run_id = line.split()
                told[what].add(run_id)
        assert await writer.wait() == -signal.SIGKILL
    return told


def what_is_stored(connection: Connection) -> dict[str, set[str]]:
    """The ids of runs that started, that ended, and that lack rows of what belongs together."""

    def count(column: str, table: str) -> Counter[str]:
        return Counter(connection.execute(select(t.metadata.tables[table].c[column])).scalars())

    executions = count("run_id", "node_executions")
    variables = count("conversation_id", "conversation_variables")
    conversations = count("id", "conversations")
    messages = {row.id: row for row in connection.execute(select(t.messages))}
    stored: dict[str, set[str]] = {"started": set(), "finished": set(), "half": set()}
    for run in connection.execute(select(t.runs)):
        stored["started"].add(run.id)
        message = messages.pop(run.message_id)
        whole = conversations.pop(run.conversation_id) == 1 and variables.pop(run.conversation_id) == 2
        if run.status != "running":
            stored["finished"].add(run.id)
        if run.status == "succeeded":
            whole &= executions.pop(run.id, 0) == 3 and message.answer == "Yes."
        if not whole:
            stored["half"].add(run.id)
    stored["half"] |= {*messages, *conversations, *variables, *executions}
    return stored
