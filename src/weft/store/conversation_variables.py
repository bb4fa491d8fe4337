"""Conversation variables: what a conversation remembers from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, Connection, Integer, Text, bindparam, func, select, tuple_

from weft.errors import NotFoundError
from weft.store.codec import Codec, dump_json, micros, storable
from weft.store.records import ConversationVariable, Page
from weft.store.statement import Statement, containing, inserting_once, updating, upserting
from weft.store.tables import Id
from weft.store.tables import conversation_variables as table

_CODEC = Codec(ConversationVariable, table)
_UNIQUE = ("conversation_id", "variable_id")
_INSERT_MISSING = inserting_once(table, *_UNIQUE)
_UPSERT = upserting(table, *_UNIQUE, changes=("value", "updated_at"))
_SET = updating(table, "value", "updated_at")
_OF_CONVERSATION = (
    select(table)
    .where(table.c.app_id == bindparam("app_id"))
    .where(table.c.conversation_id == bindparam("conversation_id"))
)
_IN_ORDER = _OF_CONVERSATION.order_by(table.c.created_at, table.c.id)
_PAGE = _IN_ORDER.where(
    func.lower(table.c.name).like(func.lower(bindparam("pattern", type_=Text)), escape="/")
).limit(bindparam("limit", type_=Integer))
_FIND = Statement(
    _OF_CONVERSATION.where(table.c.variable_id == bindparam("variable_id")),
    ["app_id", "conversation_id", "variable_id"],
)
_LIST_ALL = Statement(_IN_ORDER, ["app_id", "conversation_id"])
_FIRST_PAGE = Statement(_PAGE, ["app_id", "conversation_id", "pattern", "limit"])
_NEXT_PAGE = Statement(
    _PAGE.where(
        tuple_(table.c.created_at, table.c.id)
        > tuple_(bindparam("at", type_=BigInteger), bindparam("last_id", type_=Id))
    ),
    ["app_id", "conversation_id", "pattern", "limit", "at", "last_id"],
)


def insert_missing(connection: Connection, variables: Sequence[ConversationVariable]) -> None:
    """Store variables; those that their conversation has already keep their values."""
    _INSERT_MISSING.run_many(connection, [_CODEC.encode(variable) for variable in variables])


def upsert(connection: Connection, variables: Sequence[ConversationVariable]) -> None:
    """Store the values of variables and when they changed; those that are missing are created."""
    _UPSERT.run_many(connection, [_CODEC.encode(variable) for variable in variables])


def list_all(connection: Connection, app_id: str, conversation_id: str) -> tuple[ConversationVariable, ...]:
    """All variables of a conversation, oldest first."""
    return _CODEC.decode_all(_LIST_ALL.rows(connection, app_id, conversation_id))


def find(
    connection: Connection, app_id: str, conversation_id: str, variable_id: str
) -> ConversationVariable | None:
    """The variable of that definition in that conversation."""
    row = _FIND.row(connection, app_id, conversation_id, storable(variable_id))
    return None if row is None else _CODEC.decode(row)


def list_page(
    connection: Connection,
    app_id: str,
    conversation_id: str,
    *,
    name_contains: str = "",
    last_id: str | None = None,
    limit: int = 20,
) -> Page[ConversationVariable]:
    """A conversation's variables, oldest first.

    Args:
        connection: In a read.
        app_id: The app the conversation belongs to.
        conversation_id: The conversation, which the caller has looked up.
        name_contains: Only those with this in their names, taken literally, in whatever case.
        last_id: `variable_id` of the last one of the page before.
        limit: At most so many.

    Raises:
        NotFoundError: `last_id` is no variable of this conversation.

    Source: Dify service API, `GET /conversations/{id}/variables`.
    """
    keys = app_id, conversation_id, containing(name_contains), limit + 1
    if last_id is None:
        rows = _FIRST_PAGE.rows(connection, *keys)
    else:
        last = _get(connection, app_id, conversation_id, last_id)
        rows = _NEXT_PAGE.rows(connection, *keys, micros(last.created_at), last.id)
    return Page(_CODEC.decode_all(rows[:limit]), has_more=len(rows) > limit)


def update(
    connection: Connection, app_id: str, conversation_id: str, variable_id: str, value: object, now: datetime
) -> ConversationVariable:
    """Give a variable another value, whose type the caller has checked.

    Raises:
        NotFoundError: The conversation has no such variable.
    """
    found = _get(connection, app_id, conversation_id, variable_id)
    _SET.run(connection, None if value is None else dump_json(value), micros(now), found.id)
    return msgspec.structs.replace(found, value=value, updated_at=now)


def _get(connection: Connection, app_id: str, conversation_id: str, variable_id: str) -> ConversationVariable:
    found = find(connection, app_id, conversation_id, variable_id)
    if found is None:
        raise NotFoundError("Conversation Variable Not Exists.", kind="conversation_variable", id=variable_id)
    return found
