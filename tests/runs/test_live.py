from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from weft.events import Event, TextStreamed
from weft.runs import LiveRun, LiveRuns, live
from weft.store import Run
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


def live_run(id: str = "1", app_id: str = "app") -> LiveRun:
    run = Run(
        id=f"run {id}",
        app_id=app_id,
        workflow_id="w",
        version="v",
        mode="workflow",
        log_id="l",
        triggered_from="app-run",
        created_from="service-api",
        created_by_role="end_user",
        created_at=FrozenClock().now(),
        end_user_id="user",
        task_id=f"task {id}",
    )
    return LiveRun(run, None, None)


def piece(text: str) -> Event:
    return TextStreamed(text, ("a", "answer"), "a")


def listener(heard: list[str], then: Callable[[], None] = lambda: None) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        assert isinstance(event, TextStreamed)
        heard.append(event.text)
        then()

    return listen


async def test_everybody_hears_every_event_from_when_they_came_to_when_they_left() -> None:
    run, early, late = live_run(), list[str](), list[str]()
    first, second = listener(early), listener(late)
    run.listen(first)
    run.emit(piece("1"))
    run.listen(second)
    run.emit(piece("2"))
    run.leave(first)
    run.leave(first)
    run.emit(piece("3"))
    assert (early, late) == (["1", "2"], ["2", "3"])


async def test_one_who_leaves_in_the_middle_of_an_event_takes_nothing_from_the_others() -> None:
    run, one, other = live_run(), list[str](), list[str]()
    leaving = listener(one, lambda: run.leave(leaving))
    run.listen(leaving)
    run.listen(listener(other))
    run.emit(piece("1"))
    run.emit(piece("2"))
    assert (one, other) == (["1"], ["1", "2"])


async def test_one_who_comes_in_the_middle_of_an_event_hears_the_next() -> None:
    run, heard, late = live_run(), list[str](), list[str]()
    run.listen(listener(heard, lambda: run.listen(listener(late)) if len(heard) == 1 else None))
    run.emit(piece("1"))
    run.emit(piece("2"))
    assert (heard, late) == (["1", "2"], ["2"])


async def test_a_listener_that_fails_is_dropped_and_the_others_hear_on_dsl_33(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, heard = live_run(), list[str]()

    def fail(_: Event) -> None:
        raise OSError("gone")

    run.listen(fail)
    run.listen(listener(heard))
    run.emit(piece("1"))
    run.emit(piece("2"))
    assert (heard, [record.message for record in caplog.records]) == (
        ["1", "2"],
        ["a listener of run run 1 failed and is dropped"],
    )


async def test_waiting_for_the_end_ends_with_it_and_at_once_afterwards() -> None:
    run = live_run()
    waiting = asyncio.create_task(run.ended())
    await asyncio.sleep(0)
    assert not waiting.done()
    run.end()
    await waiting
    await run.ended()


async def test_a_run_without_an_engine_cannot_be_stopped_but_may_be_asked_to() -> None:
    live_run().stop()


async def test_runs_are_found_by_their_task_while_they_last() -> None:
    runs, one, other = LiveRuns(), live_run("1"), live_run("2", "another app")
    runs.add(one)
    runs.add(other)
    assert (runs.find("task 1"), runs.find("run 1"), runs.find("task 3")) == (one, None, None)
    assert (len(runs), list(runs), runs.count("app"), runs.count("nobody")) == (2, [one, other], 1, 0)
    assert (one.task_id, one.owner) == ("task 1", "user")
    runs.remove(one)
    runs.remove(one)
    assert (runs.find("task 1"), list(runs)) == (None, [other])


async def test_a_run_that_goes_on_is_not_taken_off_by_its_pause() -> None:
    live, paused, resumed = LiveRuns(), live_run(), live_run()
    live.add(paused)
    live.add(resumed)
    live.remove(paused)
    assert live.find(resumed.task_id) is resumed
    live.remove(resumed)
    assert len(live) == 0


class Waiting:
    """Somebody who waits for a run."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def began(self, live: LiveRun) -> None:
        self.told.append(live)

    def changed(self) -> None:
        self.told.append("changed")

    def dismissed(self) -> None:
        self.told.append("dismissed")


async def test_one_who_waits_for_a_run_is_told_of_that_run_until_they_leave() -> None:
    live, mine, other, waiting = LiveRuns(), live_run("1"), live_run("2"), Waiting()
    live.watch(mine.run.id, waiting)
    live.add(other)
    live.changed(other.run.id)
    assert waiting.told == []
    live.changed(mine.run.id)
    live.add(mine)
    live.dismiss()
    assert waiting.told == ["changed", mine, "dismissed"]
    live.unwatch(mine.run.id, waiting)
    live.changed(mine.run.id)
    assert len(waiting.told) == 3


async def test_draining_waits_until_the_last_run_is_over() -> None:
    runs, run = LiveRuns(), live_run()
    await runs.drain(0)
    runs.add(run)
    draining = asyncio.create_task(runs.drain(60))
    await asyncio.sleep(0)
    assert not draining.done()
    runs.remove(run)
    await draining


class StubbornRun(LiveRun):
    """Notes that it was asked to stop, and ends then if it is told to."""

    reasons: list[str]
    runs: LiveRuns | None = None

    def stop(self, reason: str = "Stopped by user.") -> None:
        self.reasons = [reason]
        if self.runs is not None:
            self.runs.remove(self)


async def test_runs_that_take_too_long_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = LiveRuns()
    run = StubbornRun(live_run().run, None, None)
    run.runs = runs
    runs.add(run)
    await runs.drain(0.001)
    assert (run.reasons, len(runs)) == (["The server is shutting down."], 0)


async def test_runs_that_do_not_even_stop_are_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "STOP_SECONDS", 0.001)
    runs = LiveRuns()
    runs.add(StubbornRun(live_run().run, None, None))
    with caplog.at_level(logging.WARNING):
        await runs.drain(0.001)
    assert [record.message for record in caplog.records] == [
        "1 runs did not stop in 0.001 s and are left behind"
    ]
