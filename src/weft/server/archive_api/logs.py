"""The five operations of the conversation log guide: save, summary, export, clean, scheduled.

Source: the conversation log guide; further fields and parameters are additions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from starlette.responses import Response, StreamingResponse

from weft.archive import (
    FORMATS,
    AsyncArchive,
    RetentionRule,
    SaveFilters,
    SaveResult,
    ScheduledResult,
)
from weft.errors import ArchiveError, WeftError
from weft.server.archive_api.call import ArchiveCall, translated
from weft.server.archive_api.desk import PULL_JOB
from weft.server.archive_api.jobs import job_view
from weft.server.archive_api.target import Asked, PullArgs, read_app, read_filters, refused
from weft.server.reply import json_reply

_ACTIONS = ("summary", "export")
_MAX_APPS = 200


async def save(call: ArchiveCall) -> Response:
    """`POST /api/conversation-logs`: save an app's conversations now, or in the background."""
    body = await call.json()
    asked, filters = read_app(body), read_filters(body)
    call.desk.resolve(asked.target, asked.key)  # what is unknown is said before anything is begun
    await call.note("archive.save", app=asked.target.label, organization_id=asked.target.organization_id)
    if _in_background(body):
        return await _put_in(call, [asked], filters)
    try:
        async with call.desk.writing() as archive:
            result = await _save_one(call, archive, asked, filters)
            await call.desk.index(archive)
    except WeftError as error:
        raise translated(error) from error
    return json_reply(result)


async def save_scheduled(call: ArchiveCall) -> Response:
    """`POST /api/conversation-logs/scheduled`: save several apps; what happens to one stops no other."""
    body = await call.json()
    apps = body.get("apps")
    if not isinstance(apps, list) or not apps or len(apps) > _MAX_APPS:
        raise refused("apps", f"has to be a list of 1 to {_MAX_APPS} apps")
    asked = []
    for number, app in enumerate(apps):
        if not isinstance(app, dict):
            raise refused(f"apps[{number}]", "has to be an object")
        asked.append(read_app(app, where=f"apps[{number}]."))
    filters = read_filters(body)
    await call.note("archive.save_scheduled", apps=[one.target.label for one in asked])
    if _in_background(body):
        return await _put_in(call, asked, filters)
    results = []
    async with call.desk.writing() as archive:
        for one in asked:
            try:
                results.append(_result(one, await _save_one(call, archive, one, filters)))
            except ArchiveError:
                raise  # it is about this archive, so every app would meet it
            except WeftError as error:
                results.append(_result(one, f"{type(error).__name__}: {error}"))
        await call.desk.index(archive)
    failed = [result.app_id for result in results if not result.success]
    message = f"{len(failed)} of {len(results)} apps failed" if failed else "Scheduled logging completed"
    return json_reply({"success": not failed, "message": message, "results": results})


async def look(call: ArchiveCall) -> Response:
    """`GET /api/conversation-logs?action=summary|export`."""
    kind, cursor = call.text("format") or "json", call.text("cursor")
    if kind not in FORMATS.names():
        raise refused("format", f"{kind[:40]!r} is unknown; known: {', '.join(FORMATS.names())}")
    match call.text("action"):
        case "summary":
            call.select()  # a filter that makes no sense is refused here too
            return await _summary(call)
        case "export":
            return await _export(call, kind, cursor)
        case other:
            told = "is missing" if other is None else f"{other[:40]!r} is unknown"
            raise refused("action", f"{told}; known: {', '.join(_ACTIONS)}")


async def clean(call: ArchiveCall) -> Response:
    """`DELETE /api/conversation-logs`: delete what is older; with ``dry_run``, only say what would go."""
    text, organization_id = call.text("days_to_keep"), call.text("organization_id")
    days: float | None = call.desk.settings.archive.retention_days
    if text is not None:
        try:
            days = float(text)
        except ValueError:
            raise refused("days_to_keep", f"{text[:40]!r} is not a number of days") from None
    if days is None:
        raise refused("days_to_keep", "is missing, and archive.retention_days is not set")
    rule = RetentionRule(name=f"older than {days:g} days", keep_days=days)
    if call.flag("dry_run"):
        async with call.desk.reading() as archive:
            plan = await archive.preview_retention([rule], organization_id)
        return json_reply(
            {
                "success": True,
                "message": f"Logs older than {days:g} days would be deleted",
                "dry_run": True,
                "deleted_files": len(plan.candidates),
                "deleted_size_bytes": plan.size_bytes,
                "held": plan.held,
                "total": plan.total,
                "paths": [candidate.path for candidate in plan.candidates[:1000]],
            }
        )
    await call.note("archive.clean", days_to_keep=days, organization_id=organization_id)
    async with call.desk.writing() as archive:
        result = await archive.clean_old_logs(days, organization_id)
        await call.desk.index(archive)
    return json_reply(result)


async def _summary(call: ArchiveCall) -> Response:
    async with call.desk.reading() as archive:
        return json_reply(await archive.get_logs_summary(call.text("organization_id")))


async def _export(call: ArchiveCall, name: str, cursor: str | None) -> Response:
    query = call.select(needs_range=True)
    async with call.desk.reading() as archive:
        export = await archive.export(name, query, cursor)
        pieces = aiter(export)
        # What cannot be begun is said with a status; later it can only be broken off.
        first = await anext(pieces, b"")
    kind = export.stream.format
    headers = {"content-disposition": f'attachment; filename="conversations{kind.suffix}"'}
    return StreamingResponse(
        _rest(first, pieces), headers=headers if name != "json" else {}, media_type=kind.media_type
    )


async def _rest(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


async def _save_one(
    call: ArchiveCall, archive: AsyncArchive, asked: Asked, filters: SaveFilters | None
) -> SaveResult:
    desk = call.desk
    saved: list[SaveResult] = []
    try:
        for spec in desk.resolve(asked.target, asked.key):
            async with desk.open_source(spec) as source:
                saved.append(
                    await archive.save_conversations_with_messages(source, filters, spec.organization_id)
                )
    finally:
        desk.say_changed()
    if len(saved) == 1:
        return saved[0]
    return SaveResult(
        success=all(one.success for one in saved),
        message="; ".join(dict.fromkeys(one.message for one in saved)),
        total_conversations=sum(one.total_conversations for one in saved),
        saved_count=sum(one.saved_count for one in saved),
        failed_count=sum(one.failed_count for one in saved),
        file_paths=[path for one in saved for path in one.file_paths],
    )


def _result(asked: Asked, outcome: SaveResult | str) -> ScheduledResult:
    if isinstance(outcome, str):
        outcome = SaveResult(
            success=False,
            message=outcome,
            total_conversations=0,
            saved_count=0,
            failed_count=0,
            file_paths=[],
        )
    return ScheduledResult(
        app_id=asked.target.label,
        organization_id=asked.target.organization_id,
        success=outcome.success,
        message=outcome.message,
        total_conversations=outcome.total_conversations,
        saved_count=outcome.saved_count,
        failed_count=outcome.failed_count,
        file_paths=outcome.file_paths,
    )


def _in_background(body: dict[str, object]) -> bool:
    wanted = body.get("background", False)
    if not isinstance(wanted, bool):
        raise refused("background", "is neither true nor false")
    return wanted


async def _put_in(call: ArchiveCall, asked: Sequence[Asked], filters: SaveFilters | None) -> Response:
    keys = [one.key for one in asked]
    jobs = call.desk.jobs
    if any(keys) and not jobs.is_working:
        raise refused(
            "background",
            "this server does no background work, and keys are not given to others; name a source of the "
            "settings, or leave this out",
        )
    args = msgspec.to_builtins(PullArgs(targets=[one.target for one in asked], filters=filters))
    labels = " ".join(one.target.label for one in asked)
    job = await jobs.enqueue(
        PULL_JOB, args, subject=f"pull:{labels[:200]}", secret=keys if any(keys) else None
    )
    return json_reply(
        {"success": True, "message": "The work goes on in the background", "job": job_view(job)}, 202
    )
