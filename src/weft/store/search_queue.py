"""What the search index has still to learn, and whether it can be asked at all.

Triggers write the queue; whoever builds the index takes rows out of it. Rows that are in it, and runs that
have not ended, are looked through one by one by every search, so that what is found is exact at any moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.selectable import CompoundSelect

from weft.store.search_text import portions
from weft.store.statement import Statement, inserting_once, upserting
from weft.store.tables import messages, runs, search_queue, search_skipped, search_state

if TYPE_CHECKING:
    from weft.store.search_file import Queued

_AppId: TypeAlias = ColumnElement[str] | str

NONE = ""
"""Generation of a database whose queue is thrown away, because nobody builds an index."""

_STATE = "index"
_PUT_STATE = upserting(search_state, "id", changes=["generation", "done"])
_FIND_STATE = Statement(
    select(search_state.c.generation, search_state.c.done).where(search_state.c.id == _STATE), []
)
_MARK = "mark"
_ANY = Statement(select(search_queue.c.id).where(search_queue.c.kind != _MARK).limit(1), [])
_TURN_INTO_MARK = Statement(
    update(search_queue)
    .where(search_queue.c.id == bindparam("row_id", type_=BigInteger))
    .values(kind=_MARK, was=None),
    ["row_id"],
)
_SKIP = inserting_once(search_skipped, "id")


def find_state(connection: Connection) -> tuple[str, int] | None:
    """Generation of the index that belongs to the database, and up to which row of the queue it knows all.

    `None` if nobody has ever built one; the queue holds everything then.
    """
    row = _FIND_STATE.row(connection)
    return None if row is None else (str(row[0]), int(str(row[1])))


def begin(connection: Connection, generation: str) -> None:
    """Let an index of that generation begin with nothing, and everything be in the queue."""
    if find_state(connection) is not None:
        connection.execute(delete(search_queue))
        connection.execute(delete(search_skipped))
        _queue_all(connection)
    _PUT_STATE.run(connection, _STATE, generation, 0)


def _queue_all(connection: Connection) -> None:
    columns = ["kind", "row_id", "app_id", "owner_id"]
    ended = (
        select(literal("run", String), runs.c.id, runs.c.app_id, runs.c.id)
        .where(runs.c.finished_at.is_not(None))
        .where(runs.c.triggered_from == "app-run")
        .order_by(runs.c.created_at, runs.c.id)
    )
    said = select(
        literal("talk", String), messages.c.id, messages.c.app_id, messages.c.conversation_id
    ).order_by(messages.c.created_at, messages.c.id)
    for rows in (ended, said):
        connection.execute(insert(search_queue).from_select(columns, rows))


def settle(
    connection: Connection, ids: Sequence[int], rows: Sequence[str], skipped: Sequence[Queued], done: int
) -> None:
    """Take rows out of the queue that an index knows, which is on disk.

    Args:
        connection: In a write.
        ids: Of the queue.
        rows: What they were about.
        skipped: Those whose texts it leaves out.
        done: Up to which row of the queue it knows everything.
    """
    remove(connection, ids)
    for portion in portions(rows):
        connection.execute(delete(search_skipped).where(search_skipped.c.id.in_(portion)))
    _SKIP.run_many(connection, [(row.row_id, row.kind, row.app_id, row.owner_id) for row in skipped])
    state = find_state(connection)
    if state is not None and done > state[1]:
        _PUT_STATE.run(connection, _STATE, state[0], done)


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Take rows out of the queue."""
    if connection.dialect.name == "sqlite":
        # SQLite would give the newest row's number once more; it stays as a mark.
        newest = connection.execute(select(func.max(search_queue.c.id))).scalar()
        older = (search_queue.c.kind == _MARK) & (search_queue.c.id < newest)
        connection.execute(delete(search_queue).where(older))
        if newest in ids:
            _TURN_INTO_MARK.run(connection, newest)
            ids = [id for id in ids if id != newest]
    for some in portions(ids):
        connection.execute(delete(search_queue).where(search_queue.c.id.in_(some)))


def throw_away(connection: Connection, limit: int) -> int:
    """Take rows out of the queue, since nobody builds an index; how many there were."""
    state = find_state(connection)
    if state is None or state[0] != NONE:
        _PUT_STATE.run(connection, _STATE, NONE, 0)
        connection.execute(delete(search_skipped))
    oldest = select(search_queue.c.id).order_by(search_queue.c.id).limit(limit)
    return connection.execute(delete(search_queue).where(search_queue.c.id.in_(oldest))).rowcount


def is_empty(connection: Connection) -> bool:
    """Whether the index knows everything."""
    return _ANY.row(connection) is None


def unknown_runs(app_id: _AppId, *more: Select[str]) -> CompoundSelect[str]:
    """Ids of an app's runs that the index does not know, or not as they are, and those of `more`."""
    unfinished = select(runs.c.id).where(runs.c.app_id == app_id).where(runs.c.finished_at.is_(None))
    return union_all(unfinished, *_waiting(app_id, "run", "row_id", "id"), *more)


def unknown_conversations(app_id: _AppId) -> CompoundSelect[str]:
    """Ids of an app's conversations of which the index does not know everything."""
    return union_all(*_waiting(app_id, "talk", "owner_id", "owner_id"))


def _waiting(
    app_id: _AppId, kind: Literal["run", "talk"], queued: str, skipped: str
) -> tuple[Select[str], Select[str]]:
    return (
        select(search_queue.c[queued])
        .where(search_queue.c.app_id == app_id)
        .where(search_queue.c.kind == kind),
        select(search_skipped.c[skipped])
        .where(search_skipped.c.app_id == app_id)
        .where(search_skipped.c.kind == kind),
    )
