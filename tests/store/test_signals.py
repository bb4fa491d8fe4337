from __future__ import annotations

import asyncio

import pytest

from tests.store.rows import Rows, at
from weft.clock import SystemClock
from weft.store import Signal, Store, listening, signals

pytestmark = pytest.mark.anyio


def signal(rows: Rows, seconds: float) -> Signal:
    return Signal(rows.ids.new(), "stop", "run 1", at(seconds), {"reason": "because"})


async def test_signals_are_listed_from_an_instant_on_oldest_first(store: Store, rows: Rows) -> None:
    made = [signal(rows, seconds) for seconds in (30, 10, 20)]
    for one in made:
        await store.write(lambda connection, one=one: signals.post(connection, one))  # type: ignore[misc]
    assert await store.read(lambda connection: signals.list_since(connection, at(20))) == (made[2], made[0])


async def test_old_signals_are_forgotten(store: Store, rows: Rows) -> None:
    old, new = signal(rows, 0), signal(rows, 10)
    for one in (old, new):
        await store.write(lambda connection, one=one: signals.post(connection, one))  # type: ignore[misc]
    assert await store.write(lambda connection: signals.remove_old(connection, at(10))) == 1
    assert await store.read(lambda connection: signals.list_since(connection, at(0))) == (new,)


async def test_postgres_tells_of_a_signal_once_it_is_kept(
    backend: str, url: str, store: Store, rows: Rows
) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite tells nobody")
    told = asyncio.Event()
    async with listening(url, told.set, clock=SystemClock()), asyncio.timeout(10):
        await told.wait()  # it listens now
        told.clear()
        await store.write(lambda connection: signals.post(connection, signal(rows, 0)))
        await told.wait()


async def test_nobody_is_told_of_sqlite(backend: str, url: str) -> None:
    if backend != "sqlite":
        pytest.skip("Postgres tells")
    told: list[None] = []
    async with listening(url, lambda: told.append(None), clock=SystemClock()):
        assert told == []
