"""Reading stored sessions: functions of a connection, written once for both databases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from weft.sessions.draft import OBJECTS, run_key
from weft.sessions.json_text import load_json, load_object, storable
from weft.sessions.origin import Origin
from weft.sessions.query import SessionPage, SessionQuery, SessionSummary
from weft.sessions.session import WorkflowSession
from weft.sessions.tables import runs, sessions
from weft.sessions.workflow_run import WorkflowRunOutput

_AnySelect: TypeAlias = "Select[*tuple[object, ...]]"


def find(connection: Connection, session_id: str) -> RowMapping | None:
    """The row of a session."""
    query = select(sessions).where(sessions.c.session_id == storable(session_id))
    return connection.execute(query).mappings().first()


def load(
    connection: Connection, session_id: str, user_id: str | None, last_n_runs: int | None
) -> WorkflowSession | None:
    """The stored session with its last so many runs; `None` if there is none or it is somebody else's."""
    row = find(connection, session_id)
    if row is None or (user_id is not None and row["user_id"] != storable(user_id)):
        return None
    return load_row(connection, row, last_n_runs)


def load_row(connection: Connection, row: RowMapping, last_n_runs: int | None) -> WorkflowSession:
    """The session of its row, with its last so many runs."""
    fields: dict[str, str | None] = {
        name: row[name] for name in ("user_id", "workflow_id", "workflow_name", *OBJECTS)
    }
    origin = Origin(fields)
    found: list[WorkflowRunOutput] = []
    if last_n_runs is None or last_n_runs > 0:
        for item in connection.execute(_newest(row["session_id"], last_n_runs)).all()[::-1]:
            origin.runs[item.run_id] = item.digest
            found.append(load_run(item.payload))
    session = WorkflowSession(
        session_id=row["session_id"],
        user_id=row["user_id"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        runs=found,
        session_data=load_object(row["session_data"]),
        workflow_data=load_object(row["workflow_data"]),
        metadata=load_object(row["metadata"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
    session._origin = origin
    return session


def _newest(session_id: str, count: int | None) -> Select[tuple[str, str, str]]:
    return (
        select(runs.c.run_id, runs.c.digest, runs.c.payload)
        .where(runs.c.session_id == session_id)
        .order_by(runs.c.seq.desc())
        .limit(count)
    )


def load_run(payload: str) -> WorkflowRunOutput:
    """The run of its stored text."""
    return WorkflowRunOutput.from_dict(cast("dict[str, object]", load_json(payload)))


def list_runs(
    connection: Connection,
    session_id: str,
    user_id: str | None,
    last_n_runs: int | None,
    statuses: Collection[str] | None,
) -> list[WorkflowRunOutput]:
    """The last so many runs in one of some states, oldest first; none for an unknown session or another's."""
    row = find(connection, session_id)
    other = row is None or (user_id is not None and row["user_id"] != storable(user_id))
    if row is None or other or (last_n_runs is not None and last_n_runs <= 0):
        return []
    query = _newest(row["session_id"], last_n_runs)
    if statuses is not None:
        query = query.where(runs.c.status.in_([str(status) for status in statuses]))
    return [load_run(item.payload) for item in connection.execute(query).all()[::-1]]


def find_run(
    connection: Connection, session_id: str, run_id: str | None, user_id: str | None
) -> WorkflowRunOutput | None:
    """The run of that id; `None` if there is none, or the session is somebody else's."""
    query = (
        select(runs.c.payload)
        .join(sessions, sessions.c.session_id == runs.c.session_id)
        .where(runs.c.session_id == storable(session_id), runs.c.run_id == run_key(run_id))
    )
    if user_id is not None:
        query = query.where(sessions.c.user_id == storable(user_id))
    payload = connection.execute(query).scalar()
    return None if payload is None else load_run(payload)


def list_page(connection: Connection, wanted: SessionQuery) -> SessionPage:
    """Summaries of sessions, and how many there are on all pages."""
    conditions = _conditions(wanted)
    total = connection.execute(select(func.count()).select_from(sessions).where(*conditions)).scalar_one()
    rows = connection.execute(_arranged(summaries(), conditions, wanted)).mappings()
    return SessionPage(tuple(SessionSummary(**row) for row in rows), total)


def summaries() -> _AnySelect:
    """A query for summaries of all sessions."""
    count = select(func.count()).select_from(runs).where(runs.c.session_id == sessions.c.session_id)
    columns = (sessions.c[name] for name in SessionSummary.__slots__ if name != "run_count")
    return select(*columns, count.scalar_subquery().label("run_count"))


def load_page(connection: Connection, last_n_runs: int | None, wanted: SessionQuery) -> list[WorkflowSession]:
    """Sessions with their last so many runs."""
    query = _arranged(select(sessions), _conditions(wanted), wanted)
    return [load_row(connection, row, last_n_runs) for row in connection.execute(query).mappings().all()]


def _conditions(wanted: SessionQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for name in ("user_id", "workflow_id"):
        value = cast("str | None", wanted.get(name))
        if value is not None:
            found.append(sessions.c[name] == storable(value))
    if wanted.get("session_name"):
        text = storable(wanted["session_name"] or "").casefold()
        for sign in "/%_":
            text = text.replace(sign, f"/{sign}")
        found.append(sessions.c.folded_name.like(f"%{text}%", escape="/"))
    if (begin := wanted.get("start_timestamp")) is not None:
        found.append(sessions.c.created_at >= begin)
    if (end := wanted.get("end_timestamp")) is not None:
        found.append(sessions.c.created_at <= end)
    return found


def _arranged(
    query: _AnySelect, conditions: Sequence[ColumnElement[bool]], wanted: SessionQuery
) -> _AnySelect:
    query = query.where(*conditions)
    name = wanted.get("sort_by") or "created_at"
    if name in SessionSummary.__slots__ and name != "run_count":
        column = sessions.c[name]
        upward = wanted.get("sort_order") == "asc"
        ties = sessions.c.session_id
        query = query.order_by(*((column, ties) if upward else (column.desc(), ties.desc())))
    limit = wanted.get("limit")
    if limit is not None:
        query = query.limit(limit).offset((max(1, wanted.get("page") or 1) - 1) * limit)
    return query
