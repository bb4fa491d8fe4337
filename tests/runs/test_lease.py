"""Runs of the dead: by the lock on their file, and by their silence."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.engine.harness import answer, start
from tests.runs.house import House
from tests.tasks import family
from weft.errors import StoreError
from weft.runs.lease import BEAT_SECONDS, SILENT_SECONDS, Lease
from weft.store import Run, Store, messages, processes, runs
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

DIED = "The server stopped before this run ended."


class Orphanage:
    """Runs that belong to some process, and what became of them."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ids: dict[str, str] = {}

    async def born(self, owner: str) -> None:
        """A run of that process begins."""
        house = self.house
        version = await house.serve({"start": start(), "a": answer("x")}, "start > a")
        heard = await house.ask(version)
        message = await house.message_row(heard)
        run = msgspec.structs.replace(
            await house.run_row(heard),
            id=f"run of {owner}",
            owner_id=owner,
            status="running",
            finished_at=None,
            message_id=f"message of {owner}",
            outputs=None,
        )
        message = msgspec.structs.replace(message, id=f"message of {owner}", run_id=run.id, answer="so far")
        await house.store.write(lambda connection: runs.start(connection, None, message, run))
        self.ids[owner] = run.app_id

    async def find(self, owner: str) -> Run:
        found = await self.house.store.read(
            lambda connection: runs.find(connection, self.ids[owner], f"run of {owner}")
        )
        assert found is not None
        return found

    async def states(self, *owners: str) -> list[str]:
        return [(await self.find(owner)).status for owner in owners]


@pytest.fixture
def orphanage(house: House) -> Orphanage:
    return Orphanage(house)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(holds=True)


@asynccontextmanager
async def lease(id: str, store: Store, clock: FrozenClock, folder: Path | None) -> AsyncIterator[Lease]:
    made = Lease(id, store=store, clock=clock, folder=folder)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A process that lives."""
    path.parent.mkdir(exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield
    os.close(handle)


async def alive(store: Store, clock: FrozenClock) -> list[str]:
    since = clock.now() - timedelta(days=1)
    found = await store.read(lambda connection: processes.list_alive(connection, since))
    return sorted(process.id for process in found)


async def test_a_process_says_that_it_lives_and_signs_off(
    store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    folder = tmp_path / "processes"
    with family() as begun:
        async with lease("me", store, clock, folder):
            assert (await alive(store, clock), [path.name for path in folder.iterdir()]) == (["me"], ["me"])
            assert begun & asyncio.all_tasks()
        assert (await alive(store, clock), list(folder.iterdir())) == ([], [])
    assert not begun & asyncio.all_tasks()


async def test_a_dead_process_is_known_by_its_lock_at_once(
    orphanage: Orphanage, store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    folder = tmp_path / "processes"
    folder.mkdir()
    (folder / "dead").touch()  # left behind by a process that was killed
    now = clock.now()
    for owner in ("dead", "living", "me"):
        await orphanage.born(owner)
        if owner != "me":
            await store.write(lambda connection, id=owner: processes.beat(connection, id, now))  # type: ignore[misc]
    with locked(folder / "living"):
        async with lease("me", store, clock, folder):
            assert await orphanage.states("dead", "living", "me") == ["failed", "running", "running"]
            assert sorted(path.name for path in folder.iterdir()) == ["living", "me"]
            assert await alive(store, clock) == ["living", "me"]


async def test_what_the_dead_leave_is_told_and_their_answers_stay(
    orphanage: Orphanage, store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    await orphanage.born("dead")
    clock.advance(90)
    async with lease("me", store, clock, tmp_path / "processes"):
        run = await orphanage.find("dead")
    message = await store.read(lambda connection: messages.find(connection, run.app_id, "message of dead"))
    assert message is not None
    assert (run.status, run.error, run.finished_at, run.elapsed_time) == ("failed", DIED, clock.now(), 90.0)
    assert (message.status, message.error, message.answer) == ("error", DIED, "so far")


async def test_elsewhere_a_process_is_dead_when_it_has_been_silent_for_too_long(
    orphanage: Orphanage, store: Store, clock: FrozenClock
) -> None:
    for owner in ("silent", "heard"):
        await orphanage.born(owner)
    now = clock.now()
    await store.write(lambda connection: processes.beat(connection, "silent", now))
    clock.advance(1)
    later = clock.now()
    await store.write(lambda connection: processes.beat(connection, "heard", later))
    clock.advance(SILENT_SECONDS)
    async with lease("me", store, clock, None):
        assert await orphanage.states("silent", "heard") == ["failed", "running"]
        assert await alive(store, clock) == ["heard", "me"]


async def test_a_process_goes_on_saying_that_it_lives_and_looking_after_the_others(
    orphanage: Orphanage, store: Store, clock: FrozenClock
) -> None:
    await orphanage.born("other")
    await orphanage.born("me")
    now = clock.now()
    await store.write(lambda connection: processes.beat(connection, "other", now))
    async with lease("me", store, clock, None):
        for _ in range(5):
            await next_beat(clock)
        await beaten(store, clock, "me")
        assert await orphanage.states("other", "me") == ["failed", "running"]


async def beaten(store: Store, clock: FrozenClock, id: str) -> None:
    """Wait until that process has said now that it lives."""
    async with asyncio.timeout(5):
        while True:
            found = await store.read(lambda connection: processes.list_alive(connection, clock.now()))
            if id in [process.id for process in found]:
                return


async def test_trouble_with_the_store_or_the_folder_does_not_silence_a_process(
    store: Store, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "processes"
    async with lease("me", store, clock, folder):
        with monkeypatch.context() as patch:

            async def refuse(_: object) -> None:
                raise StoreError("busy")

            patch.setattr(store, "write", refuse)
            await next_beat(clock)
        (folder / "me").unlink()
        folder.rmdir()
        await next_beat(clock)
        folder.mkdir()
        await next_beat(clock)
        await beaten(store, clock, "me")


async def next_beat(clock: FrozenClock) -> None:
    """Let one beat happen, and wait until the process sleeps again."""
    async with asyncio.timeout(5):
        await clock.sleeper()
        clock.advance(BEAT_SECONDS)
        await clock.sleeper()


async def test_what_else_lies_in_the_folder_is_left_alone(
    store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    folder = tmp_path / "processes"
    (folder / "a folder").mkdir(parents=True)
    async with lease("me", store, clock, folder):
        assert sorted(path.name for path in folder.iterdir()) == ["a folder", "me"]


async def test_two_processes_that_begin_together_leave_each_other_alone(
    store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    folder = tmp_path / "processes"
    async with lease("one", store, clock, folder), lease("two", store, clock, folder):
        assert await alive(store, clock) == ["one", "two"]
    assert await alive(store, clock) == []
