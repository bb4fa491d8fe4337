"""`weft archive verify` and `holds`: proving, and exempting from deletion."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from weft.cli.archive.place import Selection, Where, print_json, reading, size, writing
from weft.cli.archive.progress import showing
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

VERIFY = """\
Examples:

  weft archive verify
  weft archive verify --depth structure
  weft archive verify --budget-seconds 60 --rotate

Exit codes: 0 everything is whole, 1 something is damaged, 2 the time was up before everything was looked at
(or the call is wrong, which standard error then says)."""
HOLDS = """\
Examples:

  weft archive holds
  weft archive holds --place "case 4711" --app-id app-1
  weft archive holds --release 0199a2b4-...

Exit codes: 0, or 2 when the call is wrong."""
_NOBODY = Where()
_ALL = Selection()


def verify(
    *,
    depth: Literal["structure", "sizes", "bytes"] = "bytes",
    budget_seconds: Annotated[float | None, Parameter(show_default=False)] = None,
    rotate: Annotated[bool, Parameter(negative="")] = False,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Prove that the archive is what was written into it.

    Args:
        depth: Whether every file is there, has its size, or has its every byte.
        budget_seconds: Begin with no further day after this time.
        rotate: Begin where the last such run stopped, and remember where this one does.
    """
    open_archive = writing(where.settings) if rotate else reading(where)
    with open_archive as archive, showing("Verifying"):
        report = archive.verify(depth, budget_seconds=budget_seconds, rotate=rotate)
    if as_json:
        print_json(
            {
                "result": report.result.name.lower(),
                "depth": report.depth,
                "days": report.days,
                "files": report.files,
                "bytes": report.bytes,
                "complete": report.complete,
                "findings": [
                    {"code": finding.code, "path": finding.path, "detail": finding.detail}
                    for finding in report.findings
                ],
            }
        )
        return int(report.result)
    screen = Screen(sys.stdout)
    for finding in report.findings:
        screen.line(f"{finding.code}  {finding.path}  {finding.detail}".rstrip(), "red")
    screen.line(
        f"{report.result.name.lower()}: {report.files:,} files of {report.days:,} days, "
        f"{size(report.bytes)} read, {len(report.findings)} findings"
    )
    return int(report.result)


def holds(
    *,
    place: Annotated[str | None, Parameter(show_default=False)] = None,
    release: Annotated[str | None, Parameter(show_default=False)] = None,
    conversation_id: Annotated[str | None, Parameter(show_default=False)] = None,
    end_user_id: Annotated[str | None, Parameter(show_default=False)] = None,
    selection: Selection = _ALL,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """List what may not be deleted, place such a hold, or release one.

    Args:
        place: Place a hold for this reason, on whatever the other options say; on everything without any.
        release: Release the hold of this id.
        conversation_id: Only this conversation.
        end_user_id: Only this person's.
    """
    if place is not None and release is not None:
        raise BadCallError("give one of --place and --release")
    if selection.start is not None or selection.end is not None:
        raise BadCallError("a hold knows no --start and no --end")
    from weft.archive import Hold
    from weft.ids import TimeOrderedIds

    if place is None and release is None:
        with reading(where) as archive:
            found = archive.list_holds()
    else:
        with writing(where.settings) as archive:
            if place is not None:
                wanted = Hold(
                    id=TimeOrderedIds().new(),
                    reason=place,
                    organization_id=selection.organization_id,
                    app_id=selection.app_id,
                    from_source=selection.from_source,
                    end_user_id=end_user_id,
                    conversation_id=conversation_id,
                )
                found = [archive.place_hold(wanted)]
            else:
                found = [archive.release_hold(release or "")]
    if as_json:
        print_json(
            {"data": [{name: getattr(hold, name) for name in hold.__struct_fields__} for hold in found]}
        )
        return 0
    fields = ("organization_id", "app_id", "from_source", "end_user_id", "conversation_id")
    rows = []
    for hold in found:
        what = ", ".join(f"{name}={value}" for name in fields if (value := getattr(hold, name)) is not None)
        rows.append((hold.id, hold.reason, what or "everything", hold.placed_at))
    Screen(sys.stdout).table(("id", "reason", "what", "placed"), rows)
    return 0
