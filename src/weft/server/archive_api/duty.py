"""What is done on the archive in the background, each kind of job one function."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from weft.archive import (
    AppReport,
    AsyncArchive,
    PullProgress,
    PullReport,
    SaveFilters,
    SourceSpec,
    VerifyReport,
)
from weft.errors import ArchiveError, ConfigError, WeftError
from weft.jobs import Job, JobKind, JobWork, Partly, Retry
from weft.server.archive_api import copying, report, thinning
from weft.server.archive_api.desk import (
    CLEAN_JOB,
    COPY_JOB,
    DISK_JOB,
    PULL_JOB,
    REPORT_JOB,
    RESTORE_JOB,
    THIN_JOB,
    VERIFY_JOB,
    WEBHOOK_JOB,
    ArchiveDesk,
)
from weft.server.archive_api.target import PullArgs

_BAD: Final = ("failed", "partial-succeeded")
_SHOWN_FAILURES: Final = 100
_EVENTS: Final = {
    PULL_JOB: ("archive.pull.failed", "archive.pull.recovered"),
    CLEAN_JOB: ("archive.clean.failed", "archive.clean.recovered"),
    THIN_JOB: ("archive.thin.failed", "archive.thin.recovered"),
    COPY_JOB: ("archive.copy.failed", "archive.copy.recovered"),
    VERIFY_JOB: ("archive.verify.failed", "archive.verify.recovered"),
    DISK_JOB: ("archive.disk.low", "archive.disk.recovered"),
    REPORT_JOB: ("archive.report.failed", "archive.report.made"),
}
"""What others are told of: that a kind of work failed, and that it did not fail again; of reports, always."""


def kinds(desk: ArchiveDesk) -> list[JobKind]:
    """All kinds of jobs; a locked archive or a full disk is waited for."""
    busy = Retry(attempts=4, first_seconds=60.0)
    return [
        JobKind(PULL_JOB, partial(pull, desk), queue="pull", retry=busy),
        JobKind(CLEAN_JOB, partial(clean, desk), queue="clean", retry=busy),
        JobKind(THIN_JOB, partial(thin, desk), queue="clean"),
        JobKind(RESTORE_JOB, partial(restore, desk), queue="restore"),
        JobKind(COPY_JOB, partial(copying.copy, desk), queue="copy", retry=busy),
        JobKind(VERIFY_JOB, partial(verify, desk), queue="verify"),
        JobKind(REPORT_JOB, partial(report.write, desk), queue="report", retry=busy),
        JobKind(DISK_JOB, partial(check_disk, desk), queue="disk"),
        JobKind(WEBHOOK_JOB, partial(send_webhook, desk), queue="webhook", retry=Retry(attempts=8)),
    ]


async def pull(desk: ArchiveDesk, work: JobWork) -> object:
    """Pull every target; what happens to one stops no other, and none is pulled twice after a kill."""
    args = msgspec.convert(work.job.args, PullArgs)
    keys = work.secret if isinstance(work.secret, list) else []
    results: list[object] = []
    errors: list[str] = []
    specs: list[tuple[str, SourceSpec]] = []
    for number, target in enumerate(args.targets):
        try:
            found = desk.resolve(target, keys[number] if number < len(keys) else "")
        except WeftError as error:
            errors.append(f"{target.label}: {error}")
            results.append({"target": target.label, "success": False, "error": str(error)})
            continue
        specs += [(f"{number}.{place}", spec) for place, spec in enumerate(found)]
    async with desk.writing() as archive:
        for number, (step, spec) in enumerate(specs):
            work.tell(source=number + 1, sources=len(specs))
            result = await work.step(step, partial(_pull_one, desk, work, archive, spec, args.filters))
            results.append(result)
            if isinstance(result, dict) and not result["success"]:
                errors.append(f"{result['target']}: {result['error']}")
        await desk.index(archive)
    return Partly(results, "; ".join(errors)) if errors else results


async def _pull_one(
    desk: ArchiveDesk, work: JobWork, archive: AsyncArchive, spec: SourceSpec, filters: SaveFilters | None
) -> object:
    label = spec.app_id or spec.url or spec.kind
    apps: dict[str, PullProgress] = {}

    def told(progress: PullProgress) -> None:
        before = apps.get(progress.app.id)
        apps[progress.app.id] = progress
        earlier = (0, 0) if before is None else (before.written, before.runs)
        if (progress.written, progress.runs) > earlier:
            work.advance()  # it is on the disk, and the next pull passes over it
        work.tell(
            seen=sum(one.seen for one in apps.values()),
            written=sum(one.written for one in apps.values()),
            unchanged=sum(one.unchanged for one in apps.values()),
            failed=sum(one.failed for one in apps.values()),
        )

    try:
        async with desk.open_source(spec) as source:
            report = await archive.pull(
                source,
                progress=told,
                query=None if filters is None else filters.query(),
                organization_id=spec.organization_id,
            )
    except ArchiveError:
        raise  # it is about this archive, so every source would meet it
    except WeftError as error:
        return {"target": label, "success": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        desk.say_changed()
    return {"target": label, **pull_view(report)}


async def clean(desk: ArchiveDesk, work: JobWork) -> object:
    """Delete what is old enough; holds are kept to, and so is the clock's guard.

    As the settings want it, the own store is thinned first and files that nobody needs go too; an order of
    its own says how many days the archive keeps, and is about the archive alone.
    """
    settings = desk.settings.archive
    if work.job.args:
        view = await _clean_archive(desk, work, work.job.args.get("days_to_keep", settings.retention_days))
        return view if view["success"] else Partly(view, str(view["message"]))
    parts: dict[str, dict[str, object]] = {}
    if settings.store_days:
        args = thinning.ThinArgs(pull=True).check(settings.store_days)
        parts["store"] = await thinning.thin(desk, work, args, pull=partial(_pull_own, desk, work))
    view = {"success": True, "message": "Nothing is deleted from the archive"}
    if settings.retention_days is not None or not settings.store_days:
        view = await _clean_archive(desk, work, settings.retention_days)
    try:
        parts["files"] = {"success": True, **await thinning.sweep(desk)}
    except WeftError as error:
        parts["files"] = {"success": False, "error": f"{type(error).__name__}: {error}"}
    errors = [] if view["success"] else [str(view["message"])]
    errors += [f"{name}: {part['error']}" for name, part in parts.items() if not part["success"]]
    whole = {**view, **parts, "success": not errors}
    return Partly(whole, "; ".join(errors)) if errors else whole


async def _clean_archive(desk: ArchiveDesk, work: JobWork, days: object) -> dict[str, object]:
    organization = work.job.args.get("organization_id")
    if not isinstance(days, int | float):
        raise ConfigError("archive.retention_days is not set, so nothing is deleted")
    async with desk.writing() as archive:
        result = await archive.clean_old_logs(
            float(days), organization if isinstance(organization, str) else None
        )
        await desk.index(archive, tidy=True)
    view: dict[str, object] = msgspec.to_builtins(result)
    return view


async def thin(desk: ArchiveDesk, work: JobWork) -> object:
    """Delete from the own store what the archive has."""
    args = msgspec.convert(work.job.args, thinning.ThinArgs).check(desk.settings.archive.store_days)
    view = await thinning.thin(desk, work, args, pull=partial(_pull_own, desk, work))
    return view if view["success"] else Partly(view, str(view["error"]))


async def _pull_own(
    desk: ArchiveDesk, work: JobWork, archive: AsyncArchive, spec: SourceSpec
) -> dict[str, object]:
    result = await _pull_one(desk, work, archive, spec, None)
    await desk.index(archive)
    return msgspec.convert(result, dict[str, object])


async def restore(desk: ArchiveDesk, work: JobWork) -> object:
    """Put archived conversations back into the own store."""
    args = msgspec.convert(work.job.args, thinning.RestoreArgs)
    view = await thinning.restore(desk, work, args)
    if view["success"]:
        return view
    return Partly(view, f"{view['failed_count']} conversations and all of some apps could not be put back")


async def verify(desk: ArchiveDesk, work: JobWork) -> object:
    """Prove the archive as deep as asked."""
    depth, budget = work.job.args.get("depth", "bytes"), work.job.args.get("budget_seconds")
    async with desk.reading() as archive:
        report = await archive.verify(
            "structure" if depth == "structure" else "sizes" if depth == "sizes" else "bytes",
            budget_seconds=float(budget) if isinstance(budget, int | float) else None,
        )
    view = verify_view(report)
    return Partly(view, f"{len(report.findings)} findings") if report.findings else view


async def check_disk(desk: ArchiveDesk, work: JobWork) -> object:
    """Look how much room there is."""
    free, least = free_bytes(desk.folder), int(desk.settings.archive.min_free_bytes)
    view = {"free_bytes": free, "min_free_bytes": least}
    return Partly(view, f"{free} bytes are free, fewer than {least}") if free < least else view


async def send_webhook(desk: ArchiveDesk, work: JobWork) -> object:
    """Send one message; the job is tried again when it does not get there."""
    args = work.job.args
    body = msgspec.json.encode(args["message"])
    status = await desk.webhooks.send(
        str(args["to"]), event=str(args["event"]), delivery=work.job.id, body=body
    )
    return {"status": status}


async def tell_end(desk: ArchiveDesk, job: Job, before: Job | None) -> None:
    """Put in the messages that a job's end is worth."""
    if job.name not in _EVENTS or not desk.webhooks.urls:
        return
    failed, recovered = _EVENTS[job.name]
    is_bad, was_bad = job.status in _BAD, before is not None and before.status in _BAD
    if job.status == "cancelled" or not (is_bad or was_bad or job.name == REPORT_JOB):
        return
    if is_bad and was_bad and job.name == DISK_JOB:
        return  # it is looked at every few minutes, and was told already
    event = failed if is_bad else recovered
    message = {
        "event": event,
        "at": None if job.finished_at is None else job.finished_at.isoformat().replace("+00:00", "Z"),
        "job": {"id": job.id, "name": job.name, "subject": job.subject, "status": job.status},
        "error": job.error,
        "result": job.result,
    }
    for to in desk.webhooks.urls:
        await desk.jobs.enqueue(
            WEBHOOK_JOB, {"to": to, "event": event, "message": message}, id=f"{job.id}-{to}", subject=event
        )


def free_bytes(folder: Path) -> int:
    """Room on the disk on which the folder is, or will be."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def pull_view(report: PullReport) -> dict[str, object]:
    """A pull's report as JSON, without the paths of files."""
    errors = [f"{app.app.name or app.app.id}: {app.error}" for app in report.apps if app.error]
    failed = sum(len(app.failed) for app in report.apps)
    if failed:
        errors.append(f"{failed} conversations could not be had")
    return {
        "success": report.succeeded,
        "error": "; ".join(errors),
        "seen": report.total("seen"),
        "written": report.total("written"),
        "unchanged": report.total("unchanged"),
        "gone": report.total("gone"),
        "runs": report.total("runs"),
        "files": report.total("files"),
        "files_missing": report.total("files_missing"),
        "failed": failed,
        "bytes_written": report.total("bytes_written"),
        "apps": _apps(report.apps),
    }


def _apps(reports: Sequence[AppReport]) -> list[dict[str, object]]:
    shown = [report for report in reports if report.written or report.failed or report.error]
    return [
        {
            "id": report.app.id,
            "name": report.app.name,
            "seen": report.seen,
            "written": report.written,
            "unchanged": report.unchanged,
            "error": report.error,
            "failed": [
                {"conversation_id": item.item.id, "reason": item.reason, "attempts": item.attempts}
                for item in report.failed[:_SHOWN_FAILURES]
            ],
        }
        for report in shown[:_SHOWN_FAILURES]
    ]


def verify_view(report: VerifyReport) -> dict[str, object]:
    """A verification as JSON."""
    return {
        "result": report.result.name.lower(),
        "depth": report.depth,
        "days": report.days,
        "files": report.files,
        "bytes": report.bytes,
        "complete": report.complete,
        "findings": [
            {"code": finding.code, "path": finding.path, "detail": finding.detail}
            for finding in report.findings[:1000]
        ],
        "findings_total": len(report.findings),
    }
