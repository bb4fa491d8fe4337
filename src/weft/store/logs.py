"""The log of an app: its runs, with the people who caused them, filtered and in numbered pages.

No page counts or skips what it does not show: totals and places come from `run_counts`, what has a keyword
from the search index. Left to count are the runs of one person, and keywords where there is no index.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, bindparam, func, select

from weft.store import end_users as end_users_module
from weft.store import run_search
from weft.store import runs as runs_module
from weft.store.codec import micros
from weft.store.records import EndUser, Run, RunStatus
from weft.store.run_counts import EARLIEST, Timeline, named
from weft.store.run_search import JOINED, Found, Wanted
from weft.store.statement import Statement
from weft.store.tables import end_users, runs

_SEARCHED = 30
"""Characters of a keyword that are searched for."""


def _paging(*, with_status: bool) -> Statement:
    """A page before an instant; what is skipped is looked at in the index alone."""
    conditions, names = named(with_status=with_status)
    page = (
        select(runs.c.id)
        .where(*conditions)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(bindparam("most", type_=Integer))
        .offset(bindparam("skip", type_=BigInteger))
        .subquery()
    )
    shown = (
        select(runs, end_users)
        .select_from(
            page.join(runs, runs.c.id == page.c.id).outerjoin(end_users, end_users.c.id == runs.c.end_user_id)
        )
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
    )
    return Statement(shown, [*names, "most", "skip"])


_PAGE = {with_status: _paging(with_status=with_status) for with_status in (False, True)}


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
    query = _query(connection, app_id, wanted)
    skip = (page - 1) * limit
    if query is None:
        return LogPage((), 0, has_more=False)
    if query.keyword or query.is_personal:
        found = run_search.find_page(connection, query, skip, limit) if query.keyword else None
        ids, total = found or _read(connection, query, skip, limit)
        items = _entries(connection, ids)
    else:
        items, total = _turn_to(connection, query, skip, limit)
    return LogPage(items, total, has_more=total > page * limit)


def _query(connection: Connection, app_id: str, wanted: LogFilter) -> Wanted | None:
    """What is looked for; `None` when it is of a person whom nobody knows."""
    end_user_id = None
    if wanted.session_id is not None:
        person = end_users_module.find_by_session(connection, app_id, wanted.session_id)
        if person is None:
            return None
        end_user_id = person.id
    return Wanted(
        app_id=app_id,
        keyword=wanted.keyword[:_SEARCHED],
        run_id=wanted.keyword.lower(),
        status=wanted.status,
        start=None if wanted.created_after is None else micros(wanted.created_after),
        end=None if wanted.created_before is None else micros(wanted.created_before) + 1,
        end_user_id=end_user_id,
        account_id=wanted.account_id,
    )


def _turn_to(
    connection: Connection, wanted: Wanted, skip: int, limit: int
) -> tuple[tuple[LogEntry, ...], int]:
    """A page of all runs of a status and a time, and how many there are."""
    timeline = Timeline(connection, wanted.app_id, status=wanted.status, start=wanted.start, end=wanted.end)
    if skip >= timeline.total:
        return (), timeline.total
    place = timeline.locate(skip)
    whose = (wanted.app_id,) if wanted.status is None else (wanted.app_id, wanted.status)
    start = EARLIEST if wanted.start is None else wanted.start
    rows = _PAGE[wanted.status is not None].rows(connection, *whose, start, place.before, limit, place.skip)
    return tuple(_entry(tuple(row)) for row in rows), timeline.total


def _read(connection: Connection, wanted: Wanted, skip: int, limit: int) -> Found:
    """A page of what has to be counted: the runs of a person, or all that a keyword is looked for in."""
    # Of one person's runs there is an index, which the database is not to pass over for that of the app's.
    app_id = runs.c.app_id.concat("") if wanted.is_personal else runs.c.app_id
    conditions = [app_id == wanted.app_id, *wanted.facts()]
    if wanted.end_user_id is not None:
        conditions.append(runs.c.end_user_id == wanted.end_user_id)
    if wanted.account_id is not None:
        conditions.append(runs.c.account_id == wanted.account_id)
    if wanted.keyword:
        conditions.append(wanted.mentions())
    total = connection.execute(select(func.count()).select_from(JOINED).where(*conditions)).scalar_one()
    return Found(() if skip >= total else _page(connection, conditions, skip, limit), total)


def _page(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], skip: int, limit: int
) -> Sequence[str]:
    query = (
        select(runs.c.id)
        .select_from(JOINED)
        .where(*conditions)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(limit)
        .offset(skip)
    )
    return connection.execute(query).scalars().all()


def _entries(connection: Connection, ids: Sequence[str]) -> tuple[LogEntry, ...]:
    if not ids:
        return ()
    rows = connection.execute(select(runs, end_users).select_from(JOINED).where(runs.c.id.in_(ids)))
    found = {entry.run.id: entry for entry in (_entry(tuple(row)) for row in rows)}
    return tuple(found[id] for id in ids if id in found)


def _entry(row: tuple[object, ...]) -> LogEntry:
    width = len(runs.c)
    run, end_user = row[:width], row[width:]
    return LogEntry(
        runs_module.CODEC.decode(run),
        None if end_user[0] is None else end_users_module.CODEC.decode(end_user),
    )
