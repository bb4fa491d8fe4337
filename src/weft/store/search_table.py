"""The search index inside Postgres: texts in one table, found by an index over the numbers of their pieces.

It needs no extension. Every match is compared with its text, so numbers that two pieces share do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Select, delete, func, insert, select

from weft.store import search_queue
from weft.store.search_file import Queued
from weft.store.search_text import MAX_CHARS, grams, join
from weft.store.tables import conversations, end_users, messages, runs, search_texts
from weft.store.tables import search_queue as queue

_LOCK = 0x77656675
"""Key of the lock that makes processes begin one after another."""


def index(connection: Connection, limit: int) -> int:
    """Put the next texts of the queue into the index; how many rows of the queue that were.

    Args:
        connection: In a write, on Postgres.
        limit: Rows of the queue, at most.
    """
    query = select(queue).order_by(queue.c.id).limit(limit).with_for_update(skip_locked=True)
    rows = [Queued(*row) for row in connection.execute(query)]
    if not rows:
        return 0
    wanted = dict.fromkeys(row.row_id for row in rows if row.kind == "run")
    talk = dict.fromkeys(row.row_id for row in rows if row.kind == "talk")
    owners = dict.fromkeys(row.owner_id for row in rows if row.kind == "talk")
    ids = [*wanted, *talk, *owners]
    found = [*_runs(connection, [*wanted]), *_talk(connection, [*talk, *owners])]
    connection.execute(delete(search_texts).where(search_texts.c.id.in_(ids)))
    short = [values for values in found if len(str(values["text"])) <= MAX_CHARS]
    if short:
        connection.execute(
            insert(search_texts), [{**values, "grams": grams(str(values["text"]))} for values in short]
        )
    kept = {values["id"] for values in short}
    skipped = [
        Queued(
            0, str(values["kind"]), str(values["id"]), str(values["app_id"]), str(values["owner_id"]), None
        )
        for values in found
        if values["id"] not in kept
    ]
    search_queue.settle(connection, [row.id for row in rows], ids, skipped, 0)
    return len(rows)


def begin(connection: Connection, generation: str) -> None:
    """Make sure that whatever is not in the index is in the queue."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    state = search_queue.find_state(connection)
    if state is None or state[0] == search_queue.NONE:
        connection.execute(delete(search_texts))
        search_queue.begin(connection, generation)


def _runs(connection: Connection, ids: Sequence[str]) -> list[dict[str, object]]:
    query = (
        select(
            runs.c.id,
            runs.c.app_id,
            runs.c.id.label("owner_id"),
            runs.c.created_at,
            func.lower(runs.c.inputs),
            func.lower(runs.c.outputs),
            func.lower(end_users.c.session_id),
        )
        .select_from(runs.outerjoin(end_users, end_users.c.id == runs.c.end_user_id))
        .where(runs.c.id.in_(ids))
        .where(runs.c.finished_at.is_not(None))
        .where(runs.c.triggered_from == "app-run")
    )
    return _values(connection, query, "run")


def _talk(connection: Connection, ids: Sequence[str]) -> list[dict[str, object]]:
    said = select(
        messages.c.id,
        messages.c.app_id,
        messages.c.conversation_id,
        messages.c.created_at,
        func.lower(messages.c.query),
        func.lower(messages.c.answer),
    ).where(messages.c.id.in_(ids))
    named = (
        select(
            conversations.c.id,
            conversations.c.app_id,
            conversations.c.id.label("owner_id"),
            conversations.c.created_at,
            func.lower(conversations.c.name),
            func.lower(conversations.c.introduction),
            func.lower(end_users.c.session_id),
        )
        .select_from(conversations.outerjoin(end_users, end_users.c.id == conversations.c.end_user_id))
        .where(conversations.c.id.in_(ids))
    )
    return [*_values(connection, said, "talk"), *_values(connection, named, "talk")]


def _values(connection: Connection, query: Select[*tuple[object, ...]], kind: str) -> list[dict[str, object]]:
    return [
        {
            "id": row[0],
            "kind": kind,
            "app_id": row[1],
            "owner_id": row[2],
            "created_at": row[3],
            "text": join([part if isinstance(part, str) else None for part in row[4:]]),
        }
        for row in connection.execute(query)
    ]
