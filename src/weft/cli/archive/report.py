"""`weft archive report`: what happened in a period, on one page."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from weft.cli.archive.place import Where, print_json, reading
from weft.cli.archive.progress import showing
from weft.cli.archive.reading import open_index
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.archive import ReportFormat, ReportPeriod

REPORT = """\
Examples:

  weft archive report
  weft archive report week.html
  weft archive report october.md --start 2025-10-01 --end 2025-10-31 --organization-id org-1
  weft archive report --timezone Europe/Berlin --json

The end of the file's name says how it is written: .html (one page without anything from elsewhere), .md or
.json. Every week by itself: set archive.report_schedule for `weft serve` or `weft worker`.

Exit codes: 0, 1 when the archive is damaged (the report says where), 2 when the call is wrong."""
_NOBODY = Where()


def report(
    file: Path | None = None,
    *,
    start: Annotated[str | None, Parameter(show_default=False)] = None,
    end: Annotated[str | None, Parameter(show_default=False)] = None,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    timezone: Annotated[str | None, Parameter(show_default=False)] = None,
    excerpts: Annotated[bool, Parameter(negative="")] = False,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Report on the last full week, or on other days, compared with as many days before.

    Args:
        file: Where to; standard output, as Markdown, unless given.
        start: The first day; the last full week, Monday to Sunday, unless given.
        end: The last day, included.
        organization_id: Only this organisation's figures.
        timezone: Where days begin; the setting archive.timezone unless given.
        excerpts: Quote what was asked and said where an answer was not liked.
    """
    format = _format(file)
    zone = timezone or where.settings.archive.timezone
    period = _period(start, end, zone)
    from weft.archive import render_report, write_report_file

    with reading(where) as archive, open_index(archive, where), showing("Making the report"):
        made = archive.report(period, zone=zone, organization_id=organization_id, excerpts=excerpts)
    if file is not None:
        write_report_file(made, file, format)
    if as_json:
        print_json(made.to_dict())
    elif file is None:
        Screen(sys.stdout).write(render_report(made, "markdown"))
    else:
        Screen(sys.stdout).line(f"{made.period}: {made.now.messages:,} messages, in {file}")
    return 1 if made.state.verified == "damaged" else 0


def _format(file: Path | None) -> ReportFormat:
    if file is None:
        return "markdown"
    match file.suffix.lower():
        case ".html" | ".htm":
            return "html"
        case ".md" | ".markdown":
            return "markdown"
        case ".json":
            return "json"
        case other:
            raise BadCallError(
                f"{file}: {other or 'no ending'!r} is no form of a report; known: .html, .md, .json"
            )


def _period(start: str | None, end: str | None, zone: str) -> ReportPeriod | None:
    from weft.archive import ReportPeriod

    if start is None and end is None:
        return None
    if start is None or end is None:
        raise BadCallError("give both of --start and --end, or none of them")
    return ReportPeriod(_day(start, "--start"), _day(end, "--end"), zone)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCallError(f"{option} {text!r} is not a day; give one such as 2025-10-15") from None
