"""Background work: looking at it, cancelling it, and what is put in when."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

import msgspec
from starlette.responses import Response

from weft.errors import ForbiddenError
from weft.jobs import Job, JobStatus, Schedule, check_cron
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import CLEAN_JOB, COPY_JOB, PULL_JOB, REPORT_JOB, THIN_JOB, VERIFY_JOB
from weft.server.archive_api.target import KEY_ENV, PullArgs, refused
from weft.server.archive_api.thinning import LONGEST_DAYS, ThinArgs
from weft.server.reply import json_reply

_STATUSES = ("queued", "running", "succeeded", "partial-succeeded", "failed", "cancelled")
_TASKS = {
    "pull": PULL_JOB,
    "clean": CLEAN_JOB,
    "copy": COPY_JOB,
    "report": REPORT_JOB,
    "thin": THIN_JOB,
    "verify": VERIFY_JOB,
}


class _CleanArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    days_to_keep: float | None = None
    organization_id: str | None = None


class _CopyArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of packing and copying: the settings say everything."""


class _ReportArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    organization_id: str | None = None


class _VerifyArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    depth: str = "bytes"
    budget_seconds: float | None = None


_ARGS: dict[str, type[msgspec.Struct]] = {
    "pull": PullArgs,
    "clean": _CleanArgs,
    "copy": _CopyArgs,
    "report": _ReportArgs,
    "thin": ThinArgs,
    "verify": _VerifyArgs,
}


async def list_jobs(call: ArchiveCall) -> Response:
    """`GET .../jobs`: the latest first."""
    status = call.text("status")
    if status is not None and status not in _STATUSES:
        raise refused("status", f"{status[:40]!r} is unknown; known: {', '.join(_STATUSES)}")
    statuses = () if status is None else (cast(JobStatus, status),)
    limit = call.number("limit", 50, least=1, most=200)
    found = await call.desk.jobs.list(statuses=statuses, name=call.text("name"), limit=limit)
    return json_reply({"data": [job_view(job) for job in found]})


async def show_job(call: ArchiveCall) -> Response:
    """`GET .../jobs/{job_id}`."""
    return json_reply(job_view(await call.desk.jobs.get(call.request.path_params["job_id"])))


async def cancel_job(call: ArchiveCall) -> Response:
    """`POST .../jobs/{job_id}/cancel`."""
    job = await call.desk.jobs.cancel(call.request.path_params["job_id"])
    await call.note("archive.cancel", target_id=job.id)
    return json_reply(job_view(job))


async def list_schedules(call: ArchiveCall) -> Response:
    """`GET .../schedules`."""
    found = await call.desk.jobs.list_schedules()
    return json_reply({"data": [schedule_view(schedule) for schedule in found]})


async def put_schedule(call: ArchiveCall) -> Response:
    """`PUT .../schedules/{schedule_id}`: make or change one; keys are named, never given."""
    body = await call.json()
    schedule = read_schedule(
        call.request.path_params["schedule_id"], body, call.desk.settings.archive.timezone
    )
    known = {one.id: one for one in await call.desk.jobs.list_schedules()}
    if schedule.id in known and known[schedule.id].origin == "settings":
        raise ForbiddenError(f"The schedule {schedule.id!r} follows from the settings; change it there.")
    if schedule.name == THIN_JOB:
        msgspec.convert(schedule.args, ThinArgs).check(call.desk.settings.archive.store_days)
    for name in _named_sources(schedule):
        if name not in ("*", *call.desk.sources):
            known_sources = ", ".join(call.desk.sources) or "none"
            raise refused("targets", f"the settings have no source {name!r}; known: {known_sources}")
    await call.note("archive.schedule", target_id=schedule.id, cron=schedule.cron)
    return json_reply(schedule_view(await call.desk.jobs.put_schedule(schedule)))


async def remove_schedule(call: ArchiveCall) -> Response:
    """`DELETE .../schedules/{schedule_id}`."""
    id = call.request.path_params["schedule_id"]
    for schedule in await call.desk.jobs.list_schedules():
        if schedule.id == id and schedule.origin == "settings":
            raise ForbiddenError(f"The schedule {id!r} follows from the settings; change it there.")
    await call.desk.jobs.remove_schedule(id)
    await call.note("archive.unschedule", target_id=id)
    return json_reply({"success": True})


def read_schedule(id: str, fields: dict[str, object], zone: str) -> Schedule:
    """A schedule as a request describes it.

    Raises:
        InvalidRequestError: A field is missing, unknown or wrong, or holds a key.
    """
    known = ("cron", "task", "args", "timezone", "is_active")
    if unknown := sorted(set(fields) - set(known)):
        raise refused(unknown[0], f"is unknown; known: {', '.join(known)}")
    cron, task, args = fields.get("cron"), fields.get("task", "pull"), fields.get("args", {})
    zone_given, is_active = fields.get("timezone", zone), fields.get("is_active", True)
    if not isinstance(cron, str) or not isinstance(zone_given, str):
        raise refused("cron", "has to be a text such as '0 2 * * *'")
    if not isinstance(task, str) or task not in _TASKS:
        raise refused("task", f"is unknown; known: {', '.join(_TASKS)}")
    if not isinstance(is_active, bool):
        raise refused("is_active", "is neither true nor false")
    if not 1 <= len(id) <= 100:
        raise refused("schedule_id", "has to have 1 to 100 characters")
    check_cron(cron, zone_given)
    if task == "pull" and args == {}:
        args = {"targets": [{"source": "*"}]}
    if task == "thin" and isinstance(args, dict):
        args = {"pull": True, **args}
    return Schedule(
        id, cron, _TASKS[task], _read_args(task, args), zone=zone_given, origin="api", is_active=is_active
    )


def _named_sources(schedule: Schedule) -> list[str]:
    if schedule.name != PULL_JOB:
        return []
    parsed = msgspec.convert(schedule.args, PullArgs)
    return [target.source for target in parsed.targets if target.source is not None]


def _read_args(task: str, args: object) -> dict[str, object]:
    try:
        parsed = msgspec.convert(args, _ARGS[task])
    except (msgspec.ValidationError, RecursionError) as error:
        raise refused("args", f"{error}; keys are never stored: name a `source` or a `key_env`") from error
    if isinstance(parsed, PullArgs):
        if not parsed.targets:
            raise refused("args", "targets is empty")
        for target in parsed.targets:
            _check_target(target.source, target.key_env, target.url)
        if parsed.filters is not None:
            parsed.filters.query()
    if isinstance(parsed, ThinArgs):
        parsed.check(LONGEST_DAYS)
    if isinstance(parsed, _VerifyArgs) and parsed.depth not in ("structure", "sizes", "bytes"):
        raise refused("args", "depth is none of structure, sizes, bytes")
    built: dict[str, object] = msgspec.to_builtins(parsed)
    return built


def _check_target(source: str | None, key_env: str | None, url: str) -> None:
    if source is None and (key_env is None or not url.startswith(("http://", "https://"))):
        raise refused("args", "a target has a `source` of the settings, or a `url` and a `key_env`")
    if key_env is not None and re.fullmatch(KEY_ENV, key_env) is None:
        raise refused(
            "args", f"key_env has to be DIFY_API_KEY or begin with DIFY_API_KEY_, not {key_env[:40]!r}"
        )


def job_view(job: Job) -> dict[str, object]:
    """A job as JSON."""
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "subject": job.subject,
        "created_at": _text(job.created_at),
        "run_at": _text(job.run_at),
        "started_at": _text(job.started_at),
        "finished_at": _text(job.finished_at),
        "attempts": job.attempts,
        "progress": job.progress,
        "result": job.result,
        "error": job.error,
    }


def schedule_view(schedule: Schedule) -> dict[str, object]:
    """A schedule as JSON."""
    tasks = {name: task for task, name in _TASKS.items()}
    return {
        "id": schedule.id,
        "cron": schedule.cron,
        "timezone": schedule.zone,
        "task": tasks.get(schedule.name, schedule.name),
        "args": schedule.args,
        "origin": schedule.origin,
        "is_active": schedule.is_active,
        "next_at": _text(schedule.next_at),
        "last_at": _text(schedule.last_at),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
