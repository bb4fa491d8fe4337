"""The engine's deeds as functions of a connection; none of them waits, and none knows the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Update, and_, delete, func, or_, select, update

from weft.jobs.job import ENDED, Job, JobStatus, Schedule
from weft.jobs.kind import Claim, QueueRule
from weft.jobs.tables import jobs, lock, schedules, steps

MAX_DEATHS = 5
"""Processes that may end in the middle of a job, none of which got any further with it, before it is taken to
be the reason."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = 60_000_000
_LOOKED_AT = 200
"""Jobs that are looked at in one claim."""


def micros(at: datetime) -> int:
    """Microseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def encode(value: object) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def insert_job(
    connection: Connection, job: Job, owner: str | None = None, until: datetime | None = None
) -> Job:
    """Put a job in, or find the one that it would be a second of."""
    lock(connection)
    same = jobs.c.id == job.id
    if job.key is not None:
        active = jobs.c.status.in_(("queued", "running"))
        same = or_(same, and_(jobs.c.dedup_key == job.key, active))
    known = connection.execute(select(jobs).where(same)).first()
    if known is not None:
        return _job(known)
    connection.execute(
        jobs.insert().values(
            id=job.id,
            name=job.name,
            queue=job.queue,
            args=encode(job.args),
            status=job.status,
            created_at=micros(job.created_at),
            run_at=micros(job.run_at),
            dedup_key=job.key,
            subject=job.subject,
            attempts=0,
            deaths=0,
            progress="{}",
            error="",
            is_cancel_wanted=False,
            owner=owner,
            lease_until=None if until is None else micros(until),
        )
    )
    return job


def find_job(connection: Connection, id: str) -> Job | None:
    """A job, or none."""
    row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
    return None if row is None else _job(row)


def list_jobs(
    connection: Connection, statuses: Sequence[JobStatus], name: str | None, limit: int
) -> Sequence[Job]:
    """Jobs, the latest first."""
    query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(jobs.c.status.in_(statuses))
    if name is not None:
        query = query.where(jobs.c.name == name)
    return [_job(row) for row in connection.execute(query)]


def find_last_ended(connection: Connection, job: Job) -> Job | None:
    """The job of the same kind and subject that ended last before this one."""
    query = (
        select(jobs)
        .where(jobs.c.subject == job.subject, jobs.c.name == job.name, jobs.c.id != job.id)
        .where(jobs.c.status.in_(("succeeded", "partial-succeeded", "failed")))
        .order_by(jobs.c.finished_at.desc(), jobs.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else _job(row)


def next_due(connection: Connection, claim: Claim) -> datetime | None:
    """When there is something to do: now when it is overdue, none when there is nothing."""
    first = connection.execute(select(func.min(jobs.c.run_at)).where(_is_free(claim))).scalar()
    lost = connection.execute(select(func.min(jobs.c.lease_until)).where(jobs.c.status == "running")).scalar()
    due = connection.execute(select(func.min(schedules.c.next_at)).where(schedules.c.is_active)).scalar()
    known = [cast(int, at) for at in (first, lost, due) if at is not None]
    return _instant(min(known)) if known else None


def claim_jobs(
    connection: Connection, claim: Claim, rules: Mapping[str, QueueRule], names: Sequence[str], most: int
) -> list[Job]:
    """Take jobs that are due, no more of a queue than its rule allows."""
    lock(connection)
    now = micros(claim.now)
    _take_from_the_dead(connection, now)
    running: dict[str, int] = {}
    for queue, count in connection.execute(
        select(jobs.c.queue, func.count()).where(jobs.c.status == "running").group_by(jobs.c.queue)
    ):
        running[queue] = count
    begun: dict[str, int] = {}
    for queue, count in connection.execute(
        select(jobs.c.queue, func.count()).where(jobs.c.started_at > now - _MINUTE).group_by(jobs.c.queue)
    ):
        begun[queue] = count
    query = (
        select(jobs)
        .where(_is_free(claim), jobs.c.run_at <= now, jobs.c.name.in_(names))
        .order_by(jobs.c.run_at, jobs.c.id)
        .limit(_LOOKED_AT)
    )
    taken: list[Job] = []
    for job in [_job(row) for row in connection.execute(query)]:
        rule = rules.get(job.queue, QueueRule())
        is_full = running.get(job.queue, 0) >= rule.concurrency
        is_fast = rule.per_minute is not None and begun.get(job.queue, 0) >= rule.per_minute
        if len(taken) >= most or is_full or is_fast:
            continue
        running[job.queue] = running.get(job.queue, 0) + 1
        begun[job.queue] = begun.get(job.queue, 0) + 1
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id)
            .values(status="running", owner=claim.owner, lease_until=micros(claim.until), started_at=now)
        )
        taken.append(job)
    return taken


def keep_leases(
    connection: Connection,
    claim: Claim,
    progress: Mapping[str, Mapping[str, object]],
    advanced: Sequence[str] = (),
) -> list[str]:
    """Say that the owner lives and how far its jobs are; ids of those that somebody wants cancelled."""
    connection.execute(
        update(jobs)
        .where(jobs.c.owner == claim.owner, jobs.c.status.in_(("queued", "running")))
        .values(lease_until=micros(claim.until))
    )
    for id, told in progress.items():
        connection.execute(
            update(jobs).where(jobs.c.id == id, jobs.c.owner == claim.owner).values(progress=encode(told))
        )
    if advanced:
        connection.execute(
            update(jobs).where(jobs.c.id.in_(advanced), jobs.c.owner == claim.owner).values(deaths=0)
        )
    query = select(jobs.c.id).where(
        jobs.c.owner == claim.owner, jobs.c.status == "running", jobs.c.is_cancel_wanted
    )
    return [row[0] for row in connection.execute(query)]


def end_job(
    connection: Connection,
    id: str,
    owner: str,
    now: datetime,
    *,
    status: JobStatus,
    result: object = None,
    error: str = "",
    progress: Mapping[str, object] | None = None,
) -> bool:
    """Note a job's end; false when it belongs to somebody else by now."""
    values: dict[str, object] = {
        "status": status,
        "result": encode(result),
        "error": error,
        "finished_at": micros(now),
        "owner": None,
        "lease_until": None,
    }
    if progress is not None:
        values["progress"] = encode(progress)
    done = connection.execute(_mine(id, owner).values(values))
    if done.rowcount:
        connection.execute(delete(steps).where(steps.c.job_id == id))
    return bool(done.rowcount)


def put_back(
    connection: Connection, id: str, owner: str, run_at: datetime, *, failed: bool = False, error: str = ""
) -> None:
    """Let a job be begun again, by anybody, from then on."""
    values: dict[str, object] = {
        "status": "queued",
        "owner": None,
        "lease_until": None,
        "run_at": micros(run_at),
        "error": error,
    }
    if failed:
        values["attempts"] = jobs.c.attempts + 1
    connection.execute(_mine(id, owner).values(values))


def cancel_job(connection: Connection, id: str, now: datetime) -> Job | None:
    """Cancel a queued job, or ask for a running one to be cancelled; the job as it is then."""
    lock(connection)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == id, jobs.c.status == "queued")
        .values(status="cancelled", finished_at=micros(now), owner=None, lease_until=None)
    )
    connection.execute(
        update(jobs).where(jobs.c.id == id, jobs.c.status == "running").values(is_cancel_wanted=True)
    )
    return find_job(connection, id)


def find_step(connection: Connection, job_id: str, name: str) -> str | None:
    """What a step that was done returned, as JSON."""
    query = select(steps.c.result).where(steps.c.job_id == job_id, steps.c.name == name)
    return cast("str | None", connection.execute(query).scalar())


def put_step(connection: Connection, job_id: str, name: str, result: str) -> None:
    """Note that a step was done, with which the job has got further than those that ended in its middle."""
    connection.execute(delete(steps).where(steps.c.job_id == job_id, steps.c.name == name))
    connection.execute(steps.insert().values(job_id=job_id, name=name, result=result))
    connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.deaths > 0).values(deaths=0))


def put_schedule(connection: Connection, schedule: Schedule, next_at: datetime) -> None:
    """Make or change a schedule; one whose times stay the same keeps the time at which it is due."""
    lock(connection)
    known = find_schedule(connection, schedule.id)
    same = known is not None and (known.cron, known.zone) == (schedule.cron, schedule.zone)
    due = known.next_at if known is not None and same and known.is_active and known.next_at else next_at
    connection.execute(delete(schedules).where(schedules.c.id == schedule.id))
    connection.execute(
        schedules.insert().values(
            id=schedule.id,
            cron=schedule.cron,
            name=schedule.name,
            args=encode(schedule.args),
            zone=schedule.zone,
            origin=schedule.origin,
            is_active=schedule.is_active,
            next_at=micros(due),
            last_at=None if known is None or known.last_at is None else micros(known.last_at),
        )
    )


def find_schedule(connection: Connection, id: str) -> Schedule | None:
    """A schedule, or none."""
    row = connection.execute(select(schedules).where(schedules.c.id == id)).first()
    return None if row is None else _schedule(row)


def list_schedules(connection: Connection, due: datetime | None = None) -> list[Schedule]:
    """All schedules by id, or those that are due."""
    query = select(schedules).order_by(schedules.c.id)
    if due is not None:
        query = query.where(schedules.c.is_active, schedules.c.next_at <= micros(due))
    return [_schedule(row) for row in connection.execute(query)]


def remove_schedule(connection: Connection, id: str) -> bool:
    """Remove a schedule; whether there was one."""
    return bool(connection.execute(delete(schedules).where(schedules.c.id == id)).rowcount)


def move_schedule(connection: Connection, id: str, *, last_at: datetime, next_at: datetime) -> None:
    """Note that a schedule has put its job in."""
    connection.execute(
        update(schedules).where(schedules.c.id == id).values(last_at=micros(last_at), next_at=micros(next_at))
    )


def remove_old(connection: Connection, before: datetime) -> int:
    """Forget jobs that ended before then; how many there were."""
    gone = connection.execute(
        delete(jobs).where(jobs.c.status.in_(tuple(ENDED)), jobs.c.finished_at < micros(before))
    )
    connection.execute(delete(steps).where(steps.c.job_id.not_in(select(jobs.c.id))))
    return gone.rowcount


def _take_from_the_dead(connection: Connection, now: int) -> None:
    is_lost = and_(jobs.c.status == "running", jobs.c.lease_until < now)
    connection.execute(
        update(jobs)
        .where(is_lost, jobs.c.is_cancel_wanted)
        .values(status="cancelled", finished_at=now, owner=None, lease_until=None)
    )
    connection.execute(
        update(jobs)
        .where(is_lost, jobs.c.deaths >= MAX_DEATHS)
        .values(
            status="failed",
            finished_at=now,
            owner=None,
            lease_until=None,
            error=f"its process ended in the middle of it {MAX_DEATHS + 1} times in a row "
            "without getting further",
        )
    )
    connection.execute(
        update(jobs)
        .where(is_lost)
        .values(status="queued", owner=None, lease_until=None, deaths=jobs.c.deaths + 1)
    )


def _is_free(claim: Claim) -> ColumnElement[bool]:
    mine = or_(jobs.c.owner.is_(None), jobs.c.owner == claim.owner, jobs.c.lease_until < micros(claim.now))
    return and_(jobs.c.status == "queued", mine)


def _mine(id: str, owner: str) -> Update:
    return update(jobs).where(jobs.c.id == id, jobs.c.owner == owner, jobs.c.status == "running")


def _instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _maybe(value: int | None) -> datetime | None:
    return None if value is None else _instant(value)


def _object(text: str) -> dict[str, object]:
    return msgspec.json.decode(text, type=dict[str, object])


def _job(row: Row[tuple[object, ...]]) -> Job:
    found = row._mapping
    return Job(
        id=found["id"],
        name=found["name"],
        queue=found["queue"],
        args=_object(found["args"]),
        status=found["status"],
        created_at=_instant(found["created_at"]),
        run_at=_instant(found["run_at"]),
        started_at=_maybe(found["started_at"]),
        finished_at=_maybe(found["finished_at"]),
        key=found["dedup_key"],
        subject=found["subject"],
        attempts=found["attempts"],
        deaths=found["deaths"],
        progress=_object(found["progress"]),
        result=None if found["result"] is None else msgspec.json.decode(found["result"]),
        error=found["error"],
        is_cancel_wanted=found["is_cancel_wanted"],
    )


def _schedule(row: Row[tuple[object, ...]]) -> Schedule:
    found = row._mapping
    return Schedule(
        id=found["id"],
        cron=found["cron"],
        name=found["name"],
        args=_object(found["args"]),
        zone=found["zone"],
        origin=found["origin"],
        is_active=found["is_active"],
        next_at=_maybe(found["next_at"]),
        last_at=_maybe(found["last_at"]),
    )
