"""The engine: takes jobs that are due, does them, and gives up those that it cannot do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from weft.clock import Clock
from weft.errors import InvalidRequestError, NotFoundError, StoreError, WeftError
from weft.ids import Ids
from weft.jobs import book
from weft.jobs.cron import next_time
from weft.jobs.job import Job, JobStatus, Schedule
from weft.jobs.kind import Claim, JobKind, Partly, QueueRule
from weft.jobs.tables import create_tables
from weft.jobs.work import Work
from weft.store import Store

log = logging.getLogger(__name__)

_SWEEP_SECONDS: Final = 3600.0
_MOST: Final = 16
"""Jobs that one process does at the same time."""

OnEnd = Callable[[Job, Job | None], Awaitable[None]]


class JobEngine:
    """Durable jobs in the server's database; see `weft.jobs.Jobs` for what can be asked of it.

    Args:
        store: Where jobs are kept.
        kinds: What can be done.
        clock: The time.
        ids: For jobs.
        queues: How much of a queue is done at once; one job at a time where nothing is said.
        on_end: Told of every job that ended in this process, and of the one about the same before it.
        lease_seconds: How long a job belongs to a process that says nothing; a third of it is the time
            between two signs of life.
        poll_seconds: How often to look for what other processes put in.
        keep_days: Days until a job that has ended is forgotten.
    """

    def __init__(
        self,
        store: Store,
        kinds: Iterable[JobKind],
        *,
        clock: Clock,
        ids: Ids,
        queues: Mapping[str, QueueRule] | None = None,
        on_end: OnEnd | None = None,
        lease_seconds: float = 30.0,
        poll_seconds: float = 2.0,
        keep_days: float = 30.0,
    ) -> None:
        self.owner = ids.new()
        """This process, for as long as it lives."""
        self.is_working = False
        """Whether jobs are done here."""
        self._store = store
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock
        self._ids = ids
        self._queues = dict(queues or {})
        self._on_end = on_end
        self._lease = timedelta(seconds=lease_seconds)
        self._beat_seconds = min(lease_seconds / 3, 5.0)
        self._poll_seconds = poll_seconds
        self._keep = timedelta(days=keep_days)
        self._is_open = False
        self._opening = asyncio.Lock()
        self._news = asyncio.Event()
        self._secrets: dict[str, object] = {}
        self._at_work: dict[str, tuple[Work, asyncio.Task[None]]] = {}
        self._cancelled: set[str] = set()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._beaten: float | None = None
        self._swept: float | None = None

    # What can be asked of it

    async def enqueue(
        self,
        name: str,
        args: Mapping[str, object] | None = None,
        *,
        id: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        subject: str = "",
        run_at: datetime | None = None,
        secret: object | None = None,
    ) -> Job:
        """Put a job in; see `Jobs.enqueue`."""
        await self._open()
        job = self._new(name, args or {}, id=id, key=key, queue=queue, subject=subject, run_at=run_at)
        owner = until = None
        if secret is not None:
            owner, until = self.owner, self._clock.now() + self._lease
            self._secrets[job.id] = secret
        stored = await self._store.write(lambda connection: book.insert_job(connection, job, owner, until))
        if stored is not job:
            self._secrets.pop(job.id, None)
        self._news.set()
        return stored

    async def get(self, id: str) -> Job:
        """A job as it is now; see `Jobs.get`."""
        await self._open()
        job = await self._store.read(lambda connection: book.find_job(connection, id))
        if job is None:
            raise NotFoundError(f"there is no job {id!r}", kind="job", id=id)
        at_work = self._at_work.get(id)
        return job if at_work is None or job.is_ended else replace(job, progress=dict(at_work[0].progress))

    async def list(
        self, *, statuses: Sequence[JobStatus] = (), name: str | None = None, limit: int = 50
    ) -> Sequence[Job]:
        """Jobs, the latest first; see `Jobs.list`."""
        await self._open()
        return await self._store.read(lambda connection: book.list_jobs(connection, statuses, name, limit))

    async def cancel(self, id: str) -> Job:
        """Cancel a job; see `Jobs.cancel`."""
        await self._open()
        now = self._clock.now()
        job = await self._store.write(lambda connection: book.cancel_job(connection, id, now))
        if job is None:
            raise NotFoundError(f"there is no job {id!r}", kind="job", id=id)
        self._stop(id)
        if job.is_ended:
            self._tell_waiting(id)
        return job

    async def wait(self, id: str) -> Job:
        """Wait until a job has ended; see `Jobs.wait`."""
        while True:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(id, []).append(ended)
            try:
                job = await self.get(id)
                if job.is_ended:
                    return job
                await self._either(ended, self._poll_seconds)
            finally:
                futures = self._waiting.get(id, [])
                if ended in futures:
                    futures.remove(ended)
                if not futures:
                    self._waiting.pop(id, None)

    async def put_schedule(self, schedule: Schedule) -> Schedule:
        """Make or change a schedule; see `Jobs.put_schedule`."""
        await self._open()
        self._kind(schedule.name)
        due = next_time(schedule.cron, self._clock.now(), schedule.zone)
        await self._store.write(lambda connection: book.put_schedule(connection, schedule, due))
        self._news.set()
        found = await self._store.read(lambda connection: book.find_schedule(connection, schedule.id))
        return found or schedule

    async def remove_schedule(self, id: str) -> None:
        """Remove a schedule; see `Jobs.remove_schedule`."""
        await self._open()
        if not await self._store.write(lambda connection: book.remove_schedule(connection, id)):
            raise NotFoundError(f"there is no schedule {id!r}", kind="schedule", id=id)

    async def list_schedules(self) -> Sequence[Schedule]:
        """All schedules by id; see `Jobs.list_schedules`."""
        await self._open()
        return await self._store.read(book.list_schedules)

    # Working

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Do jobs for as long as the context is open; those that are not done by then are put back."""
        await self._open()
        self.is_working = True
        task = asyncio.create_task(self._work(), name="weft-jobs")
        try:
            yield
        finally:
            self.is_working = False
            task.cancel()
            await asyncio.wait([task])
            await self.put_all_back()

    async def look(self) -> None:
        """Look once: signs of life, schedules that are due, jobs that can be begun.

        Raises:
            StoreError: It could not be looked.
        """
        await self._open()
        await self._beat()
        claim = self._claim()
        due = await self._store.read(lambda connection: book.next_due(connection, claim))
        if due is not None and due <= claim.now:
            await self._tick(claim.now)
            await self._begin(claim)
        monotonic = self._clock.monotonic()
        if self._swept is None or monotonic - self._swept >= _SWEEP_SECONDS:
            self._swept = monotonic
            before = claim.now - self._keep
            await self._store.write(lambda connection: book.remove_old(connection, before))

    async def settle(self) -> None:
        """Wait until all jobs that are at work here have ended."""
        while self._at_work:
            await asyncio.wait([task for _, task in self._at_work.values()])

    async def put_all_back(self) -> None:
        """Stop all work and leave it to whoever works next."""
        tasks = [task for _, task in self._at_work.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Inside

    async def _open(self) -> None:
        if self._is_open:
            return
        async with self._opening:
            if not self._is_open:
                await self._store.write(create_tables)
                self._is_open = True

    def _kind(self, name: str) -> JobKind:
        kind = self._kinds.get(name)
        if kind is None:
            known = ", ".join(sorted(self._kinds)) or "none"
            raise InvalidRequestError(
                f"there is no kind of job {name!r}; known: {known}", {"name": "unknown"}
            )
        return kind

    def _new(
        self,
        name: str,
        args: Mapping[str, object],
        *,
        id: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        subject: str = "",
        run_at: datetime | None = None,
    ) -> Job:
        try:
            book.encode(args)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise InvalidRequestError(f"the arguments of a job must be JSON: {error}") from error
        now = self._clock.now()
        return Job(
            id=id or self._ids.new(),
            name=name,
            queue=queue or self._kind(name).queue,
            args=dict(args),
            status="queued",
            created_at=now,
            run_at=run_at or now,
            key=key,
            subject=subject,
        )

    def _claim(self) -> Claim:
        now = self._clock.now()
        return Claim(self.owner, now, now + self._lease)

    async def _work(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.look()
            except StoreError as error:  # whatever it is, it must be looked again
                log.warning("jobs could not be looked after: %s", error)
            except Exception:  # the border around a background task
                log.exception("jobs could not be looked after")
            news = asyncio.create_task(self._news.wait())
            try:
                await self._either(news, min(self._poll_seconds, self._beat_seconds))
            finally:
                news.cancel()

    async def _either(self, waited: asyncio.Future[None] | asyncio.Task[bool], seconds: float) -> None:
        sleep = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({sleep, waited}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()

    async def _beat(self) -> None:
        if not self._at_work and not self._secrets:
            return
        now = self._clock.monotonic()
        advanced = [id for id, (work, _) in self._at_work.items() if work.has_advanced]
        if self._beaten is not None and now - self._beaten < self._beat_seconds and not advanced:
            return
        self._beaten = now
        claim = self._claim()
        told = {id: dict(work.progress) for id, (work, _) in self._at_work.items() if work.has_news}
        for work, _ in self._at_work.values():
            work.has_news = False
        for id in await self._store.write(
            lambda connection: book.keep_leases(connection, claim, told, advanced)
        ):
            self._stop(id)
        for work, _ in self._at_work.values():
            if work.job.id in advanced:
                work.has_advanced = False

    async def _tick(self, now: datetime) -> None:
        for schedule in await self._store.read(lambda connection: book.list_schedules(connection, now)):
            following = next_time(schedule.cron, now, schedule.zone)
            if schedule.name not in self._kinds:
                continue
            subject = f"schedule:{schedule.id}"
            job = self._new(schedule.name, schedule.args, key=subject, subject=subject)
            await self._store.write(_putting_in(schedule, job, now, following))

    async def _begin(self, claim: Claim) -> None:
        room = _MOST - len(self._at_work)
        names = list(self._kinds)
        if room <= 0:
            return
        taken = await self._store.write(
            lambda connection: book.claim_jobs(connection, claim, self._queues, names, room)
        )
        for job in taken:
            work = Work(job, self._store, self._clock, self._secrets.get(job.id), self._news.set)
            self._at_work[job.id] = (work, asyncio.create_task(self._do(work), name=f"weft-job-{job.id}"))

    async def _do(self, work: Work) -> None:
        job = work.job
        try:
            try:
                outcome = await self._kinds[job.name].run(work)
            except asyncio.CancelledError:
                await self._interrupted(work)
                return
            except WeftError as error:
                await self._failed(work, str(error))
                return
            except Exception as error:  # the border around a job
                log.exception("job %s (%s) failed", job.id, job.name)
                await self._failed(work, f"{type(error).__name__}: {error}")
                return
            if isinstance(outcome, Partly):
                await self._end(work, "partial-succeeded", outcome.result, outcome.error)
            else:
                await self._end(work, "succeeded", outcome)
        except StoreError as error:  # its lease runs out, and somebody begins it again
            log.warning("the end of job %s could not be noted: %s", job.id, error)
        finally:
            self._at_work.pop(job.id, None)
            self._cancelled.discard(job.id)
            self._tell_waiting(job.id)
            self._news.set()

    async def _interrupted(self, work: Work) -> None:
        id, now = work.job.id, self._clock.now()
        if id in self._cancelled:
            await self._end(work, "cancelled", None, "it was cancelled")
            return
        await self._store.write(lambda connection: book.put_back(connection, id, self.owner, now))

    async def _failed(self, work: Work, error: str) -> None:
        id = work.job.id
        delay = self._kinds[work.job.name].retry.delay(work.job.attempts + 1)
        if delay is None:
            await self._end(work, "failed", None, error)
            return
        at = self._clock.now() + timedelta(seconds=delay)
        await self._store.write(
            lambda connection: book.put_back(connection, id, self.owner, at, failed=True, error=error)
        )

    async def _end(self, work: Work, status: JobStatus, result: object, error: str = "") -> None:
        id, now, progress = work.job.id, self._clock.now(), dict(work.progress)
        self._secrets.pop(id, None)
        is_noted = await self._store.write(
            lambda connection: book.end_job(
                connection, id, self.owner, now, status=status, result=result, error=error, progress=progress
            )
        )
        if not is_noted:
            log.warning("job %s was taken over by another process while it ended here", id)
        elif self._on_end is not None:
            await self._tell_end(id)

    async def _tell_end(self, id: str) -> None:
        def read(connection: Connection) -> tuple[Job | None, Job | None]:
            job = book.find_job(connection, id)
            return job, None if job is None else book.find_last_ended(connection, job)

        job, before = await self._store.read(read)
        if job is None or self._on_end is None:
            return
        try:
            await self._on_end(job, before)
        except WeftError as error:
            log.warning("what follows the end of job %s could not be done: %s", id, error)

    def _stop(self, id: str) -> None:
        found = self._at_work.get(id)
        if found is not None and id not in self._cancelled:
            self._cancelled.add(id)
            found[1].cancel()

    def _tell_waiting(self, id: str) -> None:
        for future in self._waiting.get(id, ()):
            if not future.done():
                future.set_result(None)


def _putting_in(
    schedule: Schedule, job: Job, now: datetime, following: datetime
) -> Callable[[Connection], None]:
    def write(connection: Connection) -> None:
        present = book.find_schedule(connection, schedule.id)
        if present is None or present.next_at != schedule.next_at:
            return  # another process was faster
        book.insert_job(connection, job)
        book.move_schedule(connection, schedule.id, last_at=now, next_at=following)

    return write
