"""The runs of an app as its console lists them: by a cursor, and counted by how they ended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Connection, func, select, tuple_

from weft.errors import NotFoundError
from weft.store import runs as runs_module
from weft.store.codec import micros
from weft.store.records import Page, Run, RunStatus, TriggeredFrom
from weft.store.tables import runs


def list_page(
    connection: Connection,
    app_id: str,
    triggered_from: TriggeredFrom,
    *,
    status: RunStatus | None = None,
    last_id: str | None = None,
    limit: int = 20,
) -> Page[Run]:
    """Runs of an app, newest first.

    Args:
        connection: In a read.
        app_id: The app.
        triggered_from: Runs of the debugger, or all others.
        status: Only those.
        last_id: The last run of the page before.
        limit: At most so many.

    Raises:
        NotFoundError: `last_id` is none of the app's runs.

    Source: Dify console API, `GET /apps/{id}/workflow-runs`.
    """
    query = select(runs).where(runs.c.app_id == app_id).where(runs.c.triggered_from == triggered_from)
    if status is not None:
        query = query.where(runs.c.status == status)
    if last_id is not None:
        last = runs_module.find(connection, app_id, last_id)
        if last is None:
            raise NotFoundError("Last workflow run not exists", kind="run", id=last_id)
        position = tuple_(runs.c.created_at, runs.c.id)
        query = query.where(position < tuple_(micros(last.created_at), last_id))
    rows = connection.execute(
        query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit + 1)
    ).all()
    return Page(runs_module.CODEC.decode_all(rows[:limit]), has_more=len(rows) > limit)


def count_by_status(
    connection: Connection,
    app_id: str,
    triggered_from: TriggeredFrom,
    *,
    status: RunStatus | None = None,
    since: datetime | None = None,
) -> dict[str, int]:
    """How many runs of an app have which status; a status that none has is absent."""
    query = (
        select(runs.c.status, func.count(type_=BigInteger))
        .where(runs.c.app_id == app_id)
        .where(runs.c.triggered_from == triggered_from)
        .group_by(runs.c.status)
    )
    if status is not None:
        query = query.where(runs.c.status == status)
    if since is not None:
        query = query.where(runs.c.created_at >= micros(since))
    return {row[0]: row[1] for row in connection.execute(query)}
