"""How hard a server is asked: so many requests at once, and so many in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from weft.clock import Clock
from weft.errors import ConfigError

T = TypeVar("T")
MAX_CONCURRENCY = 50


class Pace:
    """Lets requests through.

    Args:
        concurrency: Requests at the same time, 1 to 50.
        per_second: Requests that begin in a second; none does not limit them.

    Raises:
        ConfigError: One of them is out of range.
    """

    def __init__(self, clock: Clock, concurrency: int, per_second: float | None) -> None:
        if not 1 <= concurrency <= MAX_CONCURRENCY:
            raise ConfigError(f"concurrency must be 1 to {MAX_CONCURRENCY}, not {concurrency}")
        if per_second is not None and per_second <= 0:
            raise ConfigError(f"requests_per_second must be above 0, not {per_second:g}")
        self.concurrency = concurrency
        self._clock = clock
        self._turns = asyncio.Semaphore(concurrency)
        self._gap = 0.0 if per_second is None else 1.0 / per_second
        self._free_at = 0.0
        """On the clock's monotonic scale: when the next request may begin."""

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """What a request brings, sent when its turn has come."""
        async with self._turns:
            if self._gap:
                now = self._clock.monotonic()
                begin, self._free_at = max(now, self._free_at), max(now, self._free_at) + self._gap
                if begin > now:
                    await self._clock.sleep(begin - now)
            return await request()
