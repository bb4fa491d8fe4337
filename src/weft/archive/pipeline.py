"""Listing, loading and storing side by side, while what is durable grows page by page in order.

While one page is being stored, the items of the next ones are being loaded, and the page after them is being
asked for. A page is finished when all its items are stored and all pages before it are finished, so whoever
is told of it may rely on everything before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

Page = TypeVar("Page")
Item = TypeVar("Item")
Result = TypeVar("Result")
Page_contra = TypeVar("Page_contra", contravariant=True)
Item_contra = TypeVar("Item_contra", contravariant=True)

MAX_PAGES = 16
"""Pages that are under way at the same time, however few items they have."""


class Work(Protocol[Page_contra, Item_contra, Result]):
    """What is done with items and pages."""

    async def load(self, item: Item_contra) -> Result:
        """Bring an item; many are brought at the same time."""
        ...

    async def store(self, page: Page_contra, results: Sequence[tuple[Item_contra, Result]]) -> None:
        """Make items of a page durable; one call at a time, pages in order."""
        ...

    async def finish(self, page: Page_contra) -> None:
        """All items of a page and of those before it are durable."""
        ...


@dataclass(slots=True, eq=False)
class _Open(Generic[Page, Item, Result]):
    """A page that is under way."""

    page: Page
    size: int
    ready: dict[int, tuple[Item, Result]] = field(default_factory=dict)
    """Loaded and not stored, by their place on the page."""
    stored: int = 0

    @property
    def is_loaded(self) -> bool:
        return self.stored + len(self.ready) == self.size


class Pipeline(Generic[Page, Item, Result]):
    """Takes pages; when its context ends everything that it took is finished.

    When the context ends with an error, what was taken is finished all the same, unless it is a cancellation:
    then nothing more is begun. An error of the work ends everything and is raised by the context.

    Args:
        work: What is done.
        most: Items that are loaded or being loaded, and not stored yet.
        batch: Items of a page that are stored at once; no more than `most`.
    """

    def __init__(self, work: Work[Page, Item, Result], *, most: int, batch: int) -> None:
        self._work = work
        self._batch = batch
        self._room = asyncio.Semaphore(most)
        self._page_room = asyncio.Semaphore(MAX_PAGES)
        self._pages: deque[_Open[Page, Item, Result]] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._is_ending = False
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._group.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending = True
        self._wake.set()
        try:
            if error is None or isinstance(error, Exception):
                await self._group.__aexit__(None, None, None)
            else:
                await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def put(self, page: Page, items: Sequence[Item]) -> None:
        """Take a page; returns when the loading of all its items has begun."""
        await self._page_room.acquire()
        opened: _Open[Page, Item, Result] = _Open(page, len(items))
        self._pages.append(opened)
        self._empty.clear()
        self._wake.set()
        for place, item in enumerate(items):
            await self._room.acquire()
            self._group.create_task(self._load(opened, place, item))

    async def drain(self) -> None:
        """Return when every page that was taken is finished."""
        if self._pages:
            await self._empty.wait()

    async def _load(self, opened: _Open[Page, Item, Result], place: int, item: Item) -> None:
        opened.ready[place] = item, await self._work.load(item)
        if opened.is_loaded or len(opened.ready) >= self._batch:
            self._wake.set()

    async def _write(self) -> None:
        while self._pages or not self._is_ending:
            await self._wake.wait()
            self._wake.clear()
            while self._pages:
                first = self._pages[0]
                if len(first.ready) >= self._batch or (first.ready and first.is_loaded):
                    await self._store(first)
                elif first.is_loaded:
                    await _undisturbed(self._work.finish(first.page))
                    self._pages.popleft()
                    self._page_room.release()
                else:
                    break
            if not self._pages:
                self._empty.set()

    async def _store(self, opened: _Open[Page, Item, Result]) -> None:
        places = sorted(opened.ready)[: self._batch]
        part = [opened.ready.pop(place) for place in places]
        await _undisturbed(self._work.store(opened.page, part))
        opened.stored += len(part)
        for _ in part:
            self._room.release()


async def _undisturbed(work: Awaitable[None]) -> None:
    """Do it to its end even when this task is cancelled, since a thread would go on with it anyway."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at; that the task is cancelled says more
        raise
