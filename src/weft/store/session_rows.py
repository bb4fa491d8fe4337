"""Rows of many turns at once, and what earlier runs of a conversation came to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    select,
    tuple_,
)

from weft.store.codec import Codec, load_json, micros
from weft.store.exchange import NO_PARENT, Exchange, Link, Thread, given_of, link_of, made_of, status_of
from weft.store.records import Message, NodeExecution, Page, Run
from weft.store.runs import CODEC as RUN_CODEC
from weft.store.statement import Statement
from weft.store.tables import Id, messages, node_executions, runs

_MESSAGE_CODEC = Codec(Message, messages)
_EXECUTION_CODEC = Codec(NodeExecution, node_executions)
_PAGE = 100
_SPARE = 8
"""So many more than wanted are read at first, since some may not count."""
_parent = messages.alias()
_FOLLOWS = and_(
    _parent.c.id == messages.c.parent_message_id,
    _parent.c.conversation_id == messages.c.conversation_id,
    tuple_(_parent.c.created_at, _parent.c.id) < tuple_(messages.c.created_at, messages.c.id),
)
_WITH_RUNS = messages.outerjoin(
    runs, and_(runs.c.id == messages.c.run_id, runs.c.app_id == messages.c.app_id)
).outerjoin(_parent, _FOLLOWS)
_LINK = (messages.c.id, messages.c.parent_message_id, _parent.c.id)


def _newest_first(of: FromClause, *columns: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*columns)
        .select_from(of)
        .where(messages.c.app_id == bindparam("app_id"))
        .where(messages.c.conversation_id == bindparam("conversation_id"))
        .order_by(messages.c.created_at.desc(), messages.c.id.desc())
    )


def _pages(*columns: ColumnElement[Any]) -> tuple[Statement, Statement]:
    """The statement for the newest turns of a conversation, and the one for those before a message."""
    page = _newest_first(_WITH_RUNS, *columns).limit(bindparam("limit", type_=Integer))
    position = tuple_(messages.c.created_at, messages.c.id)
    before = tuple_(bindparam("at", type_=BigInteger), bindparam("before", type_=Id))
    names = ["app_id", "conversation_id", "limit"]
    return Statement(page, names), Statement(page.where(position < before), [*names, "at", "before"])


_LINKS = Statement(
    _newest_first(messages.outerjoin(_parent, _FOLLOWS), *_LINK), ["app_id", "conversation_id"]
)
_ANY_PARENT = Statement(
    select(messages.c.id)
    .where(messages.c.app_id == bindparam("app_id"))
    .where(messages.c.conversation_id == bindparam("conversation_id"))
    .where(and_(*(messages.c.parent_message_id != parent for parent in NO_PARENT if parent is not None)))
    .limit(1),
    ["app_id", "conversation_id"],
)
_TURN_COLUMNS = (_parent.c.id, *messages.c, *runs.c)
_RUN = 1 + len(messages.c)
_TURNS, _OLDER_TURNS = _pages(*_TURN_COLUMNS)
_TURN = Statement(
    select(*_TURN_COLUMNS)
    .select_from(_WITH_RUNS)
    .where(messages.c.app_id == bindparam("app_id"))
    .where(messages.c.id == bindparam("id")),
    ["app_id", "id"],
)
_EXCHANGES, _OLDER_EXCHANGES = _pages(
    *_LINK,
    messages.c.created_at,
    messages.c.query,
    messages.c.answer,
    messages.c.status,
    messages.c.inputs,
    runs.c.status,
    runs.c.inputs,
    runs.c.outputs,
)


def list_executions(
    connection: Connection, app_id: str, run_ids: Collection[str]
) -> dict[str, tuple[NodeExecution, ...]]:
    """Node executions by the id of their run, in their order; a run without any is absent."""
    if not run_ids:
        return {}
    query = (
        select(node_executions)
        .where(node_executions.c.app_id == app_id)
        .where(node_executions.c.run_id.in_(run_ids))
        .order_by(
            node_executions.c.index,
            case((node_executions.c.status == "retry", 0), else_=1),  # tries before the end
            node_executions.c.id,
        )
    )
    found: dict[str, list[NodeExecution]] = {}
    for execution in _EXECUTION_CODEC.decode_all(connection.execute(query).all()):
        found.setdefault(execution.run_id, []).append(execution)
    return {run_id: tuple(executions) for run_id, executions in found.items()}


def list_turns(
    connection: Connection, app_id: str, conversation_id: str, *, before: Message | None = None, limit: int
) -> Page[tuple[Link, Message, Run | None]]:
    """The newest messages of a conversation with their runs, or the newest before one of them; oldest first.

    Messages from elsewhere, and those that were answered without a run, have none.
    """
    keys = app_id, conversation_id, limit + 1
    if before is None:
        rows = _TURNS.rows(connection, *keys)
    else:
        rows = _OLDER_TURNS.rows(connection, *keys, micros(before.created_at), before.id)
    return Page(tuple(map(_turn, reversed(rows[:limit]))), has_more=len(rows) > limit)


def find_turn(
    connection: Connection, app_id: str, message_id: str
) -> tuple[Link, Message, Run | None] | None:
    """A message of the app with its run; whether its conversation is deleted is not looked at."""
    row = _TURN.row(connection, app_id, message_id)
    return None if row is None else _turn(row)


def _turn(row: Sequence[Any]) -> tuple[Link, Message, Run | None]:
    message = _MESSAGE_CODEC.decode(row[1:_RUN])
    link = link_of(message.id, message.parent_message_id, row[0])
    return link, message, None if row[_RUN] is None else RUN_CODEC.decode(row[_RUN:])


def list_links(connection: Connection, app_id: str, conversation_id: str) -> tuple[Link, ...]:
    """The places of all messages of a conversation, newest first; none where none of them has a parent."""
    if _ANY_PARENT.row(connection, app_id, conversation_id) is None:
        return ()
    rows: Sequence[Sequence[Any]] = _LINKS.rows(connection, app_id, conversation_id)
    return tuple(link_of(*row) for row in rows)


def list_exchanges(
    connection: Connection,
    app_id: str,
    conversation_id: str,
    wanted: Callable[[Exchange], bool],
    *,
    limit: int,
) -> tuple[Exchange, ...]:
    """The newest exchanges of a conversation's thread that are wanted, oldest first.

    Args:
        connection: In a read.
        app_id: The app the conversation belongs to.
        conversation_id: The conversation.
        wanted: Which count, see `Exchange`.
        limit: At most so many.
    """
    thread = Thread()
    found: list[Exchange] = []
    size = min(max(limit, 0), _PAGE) + _SPARE
    rows: Sequence[Sequence[Any]] = ()
    if limit > 0:
        rows = _EXCHANGES.rows(connection, app_id, conversation_id, size)
    while rows:
        for row in rows:
            link = link_of(*row[:3])
            if not thread.goes_through(link):
                continue
            exchange = _exchange(link, row)
            if wanted(exchange):
                found.append(exchange)
                if len(found) == limit:
                    return tuple(reversed(found))
        if len(rows) < size:
            break
        id, at, size = rows[-1][0], rows[-1][3], _PAGE
        rows = _OLDER_EXCHANGES.rows(connection, app_id, conversation_id, size, at, id)
    return tuple(reversed(found))


def _exchange(link: Link, row: Sequence[Any]) -> Exchange:
    query, answer, of_message, inputs, of_run, run_inputs, outputs = row[4:]
    status = status_of(of_run, of_message)
    return Exchange(
        link=link,
        status=status,
        query=query,
        answer=answer,
        given=query or given_of("", _object(inputs if of_run is None else run_inputs)),
        made=answer or made_of("", _object(outputs), status),
    )


def _object(text: str | None) -> Mapping[str, object]:
    found = None if text is None else load_json(text)
    return found if isinstance(found, dict) else {}
