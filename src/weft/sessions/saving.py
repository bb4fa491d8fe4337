"""Changing stored sessions: functions of a connection, written once for both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from weft.errors import ForbiddenError, NotFoundError
from weft.sessions.draft import Draft, RunDraft, conflict, merge
from weft.sessions.draft import draft as draft_of
from weft.sessions.json_text import load_object, storable
from weft.sessions.query import SessionSummary
from weft.sessions.rows import find, load_row, summaries
from weft.sessions.tables import runs, sessions

T = TypeVar("T")

_CHUNK = 500
"""Ids in one statement; SQLite takes 32,766 parameters at the most."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a session is after a save."""

    fields: dict[str, str | None]
    created_at: int
    updated_at: int


def save(connection: Connection, draft: Draft, now: int) -> Saved:
    """Store what has changed in a session.

    Raises:
        ForbiddenError: It belongs to somebody else.
        ConflictError: Somebody else has changed the same thing since it was read.
    """
    saved = _insert(connection, draft) if find(connection, draft.session_id) is None else None
    if saved is None:
        saved = _update(connection, draft, now)
    _save_runs(connection, draft)
    return saved


def _insert(connection: Connection, draft: Draft) -> Saved | None:
    """Store a new session; nothing when somebody else was faster."""
    values = {
        "session_id": draft.session_id,
        **_columns(draft.fields),
        "created_at": draft.created_at,
        "updated_at": draft.updated_at,
    }
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(sessions).values(values).on_conflict_do_nothing()
    if connection.execute(statement).rowcount == 0:
        return None
    return Saved(draft.fields, draft.created_at, draft.updated_at)


def _update(connection: Connection, draft: Draft, now: int) -> Saved:
    row = _lock(connection, draft.session_id)
    check_owner(row, draft.fields["user_id"])
    merged = merge(draft, {name: row[name] for name in draft.fields})
    connection.execute(
        update(sessions)
        .where(sessions.c.session_id == draft.session_id)
        .values(**_columns(merged), updated_at=now)
    )
    return Saved(merged, row["created_at"], now)


def _columns(fields: Mapping[str, str | None]) -> dict[str, str | None]:
    name = session_name(load_object(fields["session_data"]))
    return {**fields, "session_name": name, "folded_name": None if name is None else name.casefold()}


def session_name(session_data: Mapping[str, object]) -> str | None:
    """What a session is called."""
    name = session_data.get("session_name")
    return storable(name) if isinstance(name, str) else None


def check_owner(row: RowMapping, user_id: str | None) -> None:
    """A session without an owner may be claimed, one with an owner is theirs.

    Raises:
        ForbiddenError: It belongs to somebody else.
    """
    if row["user_id"] is not None and row["user_id"] != user_id:
        given = "nobody" if user_id is None else repr(user_id)
        raise ForbiddenError(
            f"session {row['session_id']!r} belongs to another user than {given}; "
            "nothing was written: save it as its owner, or under an id of its own"
        )


def _lock(connection: Connection, session_id: str) -> RowMapping:
    """The row of a session, which nobody else changes until this write ends.

    Raises:
        NotFoundError: There is none.
    """
    query = select(sessions).where(sessions.c.session_id == storable(session_id)).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(
            f"there is no session {session_id!r}; store it first", kind="session", id=session_id
        )
    return row


def _save_runs(connection: Connection, draft: Draft) -> None:
    known = {} if draft.origin is None else draft.origin.runs
    stored = _digests(connection, draft.session_id, [*(run.key for run in draft.runs), *draft.removed])
    for key in [*(run.key for run in draft.runs), *draft.removed]:
        before, here = known.get(key), stored.get(key)
        gone = here is None and key in draft.removed
        if before is not None and here != before and here != draft.digests.get(key) and not gone:
            raise conflict(draft.session_id, f"run {key!r}")
    _write_runs(connection, draft.session_id, draft.runs, stored)
    for keys in _chunks(draft.removed):
        of_session = runs.c.session_id == draft.session_id
        connection.execute(delete(runs).where(of_session, runs.c.run_id.in_(keys)))


def _write_runs(
    connection: Connection, session_id: str, drafts: Sequence[RunDraft], stored: Mapping[str, str]
) -> None:
    new = [run for run in drafts if run.key not in stored]
    if new:
        newest = select(func.max(runs.c.seq)).where(runs.c.session_id == session_id)
        begin = (connection.execute(newest).scalar() or 0) + 1
        rows = [
            {"session_id": session_id, "seq": begin + place, "run_id": run.key, **_run_columns(run)}
            for place, run in enumerate(new)
        ]
        connection.execute(insert(runs), rows)
    for run in drafts:
        if run.key in stored and stored[run.key] != run.digest:
            here = (runs.c.session_id == session_id, runs.c.run_id == run.key)
            connection.execute(update(runs).where(*here).values(**_run_columns(run)))


def _run_columns(run: RunDraft) -> dict[str, object]:
    return {
        "status": storable(run.status),
        "created_at": run.created_at,
        "digest": run.digest,
        "payload": run.payload,
    }


def _digests(connection: Connection, session_id: str, keys: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _chunks(keys):
        query = select(runs.c.run_id, runs.c.digest).where(
            runs.c.session_id == session_id, runs.c.run_id.in_(part)
        )
        found.update((row.run_id, row.digest) for row in connection.execute(query))
    return found


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[place : place + _CHUNK] for place in range(0, len(items), _CHUNK))


def save_run(connection: Connection, session_id: str, run: RunDraft, user_id: str | None, now: int) -> None:
    """Add a run to a stored session, or replace the one with its id.

    Raises:
        NotFoundError: There is no such session.
        ForbiddenError: It belongs to somebody else than the given user.
    """
    row = _lock(connection, session_id)
    if user_id is not None:
        check_owner(row, storable(user_id))
    _write_runs(connection, row["session_id"], [run], _digests(connection, row["session_id"], [run.key]))
    here = sessions.c.session_id == row["session_id"]
    connection.execute(update(sessions).where(here).values(updated_at=now))


def rename(
    connection: Connection, session_id: str, name: str, user_id: str | None, now: int
) -> SessionSummary | None:
    """Give a session another name; `None` if there is none or it is somebody else's."""
    row = find(connection, session_id)
    if row is None or (user_id is not None and row["user_id"] != storable(user_id)):
        return None
    session = load_row(connection, _lock(connection, session_id), 0)
    session.session_data["session_name"] = name
    _update(connection, draft_of(session), now)
    query = summaries().where(sessions.c.session_id == row["session_id"])
    return SessionSummary(**connection.execute(query).mappings().one())


def remove(connection: Connection, session_ids: Sequence[str], user_id: str | None) -> int:
    """Delete sessions with their runs, of a given user only theirs; how many were deleted."""
    removed = 0
    for part in _chunks([storable(session_id) for session_id in session_ids]):
        statement = delete(sessions).where(sessions.c.session_id.in_(part))
        if user_id is not None:
            statement = statement.where(sessions.c.user_id == storable(user_id))
        removed += connection.execute(statement).rowcount
    return removed
