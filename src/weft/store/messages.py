"""Messages: queries with their answers, and the files that belong to them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, Integer, bindparam, select, tuple_

from weft.errors import NotFoundError
from weft.store.codec import Codec, micros
from weft.store.records import Message, MessageFile, Page
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import Id, message_files, messages

_CODEC = Codec(Message, messages)
_FILE_CODEC = Codec(MessageFile, message_files)
_INSERT = inserting(messages)
_INSERT_FILE = inserting(message_files)
_RESULT = (
    "updated_at",
    "answer",
    "status",
    "error",
    "metadata",
    "message_tokens",
    "answer_tokens",
    "total_price",
    "currency",
    "latency",
)
_UPDATE_RESULT = updating(messages, *_RESULT)
_result = _CODEC.encoder(*_RESULT, "id")
_OF_APP = select(messages).where(messages.c.app_id == bindparam("app_id"))
_FIND = Statement(_OF_APP.where(messages.c.id == bindparam("id")), ["app_id", "id"])
_NEWEST = (
    _OF_APP.where(messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(messages.c.created_at.desc(), messages.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
_NEWEST_PAGE = Statement(_NEWEST, ["app_id", "conversation_id", "limit"])
_OLDER_PAGE = Statement(
    _NEWEST.where(
        tuple_(messages.c.created_at, messages.c.id)
        < tuple_(bindparam("at", type_=BigInteger), bindparam("first_id", type_=Id))
    ),
    ["app_id", "conversation_id", "limit", "at", "first_id"],
)
_FIRST = Statement(
    _OF_APP.where(messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(messages.c.created_at, messages.c.id)
    .limit(1),
    ["app_id", "conversation_id"],
)


def insert(connection: Connection, message: Message) -> None:
    """Store a new message."""
    _INSERT.run(connection, *_CODEC.encode(message))


def insert_files(connection: Connection, files: Sequence[MessageFile]) -> None:
    """Store files of messages."""
    _INSERT_FILE.run_many(connection, [_FILE_CODEC.encode(file) for file in files])


def update_result(connection: Connection, message: Message) -> None:
    """Store what a run made of a message: answer, status, error, metadata, usage and `updated_at`.

    Raises:
        NotFoundError: There is no message of that id.
    """
    if _UPDATE_RESULT.run(connection, *_result(message)) == 0:
        raise NotFoundError("Message Not Exists.", kind="message", id=message.id)


def find(connection: Connection, app_id: str, message_id: str) -> Message | None:
    """The app's message of that id; whether its conversation is deleted is not looked at."""
    row = _FIND.row(connection, app_id, message_id)
    return None if row is None else _CODEC.decode(row)


def find_first(connection: Connection, app_id: str, conversation_id: str) -> Message | None:
    """The message that a conversation began with."""
    row = _FIRST.row(connection, app_id, conversation_id)
    return None if row is None else _CODEC.decode(row)


def list_page(
    connection: Connection, app_id: str, conversation_id: str, *, first_id: str | None = None, limit: int = 20
) -> Page[Message]:
    """The newest messages of a conversation, or the newest before one of them; oldest first.

    Args:
        connection: In a read.
        app_id: The app the conversation belongs to.
        conversation_id: The conversation, which the caller has looked up.
        first_id: The first message of the page after.
        limit: At most so many.

    Returns:
        A page whose `has_more` says whether there are older ones.

    Raises:
        NotFoundError: `first_id` is no message of this conversation.

    Source: Dify service API, `GET /messages`.
    """
    if first_id is None:
        rows = _NEWEST_PAGE.rows(connection, app_id, conversation_id, limit + 1)
    else:
        first = find(connection, app_id, first_id)
        if first is None or first.conversation_id != conversation_id:
            raise NotFoundError("First Message Not Exists.", kind="message", id=first_id)
        at = micros(first.created_at)
        rows = _OLDER_PAGE.rows(connection, app_id, conversation_id, limit + 1, at, first_id)
    return Page(_CODEC.decode_all(reversed(rows[:limit])), has_more=len(rows) > limit)


def list_files(connection: Connection, message_ids: Sequence[str]) -> dict[str, tuple[MessageFile, ...]]:
    """The files of messages by message id, oldest first; a message without files is absent."""
    query = (
        select(message_files)
        .where(message_files.c.message_id.in_(message_ids))
        .order_by(message_files.c.created_at, message_files.c.id)
    )
    found: dict[str, tuple[MessageFile, ...]] = {}
    for file in _FILE_CODEC.decode_all(connection.execute(query).all()):
        found[file.message_id] = (*found.get(file.message_id, ()), file)
    return found
