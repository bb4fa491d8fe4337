"""A clock that stands still until it is moved, and a database for jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from weft.clock import SystemClock
from weft.store import Store, open_store

NOW = datetime(2025, 10, 15, 12, 0, tzinfo=UTC)
BOUND = 20.0


class HeldClock:
    """Sleeping lasts until somebody moves the time far enough."""

    def __init__(self, now: datetime = NOW) -> None:
        self.instant = now
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - NOW).total_seconds()

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self.instant + timedelta(seconds=seconds)
        while self.instant < until:
            await self._moved.wait()


@asynccontextmanager
async def open_database(url: str | Path) -> AsyncIterator[Store]:
    address = url if isinstance(url, str) else f"sqlite:///{url}"
    async with open_store(address, clock=SystemClock()) as store:
        yield store
