"""A worker that is killed in the middle of a job: it says ``stuck`` when it is there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.jobs.clock import open_database
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.jobs import JobEngine, JobKind, JobWork
from weft.store import Store

LEASE = 0.6


def kind(notes: Path, *, is_stuck: bool) -> JobKind:
    """Notes each step in a file; the third of five steps hangs if wanted."""

    async def run(work: JobWork) -> object:
        done = []
        for number in range(5):

            async def step(number: int = number) -> object:
                with notes.open("a", encoding="utf-8") as file:
                    file.write(f"{number}\n")
                if is_stuck and number == 2:
                    sys.stdout.write("stuck\n")
                    sys.stdout.flush()
                    await asyncio.Event().wait()
                return number

            done.append(await work.step(f"step-{number}", step))
        return done

    return JobKind("walk", run)


def make(store: Store, notes: Path, *, is_stuck: bool) -> JobEngine:
    return JobEngine(
        store,
        [kind(notes, is_stuck=is_stuck)],
        clock=SystemClock(),
        ids=TimeOrderedIds(),
        lease_seconds=LEASE,
        poll_seconds=0.1,
    )


async def main(database: Path, notes: Path) -> None:
    async with open_database(database) as store:
        engine = make(store, notes, is_stuck=True)
        async with engine.working():
            await engine.enqueue("walk", id="the-job")
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
