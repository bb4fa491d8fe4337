"""`weft archive schedule`: what is done when, by `weft serve` or `weft worker`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from weft.cli.archive.place import Where, print_json
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.jobs import Schedule
    from weft.settings import Settings

SCHEDULE = """\
Examples:

  weft archive schedule
  weft archive schedule --set nightly --cron "30 1 * * *" --source shop
  weft archive schedule --set small --cron "0 5 * * *" --task thin
  weft archive schedule --set prove --cron "0 4 * * 6" --task verify
  weft archive schedule --remove nightly

`pull` and `clean` follow from the settings archive.auto_pull, archive.pull_schedule, archive.retention_days,
archive.store_days and archive.clean_schedule when a server or worker starts. What was missed while none ran
is caught up once. `thin` is about what is older than archive.store_days.

Exit codes: 0, or 2 when the call is wrong."""
_NOBODY = Where()


def schedule(
    *,
    set: Annotated[str | None, Parameter(show_default=False)] = None,
    cron: Annotated[str | None, Parameter(show_default=False)] = None,
    task: Literal["pull", "clean", "thin", "copy", "verify", "report"] = "pull",
    source: Annotated[str | None, Parameter(show_default=False)] = None,
    timezone: Annotated[str | None, Parameter(show_default=False)] = None,
    remove: Annotated[str | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """List what is scheduled, schedule something, or remove it.

    Args:
        set: Make or change the schedule of this name.
        cron: When: minute, hour, day of month, month, day of week.
        task: What.
        source: Pull from this source of the settings; from all of them unless given.
        timezone: The time zone of the expression; the setting archive.timezone unless given.
        remove: Remove the schedule of this name.
    """
    settings = where.settings
    if set is not None and cron is None:
        raise BadCallError("--set needs --cron, e.g. --cron '0 2 * * *'")
    if set is None and cron is not None:
        raise BadCallError("--cron needs --set, the name of the schedule")
    if task == "thin" and not settings.archive.store_days:
        raise BadCallError("a schedule that thins the database needs the setting archive.store_days")
    from weft.cli.data_folder import make_data_folder  # brings the settings along

    make_data_folder(settings)
    fields: dict[str, object] = {"cron": cron, "task": task}
    if timezone is not None:
        fields["timezone"] = timezone
    if source is not None:
        fields["args"] = {"targets": [{"source": source}]}
    found = asyncio.run(_change(settings, set, fields, remove))
    if as_json:
        from weft.server import schedule_view

        print_json({"data": [schedule_view(one) for one in found]})
        return 0
    rows = [
        (
            one.id,
            one.cron,
            one.zone,
            one.name,
            "never" if one.next_at is None else f"{one.next_at:%Y-%m-%d %H:%M} UTC",
            one.origin,
        )
        for one in found
    ]
    Screen(sys.stdout).table(("name", "cron", "zone", "work", "next", "from"), rows)
    return 0


async def _change(
    settings: Settings, set: str | None, fields: dict[str, object], remove: str | None
) -> Sequence[Schedule]:
    from weft.clock import SystemClock
    from weft.ids import TimeOrderedIds
    from weft.server import make_desk, read_schedule
    from weft.store import open_store

    clock = SystemClock()
    async with open_store(
        settings.database_url, clock=clock, search_index=settings.server.search_index
    ) as store:
        jobs = make_desk(settings, store, clock=clock, ids=TimeOrderedIds()).jobs
        known = {one.id: one for one in await jobs.list_schedules()}
        for name in (set, remove):
            if name in known and known[name].origin == "settings":
                raise BadCallError(f"the schedule {name!r} follows from the settings; change it there")
        if set is not None:
            await jobs.put_schedule(read_schedule(set, fields, settings.archive.timezone))
        if remove is not None:
            await jobs.remove_schedule(remove)
        return await jobs.list_schedules()
