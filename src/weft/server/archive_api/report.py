"""Reports: made when somebody asks, and by themselves when the settings say so."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, get_args

from starlette.responses import Response

from weft.archive import (
    REPORT_FOLDER,
    LocalFileSystem,
    PullNote,
    Report,
    ReportFormat,
    ReportPeriod,
    last_full_week,
    render_report,
    report_name,
    write_report,
)
from weft.jobs import JobWork
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import PULL_JOB, ArchiveDesk
from weft.server.archive_api.find import ask
from weft.server.archive_api.target import refused
from weft.server.reply import json_reply

_FORMATS: Final[tuple[ReportFormat, ...]] = get_args(ReportFormat)
_MEDIA: Final[dict[ReportFormat, str]] = {
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "json": "application/json",
}
_PULLS: Final = 200


async def report(call: ArchiveCall) -> Response:
    """`GET .../report`: what happened in the last full week, or from ``start_date`` to ``end_date``."""
    wanted = call.text("format") or "json"
    format = next((one for one in _FORMATS if one == wanted), None)
    if format is None:
        raise refused("format", f"{wanted[:40]!r} is unknown; known: {', '.join(_FORMATS)}")
    zone = call.text("timezone") or call.desk.settings.archive.timezone
    period = _period(call, zone)
    made = await make(
        call.desk, period, organization_id=call.text("organization_id"), excerpts=call.flag("excerpts")
    )
    if format == "json":
        return json_reply({"success": True, **made.to_dict()})
    headers = {"content-disposition": f'inline; filename="{report_name(made, format)}"'}
    return Response(render_report(made, format), media_type=_MEDIA[format], headers=headers)


async def write(desk: ArchiveDesk, work: JobWork) -> object:
    """The job: write the report on the last full week, in all its forms."""
    folder = desk.settings.archive.report_folder or desk.folder / REPORT_FOLDER
    organization = work.job.args.get("organization_id")
    made = await make(
        desk,
        last_full_week(desk.clock.now(), desk.settings.archive.timezone),
        organization_id=organization if isinstance(organization, str) else None,
    )
    async with desk.reading() as archive:
        files = await archive.call(write_report, made, folder, LocalFileSystem())
    return {
        "period": {"start": made.period.start.isoformat(), "end": made.period.end.isoformat()},
        "html": str(files.html),
        "markdown": str(files.markdown),
        "json": str(files.json),
        "messages": made.now.messages,
        "errors": made.now.errors,
        "verified": made.state.verified,
    }


async def make(
    desk: ArchiveDesk, period: ReportPeriod, *, organization_id: str | None = None, excerpts: bool = False
) -> Report:
    """A report with the pulls that this server knows of; the search index is made if there is none.

    Raises:
        ArchiveError: It cannot be made.
    """
    await ask(desk, lambda index: index.status())
    pulls = [
        PullNote(job.finished_at, job.status, job.error)
        for job in await desk.jobs.list(name=PULL_JOB, limit=_PULLS)
        if job.finished_at is not None and period.begins_at <= job.finished_at <= period.ends_at
    ]
    async with desk.reading() as archive:
        return await archive.report(
            period, organization_id=organization_id, excerpts=excerpts, pulls=pulls, fresh=False
        )


def _period(call: ArchiveCall, zone: str) -> ReportPeriod:
    start, end = call.date("start_date"), call.date("end_date")
    if start is None and end is None:
        return last_full_week(call.desk.clock.now(), zone)
    return ReportPeriod(_day(start, "start_date"), _day(end, "end_date"), zone)


def _day(value: date | datetime | None, name: str) -> date:
    if value is None or isinstance(value, datetime):
        raise refused(name, "has to be a day such as 2025-10-13; give start_date and end_date, or neither")
    return value
