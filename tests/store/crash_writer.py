"""Run beside a test that kills it: writes runs without end and says which of them are on disk."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from msgspec.structs import replace

from tests.store.rows import ANSWERED, SUCCEEDED, Rows, at
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.store import Store, open_store, runs

WRITERS = 20


async def write_runs(store: Store, rows: Rows) -> None:
    end_user = rows.end_user(rows.app())
    while True:
        conversation = rows.conversation(end_user)
        message = rows.message(conversation)
        run = rows.run(message, owner_id="killed")
        variables = [rows.variable(conversation, name, "x") for name in ("a", "b")]
        start = partial(runs.start, conversation=conversation, message=message, run=run, variables=variables)
        await store.write(start)
        tell("started", run.id)
        finish = partial(
            runs.finish,
            run=replace(run, finished_at=at(1), **SUCCEEDED),
            message=replace(message, updated_at=at(1), **ANSWERED),
            executions=[rows.execution(run, index) for index in (1, 2, 3)],
        )
        await store.write(finish)
        tell("finished", run.id)


def tell(what: str, run_id: str) -> None:
    sys.stdout.write(f"{what} {run_id}\n")
    sys.stdout.flush()


async def main(url: str) -> None:
    rows = Rows(ids=TimeOrderedIds())
    async with open_store(url, clock=SystemClock()) as store, asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(write_runs(store, rows))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
