from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest


class HeldClock:
    """Stands still; waiting takes no time and is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()
