"""The log of an app: its runs, with the people who caused them, filtered and in numbered pages."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, func, or_, select

from weft.store import end_users as end_users_module
from weft.store import runs as runs_module
from weft.store.codec import micros, storable
from weft.store.records import EndUser, Run, RunStatus
from weft.store.statement import containing
from weft.store.tables import end_users, runs

_SEARCHED = 30
"""Characters of a keyword that are searched for."""
_JOINED = runs.outerjoin(end_users, end_users.c.id == runs.c.end_user_id)


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted; everything that is given must hold.

    Source: Dify service API, `GET /workflows/logs`.
    """

    keyword: str = ""
    """Anywhere in the JSON text of inputs or outputs or in the end user's session id, in whatever
    case, the first 30 characters only; or the run's whole id."""
    status: RunStatus | None = None
    created_after: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Inclusive."""
    session_id: str | None = None
    """The end user's, exactly."""
    account_id: str | None = None


class LogEntry(msgspec.Struct, frozen=True):
    """One run in the log; `end_user` is set when one caused it."""

    run: Run
    end_user: EndUser | None


class LogPage(msgspec.Struct, frozen=True):
    """One numbered page; `total` counts the entries of all pages."""

    items: tuple[LogEntry, ...]
    total: int
    has_more: bool


def list_page(
    connection: Connection, app_id: str, wanted: LogFilter, *, page: int = 1, limit: int = 20
) -> LogPage:
    """The runs of an app that were not made by its debugger, newest first.

    Args:
        connection: In a read.
        app_id: The app.
        wanted: Which runs.
        page: Counts from 1.
        limit: Entries on a page.
    """
    conditions = _conditions(app_id, wanted)
    total = connection.execute(select(func.count()).select_from(_JOINED).where(*conditions)).scalar_one()
    skipped = (page - 1) * limit
    if skipped >= total:
        return LogPage((), total, has_more=False)
    rows = connection.execute(
        select(runs, end_users)
        .select_from(_JOINED)
        .where(*conditions)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(limit)
        .offset(skipped)
    ).all()
    return LogPage(tuple(_entry(tuple(row)) for row in rows), total, has_more=total > page * limit)


def _entry(row: tuple[object, ...]) -> LogEntry:
    width = len(runs.c)
    run, end_user = row[:width], row[width:]
    return LogEntry(
        runs_module.CODEC.decode(run),
        None if end_user[0] is None else end_users_module.CODEC.decode(end_user),
    )


def _conditions(app_id: str, wanted: LogFilter) -> list[ColumnElement[bool]]:
    conditions = [runs.c.app_id == app_id, runs.c.triggered_from == "app-run"]
    if wanted.status is not None:
        conditions.append(runs.c.status == wanted.status)
    if wanted.created_after is not None:
        conditions.append(runs.c.created_at >= micros(wanted.created_after))
    if wanted.created_before is not None:
        conditions.append(runs.c.created_at <= micros(wanted.created_before))
    if wanted.session_id is not None:
        conditions.append(end_users.c.session_id == storable(wanted.session_id))
    if wanted.account_id is not None:
        conditions.append(runs.c.account_id == wanted.account_id)
    if wanted.keyword:
        pattern = func.lower(containing(wanted.keyword[:_SEARCHED]))
        searched = (runs.c.inputs, runs.c.outputs, end_users.c.session_id)
        found = [func.lower(column).like(pattern, escape="/") for column in searched]
        conditions.append(or_(*found, runs.c.id == storable(wanted.keyword.lower())))
    return conditions
