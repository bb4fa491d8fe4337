"""What an app has of sessions, page by page: its conversations, or the runs of an app without any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, or_, select, tuple_

from weft.errors import NotFoundError
from weft.store.codec import instant, micros, storable
from weft.store.conversations import SortBy
from weft.store.records import Page
from weft.store.statement import containing
from weft.store.tables import conversations, end_users, messages, runs


class SessionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions are wanted; everything that is given must hold."""

    user: str | None = None
    """The text that callers send for an end user, or the id of an account."""
    end_user_id: str | None = None
    """That end user, and only what came through the app's key."""
    name: str = ""
    """Somewhere in the name, in whatever case; runs have none."""
    created_after: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Inclusive."""
    sort_by: SortBy = "-updated_at"
    """Runs are sorted by when they began."""


class SessionEntry(msgspec.Struct, frozen=True):
    """A session without its runs."""

    id: str
    user: str | None
    name: str | None
    created_at: datetime
    updated_at: datetime
    run_count: int


def list_conversations(
    connection: Connection,
    app_id: str,
    wanted: SessionFilter,
    *,
    last_id: str | None = None,
    limit: int = 20,
) -> Page[SessionEntry]:
    """Conversations of a chatflow that are not deleted; those of the debugger are left out.

    Args:
        connection: In a read.
        app_id: The app.
        wanted: Which, and in which order.
        last_id: The last conversation of the page before.
        limit: At most so many.

    Raises:
        NotFoundError: `last_id` is none of the app's conversations.
    """
    table = conversations
    query = (
        _with_users(table)
        .where(table.c.app_id == app_id)
        .where(table.c.is_deleted.is_(False))
        .where(table.c.invoke_from.is_distinct_from("debugger"))
        .where(*_conditions(connection, table, app_id, wanted))
    )
    if wanted.end_user_id is not None:
        from_key = or_(table.c.invoke_from == "service-api", table.c.invoke_from.is_(None))
        query = query.where(table.c.from_source == "api").where(from_key)
    if wanted.name:
        pattern = func.lower(containing(wanted.name))
        query = query.where(func.lower(table.c.name).like(pattern, escape="/"))
    column = table.c[wanted.sort_by.lstrip("-")]
    rows = _page(connection, query, table, app_id, column, wanted, last_id, limit)
    counts = _counts(connection, [row.id for row in rows[:limit]])
    return Page(
        tuple(
            SessionEntry(
                row.id,
                row.session_id if row.end_user_id is not None else row.account_id,
                row.name,
                instant(row.created_at),
                instant(row.updated_at),
                counts.get(row.id, 0),
            )
            for row in rows[:limit]
        ),
        has_more=len(rows) > limit,
    )


def list_runs(
    connection: Connection,
    app_id: str,
    wanted: SessionFilter,
    *,
    last_id: str | None = None,
    limit: int = 20,
) -> Page[SessionEntry]:
    """Runs of an app without conversations, each a session of its own; those of the debugger are left out.

    Args:
        connection: In a read.
        app_id: The app.
        wanted: Which, and in which order; with a name, none.
        last_id: The last run of the page before.
        limit: At most so many.

    Raises:
        NotFoundError: `last_id` is none of the app's runs.
    """
    if wanted.name:
        return Page((), has_more=False)
    query = (
        _with_users(runs)
        .where(runs.c.app_id == app_id)
        .where(runs.c.triggered_from == "app-run")
        .where(*_conditions(connection, runs, app_id, wanted))
    )
    if wanted.end_user_id is not None:
        query = query.where(runs.c.created_from == "service-api")
    rows = _page(connection, query, runs, app_id, runs.c.created_at, wanted, last_id, limit)
    return Page(
        tuple(
            SessionEntry(
                row.id,
                row.session_id if row.end_user_id is not None else row.account_id,
                None,
                instant(row.created_at),
                instant(row.created_at),
                1,
            )
            for row in rows[:limit]
        ),
        has_more=len(rows) > limit,
    )


def _with_users(table: Table) -> Select[Any]:
    people = table.outerjoin(end_users, end_users.c.id == table.c.end_user_id)
    return select(*table.c, end_users.c.session_id).select_from(people)


def _conditions(
    connection: Connection, table: Table, app_id: str, wanted: SessionFilter
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.created_after is not None:
        conditions.append(table.c.created_at >= micros(wanted.created_after))
    if wanted.created_before is not None:
        conditions.append(table.c.created_at <= micros(wanted.created_before))
    if wanted.end_user_id is not None:
        conditions.append(table.c.end_user_id == wanted.end_user_id)
    if wanted.user is not None:
        text = storable(wanted.user)
        known = select(end_users.c.id).where(end_users.c.app_id == app_id)
        ids = connection.execute(known.where(end_users.c.session_id == text)).scalars().all()
        # One of the two, because each has an index of its own.
        conditions.append(table.c.end_user_id.in_(ids) if ids else table.c.account_id == text)
    return conditions


def _page(
    connection: Connection,
    query: Select[Any],
    table: Table,
    app_id: str,
    column: ColumnElement[int],
    wanted: SessionFilter,
    last_id: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """One row more than wanted, if there is one."""
    newest_first = wanted.sort_by.startswith("-")
    position = tuple_(column, table.c.id)
    if last_id is not None:
        place = select(column, table.c.id).where(table.c.app_id == app_id).where(table.c.id == last_id)
        last = connection.execute(place).first()
        if last is None:
            raise NotFoundError("Last session not exists.", kind="session", id=last_id)
        cursor = tuple_(*last)
        query = query.where(position < cursor if newest_first else position > cursor)
    order = (column.desc(), table.c.id.desc()) if newest_first else (column, table.c.id)
    return connection.execute(query.order_by(*order).limit(limit + 1)).all()


def _counts(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    if not ids:
        return {}
    rows = connection.execute(
        select(messages.c.conversation_id, func.count())
        .where(messages.c.conversation_id.in_(ids))
        .group_by(messages.c.conversation_id)
    )
    return {row[0]: row[1] for row in rows}
