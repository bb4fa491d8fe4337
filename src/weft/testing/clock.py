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
        self._sleepers: dict[asyncio.Future[None], float] = {}
        """When each of them is to wake."""
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
        waking = asyncio.get_running_loop().create_future()
        self._sleepers[waking] = self._passed + seconds
        self._someone_sleeps.set()
        self.advance(0)
        try:
            await waking
        finally:
            self._rouse(waking)

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake those who have slept long enough."""
        self._passed += seconds
        for waking, wake_at in list(self._sleepers.items()):
            if wake_at <= self._passed:
                self._rouse(waking)

    def set(self, now: datetime) -> None:
        """Set the hands, as an operator does: `now` jumps, no time passes, nobody wakes."""
        self._start = now - timedelta(seconds=self._passed)

    async def sleeper(self) -> None:
        """Wait until somebody sleeps; only of use where the clock holds."""
        await self._someone_sleeps.wait()

    def _rouse(self, waking: asyncio.Future[None]) -> None:
        self._sleepers.pop(waking, None)
        if not self._sleepers:
            self._someone_sleeps.clear()
        if not waking.done():
            waking.set_result(None)
