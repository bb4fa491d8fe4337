from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from tests.engine.harness import BOUND, answer, start
from tests.runs.house import House
from weft.errors import StoreError
from weft.runs.log_index import GATHER_SECONDS, LOOK_SECONDS, LogIndexer
from weft.store import LogFilter, Store, logs, open_search_index, open_store, search_queue, tables
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

NODES = {"start": start(), "answer": answer("You said {{#sys.query#}}")}


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store that asks the index."""
    async with open_store(database_url, clock=FrozenClock(), readers=1, search_index=True) as store:
        yield store


async def waiting(store: Store) -> tuple[int, int]:
    """How many changes are not added up, and how many texts are not indexed."""
    changes = await store.read(lambda connection: connection.execute(select(tables.run_changes)).all())
    texts = await store.read(
        lambda connection: connection.execute(
            select(tables.search_queue).where(tables.search_queue.c.kind != "mark")
        ).all()
    )
    return len(changes), len(texts)


async def found(house: House, keyword: str) -> int:
    app = house.app
    assert app is not None
    page = await house.store.read(
        lambda connection: logs.list_page(connection, app.id, LogFilter(keyword=keyword))
    )
    return page.total


async def test_what_runs_leave_behind_is_added_up_and_indexed(house: House, database_url: str) -> None:
    version = await house.serve(NODES, "start > answer")
    for query in ("tea", "coffee", "green tea"):
        await house.ask(version, query)
    indexer = LogIndexer(house.store, open_search_index(database_url), FrozenClock())
    before = await waiting(house.store)

    await indexer.catch_up()

    assert before > (0, 0)
    assert await waiting(house.store) == (0, 0)
    assert await found(house, "TEA") == 2

    await house.ask(version, "iced tea")
    assert await found(house, "TEA") == 3
    await indexer.catch_up()
    assert await waiting(house.store) == (0, 0)
    assert await found(house, "TEA") == 3


async def test_without_an_index_nothing_waits_for_one(house: House) -> None:
    version = await house.serve(NODES, "start > answer")
    await house.ask(version, "tea")

    await LogIndexer(house.store, None, FrozenClock()).catch_up()

    assert await waiting(house.store) == (0, 0)
    assert await found(house, "tea") == 1
    state = await house.store.read(search_queue.find_state)
    assert state == (search_queue.NONE, 0)


class Unwilling:
    """An index that fails once."""

    step_rows = 10

    def __init__(self) -> None:
        self.steps = 0
        self.worked = asyncio.Event()

    async def step(self, store: Store, limit: int) -> int:
        self.steps += 1
        if self.steps == 1:
            raise StoreError("the disk is full")
        self.worked.set()
        return 0

    async def tidy(self, least: float) -> bool:
        return False


class Counting:
    """An index that finds so many texts, step by step."""

    step_rows = 10

    def __init__(self, *rows: int) -> None:
        self._rows = [*rows, 0]

    async def step(self, store: Store, limit: int) -> int:
        return self._rows.pop(0)

    async def tidy(self, least: float) -> bool:
        return False


async def test_after_a_small_step_more_texts_may_come_together(house: House) -> None:
    clock = FrozenClock()
    await LogIndexer(house.store, Counting(10, 10, 3), clock).catch_up()
    assert clock.slept == [0.0, 0.0, GATHER_SECONDS]


async def test_an_index_that_fails_is_tried_again(house: House) -> None:
    clock = FrozenClock(holds=True)
    index = Unwilling()
    indexer = LogIndexer(house.store, index, clock)
    await indexer.open()

    async with asyncio.timeout(BOUND):
        while not index.worked.is_set():
            clock.advance(LOOK_SECONDS)
            await asyncio.sleep(0)
    await indexer.close()

    assert index.steps == 2
