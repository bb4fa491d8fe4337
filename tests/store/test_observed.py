"""A store that is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import pytest
from sqlalchemy import Connection

from weft.store import WRITE_BOUNDS, ObservedStore, Store, is_current, migrate, open_store
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Slow:
    """A store whose writes end when they are told to."""

    def __init__(self) -> None:
        self.free = asyncio.Event()

    async def write(self, fn: Callable[[Connection], T]) -> T:
        await self.free.wait()
        return fn(cast(Connection, None))


def fail(connection: Connection) -> None:
    raise ValueError("no")


async def test_it_knows_how_many_writes_wait_and_how_long_they_took() -> None:
    clock, slow = FrozenClock(), Slow()
    store = ObservedStore(cast(Store, slow), clock)
    good = asyncio.create_task(store.write(lambda connection: 5))
    bad = asyncio.create_task(store.write(fail))
    await asyncio.sleep(0)
    assert store.waiting == 2
    clock.advance(0.02)
    slow.free.set()
    assert await good == 5
    with pytest.raises(ValueError, match="no"):
        await bad
    counts = [0] * (len(WRITE_BOUNDS) + 1)
    counts[WRITE_BOUNDS.index(0.025)] = 2
    assert (store.waiting, store.counts, round(store.seconds, 6)) == (0, counts, 0.04)


async def test_it_does_what_the_other_one_does(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/weft.db"
    await migrate(url)
    async with open_store(url, clock=FrozenClock()) as opened:
        store = ObservedStore(opened, FrozenClock())
        assert await store.read(is_current)
        assert await store.read_quick(is_current)
