"""A store that is watched: how many writes wait, and how long they take."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection

from weft.clock import Clock
from weft.store.store import Store

T = TypeVar("T")

WRITE_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds; upper ends of the ranges in which writes are counted."""


class ObservedStore:
    """A `Store` in front of another one.

    Attributes:
        waiting: Writes that are not on disk yet.
        counts: Writes that took so long, by the ranges of `WRITE_BOUNDS` and one beyond.
        seconds: How long all of them took together.

    Args:
        store: Does the work.
        clock: The time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.waiting = 0
        self.counts = [0] * (len(WRITE_BOUNDS) + 1)
        self.seconds = 0.0
        self._store = store
        self._monotonic = clock.monotonic

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """See `Store.read`."""
        return await self._store.read(fn)

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        """See `Store.read_quick`."""
        return await self._store.read_quick(fn)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """See `Store.write`."""
        began = self._monotonic()
        self.waiting += 1
        try:
            return await self._store.write(fn)
        finally:
            self.waiting -= 1
            took = self._monotonic() - began
            self.counts[bisect_left(WRITE_BOUNDS, took)] += 1
            self.seconds += took
