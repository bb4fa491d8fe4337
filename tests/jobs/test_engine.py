from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.clock import BOUND, NOW, HeldClock, open_database
from weft.errors import ArchiveError, InvalidRequestError, NotFoundError
from weft.ids import SequentialIds
from weft.jobs import Job, JobEngine, JobKind, JobWork, Partly, QueueRule, Retry, Schedule
from weft.store import Store

pytestmark = pytest.mark.anyio
GIVEN_UP = "its process ended in the middle of it 6 times in a row without getting further"


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        async with open_database(tmp_path / "jobs.db") as opened:
            yield opened
        return
    url = request.getfixturevalue("postgres_server")
    async with open_database(url) as opened:
        await opened.write(
            lambda connection: connection.exec_driver_sql(
                "DROP TABLE IF EXISTS weft_jobs, weft_job_steps, weft_schedules"
            )
        )
        yield opened


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


def engine(store: Store, clock: HeldClock, *kinds: JobKind, start: int = 1, **options: Any) -> JobEngine:
    return JobEngine(store, kinds, clock=clock, ids=SequentialIds(start), **options)


async def work_off(*engines: JobEngine) -> None:
    """Look and do until nothing is due."""
    async with asyncio.timeout(BOUND):
        for one in engines:
            await one.look()
        for one in engines:
            await one.settle()


def returning(value: object) -> Callable[[JobWork], Any]:
    async def run(work: JobWork) -> object:
        return value

    return run


async def test_a_job_is_done_once_and_keeps_its_result(store: Store, clock: HeldClock) -> None:
    seen: list[dict[str, object]] = []

    async def run(work: JobWork) -> object:
        seen.append(dict(work.job.args))
        work.tell(done=2, of=3)
        return {"sum": 5}

    jobs = engine(store, clock, JobKind("add", run))
    job = await jobs.enqueue("add", {"to": 3}, subject="numbers")
    assert (job.status, job.args, job.subject) == ("queued", {"to": 3}, "numbers")
    await work_off(jobs)
    await work_off(jobs)
    done = await jobs.get(job.id)
    assert (done.status, done.result, done.progress, done.error) == (
        "succeeded",
        {"sum": 5},
        {"done": 2, "of": 3},
        "",
    )
    assert (done.created_at, done.started_at, done.finished_at) == (NOW, NOW, NOW)
    assert seen == [{"to": 3}]


async def test_an_unknown_kind_and_arguments_that_are_no_json_are_refused(
    store: Store, clock: HeldClock
) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)))
    with pytest.raises(InvalidRequestError, match="there is no kind of job 'b'; known: a"):
        await jobs.enqueue("b")
    with pytest.raises(InvalidRequestError, match="must be JSON"):
        await jobs.enqueue("a", {"x": object()})
    with pytest.raises(NotFoundError, match="there is no job 'x'"):
        await jobs.get("x")


async def test_the_same_key_is_the_same_job_until_it_has_ended(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)))
    first = await jobs.enqueue("a", key="k")
    assert (await jobs.enqueue("a", key="k")).id == first.id
    await work_off(jobs)
    second = await jobs.enqueue("a", key="k")
    assert second.id != first.id
    assert (await jobs.enqueue("a", id=second.id)).id == second.id


async def test_a_failed_job_is_tried_again_after_longer_and_longer_waits(
    store: Store, clock: HeldClock
) -> None:
    begun: list[float] = []

    async def fail(work: JobWork) -> object:
        begun.append(clock.monotonic())
        raise ArchiveError("the disk is full")

    jobs = engine(store, clock, JobKind("a", fail, retry=Retry(attempts=3, first_seconds=10)))
    job = await jobs.enqueue("a")
    for _ in range(10):
        await work_off(jobs)
        clock.advance(seconds=5)
    assert begun == [0, 10, 30]
    done = await jobs.get(job.id)
    assert (done.status, done.error, done.attempts) == ("failed", "the disk is full", 2)


async def test_a_fault_in_a_job_ends_the_job_and_not_the_worker(store: Store, clock: HeldClock) -> None:
    async def fault(work: JobWork) -> object:
        raise ZeroDivisionError("oops")

    jobs = engine(store, clock, JobKind("a", fault), JobKind("b", returning(1)))
    first = await jobs.enqueue("a")
    await work_off(jobs)
    second = await jobs.enqueue("b")
    await work_off(jobs)
    assert (await jobs.get(first.id)).error == "ZeroDivisionError: oops"
    assert (await jobs.get(second.id)).status == "succeeded"


async def test_work_that_was_done_in_part_says_so(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(Partly({"ok": 1}, "one of two failed"))))
    job = await jobs.enqueue("a")
    await work_off(jobs)
    done = await jobs.get(job.id)
    assert (done.status, done.result, done.error) == ("partial-succeeded", {"ok": 1}, "one of two failed")


async def test_a_queue_does_no_more_at_once_than_its_rule_says(store: Store, clock: HeldClock) -> None:
    most, now, gate = 0, 0, asyncio.Event()

    async def run(work: JobWork) -> object:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return None

    kind = JobKind("a", run, queue="q")
    rules = {"q": QueueRule(concurrency=2)}
    one = engine(store, clock, kind, queues=rules)
    two = engine(store, clock, kind, start=1000, queues=rules)
    for _ in range(5):
        await one.enqueue("a")
    await one.look()
    await two.look()
    gate.set()
    for _ in range(3):
        await work_off(one, two)
    assert most == 2
    assert {job.status for job in await one.list()} == {"succeeded"}


async def test_a_queue_begins_no_more_in_a_minute_than_its_rule_says(store: Store, clock: HeldClock) -> None:
    kind = JobKind("a", returning(None), queue="q")
    jobs = engine(store, clock, kind, queues={"q": QueueRule(concurrency=9, per_minute=2)})
    for _ in range(5):
        await jobs.enqueue("a")
    done = []
    for _ in range(3):
        await work_off(jobs)
        done.append(len(await jobs.list(statuses=["succeeded"])))
        clock.advance(seconds=61)
    assert done == [2, 4, 5]


async def test_a_queued_job_that_is_cancelled_is_never_begun(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)))
    job = await jobs.enqueue("a")
    assert (await jobs.cancel(job.id)).status == "cancelled"
    await work_off(jobs)
    assert (await jobs.get(job.id)).started_at is None


async def test_a_running_job_can_be_cancelled_from_another_process(store: Store, clock: HeldClock) -> None:
    begun = asyncio.Event()

    async def run(work: JobWork) -> object:
        begun.set()
        return await asyncio.Event().wait()

    here = engine(store, clock, JobKind("a", run))
    there = engine(store, clock, JobKind("a", run), start=1000)
    job = await here.enqueue("a")
    await here.look()
    async with asyncio.timeout(BOUND):
        await begun.wait()
    assert (await there.cancel(job.id)).is_cancel_wanted
    clock.advance(seconds=6)
    await work_off(here)
    assert (await there.get(job.id)).status == "cancelled"


async def test_a_job_whose_process_is_gone_goes_on_elsewhere_without_the_steps_that_were_done(
    store: Store, clock: HeldClock
) -> None:
    done: list[str] = []
    stuck, begun = asyncio.Event(), asyncio.Event()

    def kind(is_stuck: bool) -> JobKind:
        async def run(work: JobWork) -> object:
            async def first() -> object:
                done.append("first")
                return 1

            async def second() -> object:
                done.append("second")
                if is_stuck:
                    begun.set()
                    await stuck.wait()
                return 2

            return [await work.step("first", first), await work.step("second", second)]

        return JobKind("a", run)

    gone = engine(store, clock, kind(True))
    next_one = engine(store, clock, kind(False), start=1000)
    job = await gone.enqueue("a")
    await gone.look()
    async with asyncio.timeout(BOUND):
        await begun.wait()
    await work_off(next_one)
    assert (await next_one.get(job.id)).status == "running"
    clock.advance(seconds=31)
    await work_off(next_one)
    found = await next_one.get(job.id)
    assert (found.status, found.result, found.deaths) == ("succeeded", [1, 2], 0)
    assert done == ["first", "second", "second"]
    stuck.set()
    await gone.settle()
    assert (await next_one.get(job.id)).result == [1, 2]


async def test_a_job_that_ends_every_process_is_given_up(store: Store, clock: HeldClock) -> None:
    async def run(work: JobWork) -> object:
        return await asyncio.Event().wait()

    engines = [engine(store, clock, JobKind("a", run), start=1000 * number) for number in range(1, 9)]
    job = await engines[0].enqueue("a")
    for one in engines:
        await one.look()
        clock.advance(seconds=31)
    found = await engines[0].get(job.id)
    assert (found.status, found.error) == ("failed", GIVEN_UP)
    for one in engines:
        await one.put_all_back()


@pytest.mark.parametrize("says", ["a step", "a word"])
async def test_only_tries_that_get_no_further_count_towards_giving_up(
    store: Store, clock: HeldClock, says: str
) -> None:
    """Twenty processes each do a little and end; six that do nothing are too many."""
    is_further, begun = True, asyncio.Event()

    async def run(work: JobWork) -> object:
        if is_further and says == "a word":
            work.advance()
        elif is_further:
            await work.step(f"part {clock.monotonic()}", returning_nothing)
        begun.set()
        return await asyncio.Event().wait()

    async def returning_nothing() -> object:
        return None

    engines = [engine(store, clock, JobKind("a", run), start=1000 * number) for number in range(1, 28)]
    job = await engines[0].enqueue("a")
    deaths = []
    for number, one in enumerate(engines):
        is_further = number < 20
        begun.clear()
        await one.look()
        if (await one.get(job.id)).status == "failed":
            break
        async with asyncio.timeout(BOUND):
            await begun.wait()
        await one.look()  # as the engine does at once when it hears of it
        deaths.append((await one.get(job.id)).deaths)
        clock.advance(seconds=31)
    assert deaths == [0] * 20 + [1, 2, 3, 4, 5]
    assert (await engines[0].get(job.id)).error == GIVEN_UP
    for one in engines:
        await one.put_all_back()


async def test_unfinished_work_is_put_back_when_a_worker_ends(store: Store, clock: HeldClock) -> None:
    begun = asyncio.Event()

    async def run(work: JobWork) -> object:
        begun.set()
        return await asyncio.Event().wait()

    one = engine(store, clock, JobKind("a", run))
    job = await one.enqueue("a")
    async with asyncio.timeout(BOUND), one.working():
        await begun.wait()
    assert (await one.get(job.id)).status == "queued"
    two = engine(store, clock, JobKind("a", returning("done")), start=1000)
    await work_off(two)
    assert (await two.get(job.id)).result == "done"


async def test_a_secret_is_in_memory_only_and_its_job_stays_with_this_process(
    store: Store, clock: HeldClock
) -> None:
    seen: list[object] = []

    async def run(work: JobWork) -> object:
        seen.append(work.secret)
        return None

    here = engine(store, clock, JobKind("a", run))
    there = engine(store, clock, JobKind("a", run), start=1000)
    await here.enqueue("a", secret=["hush"])
    await work_off(there)
    assert seen == []
    await work_off(here)
    assert seen == [["hush"]]
    rows = await store.read(
        lambda connection: connection.exec_driver_sql("SELECT * FROM weft_jobs").fetchall()
    )
    assert "hush" not in repr(rows)


async def test_waiting_ends_when_the_job_does(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(7)))
    async with asyncio.timeout(BOUND), jobs.working():
        job = await jobs.enqueue("a")
        assert (await jobs.wait(job.id)).result == 7


async def test_missed_runs_of_a_schedule_are_caught_up_once(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)))
    made = await jobs.put_schedule(Schedule("nightly", "0 2 * * *", "a"))
    assert made.next_at == NOW + timedelta(hours=14)
    await work_off(jobs)
    assert await jobs.list() == []
    clock.advance(days=3)
    again = engine(store, clock, JobKind("a", returning(None)), start=1000)
    await again.put_schedule(Schedule("nightly", "0 2 * * *", "a"))
    for _ in range(3):
        await work_off(again)
    (job,) = await again.list()
    assert (job.status, job.subject) == ("succeeded", "schedule:nightly")
    (found,) = await again.list_schedules()
    assert (found.last_at, found.next_at) == (NOW + timedelta(days=3), NOW + timedelta(days=3, hours=14))


async def test_two_processes_put_a_scheduled_job_in_once(store: Store, clock: HeldClock) -> None:
    kind = JobKind("a", returning(None))
    one, two = engine(store, clock, kind), engine(store, clock, kind, start=1000)
    await one.put_schedule(Schedule("often", "*/5 * * * *", "a"))
    clock.advance(minutes=6)
    async with asyncio.timeout(BOUND):
        await asyncio.gather(one.look(), two.look())
        await asyncio.gather(one.settle(), two.settle())
    assert len(await one.list()) == 1


async def test_a_schedule_can_be_changed_rested_and_removed(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)))
    await jobs.put_schedule(Schedule("s", "0 2 * * *", "a"))
    changed = await jobs.put_schedule(Schedule("s", "0 5 * * *", "a", is_active=False))
    assert changed.next_at == NOW + timedelta(hours=17)
    clock.advance(days=2)
    await work_off(jobs)
    assert await jobs.list() == []
    await jobs.remove_schedule("s")
    assert await jobs.list_schedules() == []
    with pytest.raises(NotFoundError):
        await jobs.remove_schedule("s")


async def test_whoever_wants_to_know_is_told_of_an_end_and_of_the_one_before_it(
    store: Store, clock: HeldClock
) -> None:
    told: list[tuple[str, str | None]] = []
    results: Iterable[object] = iter([Partly(None, "no"), 1])

    async def run(work: JobWork) -> object:
        return next(iter(results))

    async def on_end(job: Job, before: Job | None) -> None:
        told.append((job.status, None if before is None else before.status))

    jobs = engine(store, clock, JobKind("a", run), on_end=on_end)
    for _ in range(2):
        await jobs.enqueue("a", subject="s")
        await work_off(jobs)
        clock.advance(seconds=1)
    assert told == [("partial-succeeded", None), ("succeeded", "partial-succeeded")]


async def test_what_ended_long_ago_is_forgotten(store: Store, clock: HeldClock) -> None:
    jobs = engine(store, clock, JobKind("a", returning(None)), keep_days=10)
    await jobs.enqueue("a")
    await work_off(jobs)
    clock.advance(days=9)
    await work_off(jobs)
    assert len(await jobs.list()) == 1
    clock.advance(days=2)
    await work_off(jobs)
    assert await jobs.list() == []
