"""Pages that are loaded and stored side by side, and finished one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from weft.archive.pipeline import MAX_PAGES, Pipeline

pytestmark = pytest.mark.anyio
BOUND = 10


class Work:
    """Notes what is done; items wait until they are let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.free: dict[int, asyncio.Event] = {}
        self.loading = self.most_loading = 0
        self.before: Callable[[str], None] = lambda what: None
        self.storing: asyncio.Event | None = None

    def hold(self, *items: int) -> None:
        self.free |= {item: asyncio.Event() for item in items}

    async def load(self, item: int) -> str:
        self.loading += 1
        self.most_loading = max(self.most_loading, self.loading)
        self.before(f"load {item}")
        if item in self.free:
            await self.free[item].wait()
        await asyncio.sleep(0)
        return str(item)

    async def store(self, page: str, results: Sequence[tuple[int, str]]) -> None:
        self.before(f"store {page}")
        if self.storing is not None:
            await self.storing.wait()
        self.loading -= len(results)
        self.done.append(f"{page}: {' '.join(result for _, result in results)}")

    async def finish(self, page: str) -> None:
        self.before(f"finish {page}")
        self.done.append(f"end of {page}")


async def test_pages_are_stored_and_finished_in_order_whatever_is_loaded_first() -> None:
    work = Work()
    work.hold(1)
    async with asyncio.timeout(BOUND), Pipeline(work, most=10, batch=4) as pipeline:
        await pipeline.put("a", [1, 2])
        await pipeline.put("b", [])
        await pipeline.put("c", [3, 4, 5, 6, 7])
        assert work.done == []
        work.free[1].set()
    assert work.done == ["a: 1 2", "end of a", "end of b", "c: 3 4 5 6", "c: 7", "end of c"]


async def test_the_next_page_is_loaded_while_one_is_stored() -> None:
    work = Work()
    work.storing = asyncio.Event()
    reached = asyncio.Event()
    work.before = lambda what: reached.set() if what == "load 2" else None
    async with asyncio.timeout(BOUND), Pipeline(work, most=2, batch=1) as pipeline:
        await pipeline.put("a", [1])
        await pipeline.put("b", [2])
        await reached.wait()
        assert work.done == []
        work.storing.set()
        await pipeline.drain()
        assert work.done == ["a: 1", "end of a", "b: 2", "end of b"]


async def test_no_more_is_under_way_than_is_allowed() -> None:
    work = Work()
    async with asyncio.timeout(BOUND), Pipeline(work, most=7, batch=5) as pipeline:
        await pipeline.put("a", list(range(40)))
        for number in range(MAX_PAGES * 3):
            await pipeline.put("b", [number])
    assert work.most_loading == 7
    assert sum(one.startswith("end of") for one in work.done) == MAX_PAGES * 3 + 1


@pytest.mark.parametrize("step", ["load 2", "store b", "finish b"])
async def test_work_that_fails_ends_everything_and_says_why(step: str) -> None:
    work = Work()
    work.hold(9)

    def fail(what: str) -> None:
        if what == step:
            raise OSError("the disk is full")

    async def run() -> None:
        async with asyncio.timeout(BOUND), Pipeline(work, most=10, batch=5) as pipeline:
            await pipeline.put("a", [1])
            await pipeline.put("b", [2])
            await pipeline.put("c", [9])
            await asyncio.Event().wait()

    work.before = fail
    with pytest.raises(OSError, match="the disk is full"):
        await run()
    assert "end of b" not in work.done


async def test_what_was_taken_before_an_error_of_the_caller_is_finished() -> None:
    work = Work()

    async def run() -> None:
        async with asyncio.timeout(BOUND), Pipeline(work, most=10, batch=5) as pipeline:
            await pipeline.put("a", [1, 2])
            raise LookupError("no such page")

    with pytest.raises(LookupError, match="no such page"):
        await run()
    assert work.done == ["a: 1 2", "end of a"]


async def test_a_cancellation_lets_what_is_being_stored_come_to_its_end_and_begins_nothing_more() -> None:
    work = Work()
    work.storing, reached = asyncio.Event(), asyncio.Event()
    work.before = lambda what: reached.set() if what == "store a" else None

    async def run() -> None:
        async with Pipeline(work, most=10, batch=5) as pipeline:
            await pipeline.put("a", [1])
            await pipeline.put("b", [2])
            await asyncio.Event().wait()

    async with asyncio.timeout(BOUND):
        task = asyncio.create_task(run())
        await reached.wait()
        task.cancel()
        await asyncio.sleep(0)
        work.storing.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert work.done == ["a: 1"]
