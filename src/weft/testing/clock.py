"""A clock for tests: it stands still until somebody moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FrozenClock:
    """A clock that only a test moves, or those who sleep on it.

    Args:
        start: What time it is at first.
        holds: Whether `sleep` waits until the clock has been moved on far enough. Otherwise every sleep moves
            the clock on by itself and returns at once.

    Attributes:
        slept: Seconds of every sleep, in the order in which they were asked for.
    """

    def __init__(
        self, start: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC), *, holds: bool = False
    ) -> None:
        self.slept: list[float] = []
        self._start = start
        self._passed = 0.0
        self._holds = holds
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._someone_sleeps = asyncio.Event()

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds that have passed since the clock was made."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds of this clock."""
        self.slept.append(seconds)
        if not self._holds:
            self._passed += max(0.0, seconds)
            await asyncio.sleep(0)
            return
        sleeper = (self._passed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        self._someone_sleeps.set()
        self.advance(0)
        try:
            await sleeper[1]
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
            if not self._sleepers:
                self._someone_sleeps.clear()

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake those who have slept long enough."""
        self._passed += seconds
        for wake_at, waiting in self._sleepers:
            if wake_at <= self._passed and not waiting.done():
                waiting.set_result(None)

    def set(self, now: datetime) -> None:
        """Set the hands, as an operator does: `now` jumps, no time passes, nobody wakes."""
        self._start = now - timedelta(seconds=self._passed)

    async def sleeper(self) -> None:
        """Wait until somebody sleeps; only of use where the clock holds."""
        await self._someone_sleeps.wait()
