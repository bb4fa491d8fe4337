"""Answering from annotations: the settings of each app, and the jobs that switch it on and off."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from weft.store.codec import Codec, micros
from weft.store.records import AnnotationAction, AnnotationJob, AnnotationSettings
from weft.store.statement import Statement, inserting, updating, upserting
from weft.store.tables import annotation_jobs, annotation_settings

ORPHANED = "The server stopped before this job ended."
"""The error of a job whose process died."""
OWNER = "owner_id"
"""Key of a job's settings that names the process which works on it."""

_SETTINGS_CODEC = Codec(AnnotationSettings, annotation_settings)
_PUT_SETTINGS = upserting(
    annotation_settings,
    "id",
    changes=["enabled", "score_threshold", "embedding_provider", "embedding_model", "updated_at"],
)
_FIND_SETTINGS = Statement(
    select(annotation_settings).where(annotation_settings.c.id == bindparam("app_id")), ["app_id"]
)
_JOB_CODEC = Codec(AnnotationJob, annotation_jobs)
_INSERT_JOB = inserting(annotation_jobs)
_PROGRESS = ("status", "error", "finished_at")
_UPDATE_JOB = updating(annotation_jobs, *_PROGRESS)
_progress = _JOB_CODEC.encoder(*_PROGRESS, "id")
_OF_APP = (
    select(annotation_jobs)
    .where(annotation_jobs.c.app_id == bindparam("app_id"))
    .where(annotation_jobs.c.action == bindparam("action"))
)
_FIND_JOB = Statement(_OF_APP.where(annotation_jobs.c.id == bindparam("id")), ["app_id", "action", "id"])
_FIND_UNFINISHED = Statement(
    _OF_APP.where(annotation_jobs.c.finished_at.is_(None))
    .order_by(annotation_jobs.c.created_at, annotation_jobs.c.id)
    .limit(1),
    ["app_id", "action"],
)
_UNFINISHED = Statement(
    select(annotation_jobs)
    .where(annotation_jobs.c.finished_at.is_(None))
    .order_by(annotation_jobs.c.created_at, annotation_jobs.c.id),
    [],
)


def find_settings(connection: Connection, app_id: str) -> AnnotationSettings | None:
    """How an app answers from its annotations; `None` if that was never switched on."""
    row = _FIND_SETTINGS.row(connection, app_id)
    return None if row is None else _SETTINGS_CODEC.decode(row)


def put_settings(connection: Connection, settings: AnnotationSettings) -> None:
    """Store how an app answers from its annotations."""
    _PUT_SETTINGS.run(connection, *_SETTINGS_CODEC.encode(settings))


def switch_off(connection: Connection, app_id: str, now: datetime) -> None:
    """Answer from annotations no more; nothing happens where that was never switched on."""
    connection.execute(
        update(annotation_settings)
        .where(annotation_settings.c.id == app_id)
        .values(enabled=False, updated_at=micros(now))
    )


def insert_job(connection: Connection, job: AnnotationJob) -> None:
    """Store a new job."""
    _INSERT_JOB.run(connection, *_JOB_CODEC.encode(job))


def update_job(connection: Connection, job: AnnotationJob) -> bool:
    """Store status, error and `finished_at` of a job; whether it is still known."""
    return _UPDATE_JOB.run(connection, *_progress(job)) > 0


def find_job(
    connection: Connection, app_id: str, action: AnnotationAction, job_id: str
) -> AnnotationJob | None:
    """The app's job of that id, if it does that."""
    row = _FIND_JOB.row(connection, app_id, action, job_id)
    return None if row is None else _JOB_CODEC.decode(row)


def find_unfinished_job(
    connection: Connection, app_id: str, action: AnnotationAction
) -> AnnotationJob | None:
    """The job that is doing that for the app."""
    row = _FIND_UNFINISHED.row(connection, app_id, action)
    return None if row is None else _JOB_CODEC.decode(row)


def close_orphans(connection: Connection, alive: Collection[str], now: datetime) -> int:
    """Close every job that has not ended and whose process is dead, as an error.

    Args:
        connection: In a write.
        alive: Ids of the processes that live, see `weft.store.processes.list_alive`.
        now: When they ended, as far as anybody knows.

    Returns:
        How many were closed.
    """
    unfinished = _JOB_CODEC.decode_all(_UNFINISHED.rows(connection))
    orphans = [job for job in unfinished if job.settings.get(OWNER) not in alive]
    ended = micros(now)
    _UPDATE_JOB.run_many(connection, [("error", ORPHANED, ended, job.id) for job in orphans])
    return len(orphans)


def remove_jobs(connection: Connection, before: datetime) -> int:
    """Forget the jobs that ended before then; how many there were."""
    return connection.execute(
        delete(annotation_jobs).where(annotation_jobs.c.finished_at < micros(before))
    ).rowcount
