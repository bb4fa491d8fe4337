from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from weft.clock import SystemClock
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_the_machine_s_clock_is_aware_and_never_goes_back() -> None:
    clock = SystemClock()
    before, since = clock.now(), clock.monotonic()
    await clock.sleep(0)
    assert (before.utcoffset(), clock.monotonic() >= since) == (timedelta(0), True)
    assert abs(datetime.now(UTC) - before) < timedelta(seconds=10)


async def test_a_frozen_clock_stands_still_until_somebody_sleeps() -> None:
    clock = FrozenClock(NOON)
    assert (clock.now(), clock.now(), clock.monotonic()) == (NOON, NOON, 0.0)
    await clock.sleep(2.5)
    await clock.sleep(0)
    assert (clock.now(), clock.monotonic(), clock.slept) == (NOON + timedelta(seconds=2.5), 2.5, [2.5, 0])


async def test_a_sleep_lets_others_run() -> None:
    clock, heard = FrozenClock(), list[str]()

    async def other() -> None:
        heard.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(1)
    assert heard == ["other"]
    await task


async def test_a_clock_that_holds_wakes_those_whose_time_has_come() -> None:
    clock, woken = FrozenClock(NOON, holds=True), list[str]()

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    tasks = [asyncio.create_task(sleep(name, seconds)) for name, seconds in (("late", 5), ("soon", 2))]
    await clock.sleeper()
    clock.advance(1.9)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(0.1)
    await asyncio.sleep(0)
    assert (woken, clock.now()) == (["soon"], NOON + timedelta(seconds=2))
    clock.advance(100)
    await asyncio.gather(*tasks)
    assert (woken, clock.slept) == (["soon", "late"], [5, 2])


async def test_a_sleeper_that_was_woken_is_none_any_more() -> None:
    clock = FrozenClock(holds=True)
    task = asyncio.create_task(clock.sleep(1))
    await clock.sleeper()
    clock.advance(1)
    waiting = asyncio.create_task(clock.sleeper())
    await task
    assert not waiting.done()
    waiting.cancel()


async def test_a_sleep_of_no_length_is_over_at_once_also_where_the_clock_holds() -> None:
    async with asyncio.timeout(1):
        await FrozenClock(holds=True).sleep(0)


async def test_a_sleeper_that_is_cancelled_is_no_sleeper_any_more() -> None:
    clock = FrozenClock(holds=True)
    task = asyncio.create_task(clock.sleep(1))
    await clock.sleeper()
    task.cancel()
    await asyncio.wait([task])
    waiting = asyncio.create_task(clock.sleeper())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_setting_the_hands_lets_no_time_pass() -> None:
    clock = FrozenClock(NOON)
    clock.advance(5)
    clock.set(NOON - timedelta(days=1))
    assert (clock.now(), clock.monotonic()) == (NOON - timedelta(days=1), 5)
    clock.advance(1)
    assert clock.now() == NOON - timedelta(days=1) + timedelta(seconds=1)
