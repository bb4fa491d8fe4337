"""Conversations: one person's exchanges with one app."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec
from sqlalchemy import BigInteger, Connection, Integer, bindparam, or_, select, tuple_, update

from weft.errors import NotFoundError
from weft.store.codec import Codec, micros, storable
from weft.store.records import Conversation, Page
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import Id, conversations

SortBy: TypeAlias = Literal["created_at", "-created_at", "updated_at", "-updated_at"]
"""A minus sign means newest first."""

_CODEC = Codec(Conversation, conversations)
_INSERT = inserting(conversations)
_ALIVE = (
    select(conversations)
    .where(conversations.c.id == bindparam("id"))
    .where(conversations.c.app_id == bindparam("app_id"))
    .where(conversations.c.is_deleted.is_(False))
)
_FIND = Statement(_ALIVE, ["id", "app_id"])
_RENAME = updating(conversations, "name", "updated_at")
_MARK_DELETED = updating(conversations, "is_deleted", "updated_at")
_TOUCH = updating(conversations, "updated_at")
_BUMP = Statement(
    update(conversations)
    .where(conversations.c.id == bindparam("row_id"))
    .where(conversations.c.is_deleted.is_(False))
    .ordered_values(
        (conversations.c.updated_at, bindparam("now")),
        (conversations.c.dialogue_count, conversations.c.dialogue_count + 1),
    ),
    ["now", "row_id"],
)


def _pages(sort_by: SortBy) -> tuple[Statement, Statement]:
    """The statement for the first page in that order, and the one for those after a cursor."""
    column = conversations.c[sort_by.lstrip("-")]
    newest_first = sort_by.startswith("-")
    page = (
        select(conversations)
        .where(conversations.c.end_user_id == bindparam("end_user_id"))
        .where(conversations.c.app_id == bindparam("app_id"))
        .where(conversations.c.from_source == "api")
        .where(or_(conversations.c.invoke_from == "service-api", conversations.c.invoke_from.is_(None)))
        .where(conversations.c.is_deleted.is_(False))
        .limit(bindparam("limit", type_=Integer))
    )
    if newest_first:
        page = page.order_by(column.desc(), conversations.c.id.desc())
    else:
        page = page.order_by(column, conversations.c.id)
    position = tuple_(column, conversations.c.id)
    cursor = tuple_(bindparam("at", type_=BigInteger), bindparam("last_id", type_=Id))
    rest = page.where(position < cursor if newest_first else position > cursor)
    names = ["app_id", "end_user_id", "limit"]
    return Statement(page, names), Statement(rest, [*names, "at", "last_id"])


_SORTS: tuple[SortBy, ...] = ("created_at", "-created_at", "updated_at", "-updated_at")
_PAGES: dict[SortBy, tuple[Statement, Statement]] = {sort_by: _pages(sort_by) for sort_by in _SORTS}


def insert(connection: Connection, conversation: Conversation) -> None:
    """Store a new conversation."""
    _INSERT.run(connection, *_CODEC.encode(conversation))


def bump(connection: Connection, conversation_id: str, now: datetime) -> None:
    """Note that another message begins: one more, and now is when the conversation changed.

    Raises:
        NotFoundError: The conversation has been deleted.
    """
    if _BUMP.run(connection, micros(now), conversation_id) == 0:
        raise _absent(conversation_id)


def touch(connection: Connection, conversation_id: str, now: datetime) -> None:
    """Note that the conversation changed now."""
    _TOUCH.run(connection, micros(now), conversation_id)


def find(
    connection: Connection, app_id: str, conversation_id: str, *, end_user_id: str | None
) -> Conversation | None:
    """The conversation of that id, if it is the app's, not deleted and the end user's.

    Args:
        connection: In a read or a write.
        app_id: The app it must belong to.
        conversation_id: Its id.
        end_user_id: Whose it must be; `None` for anybody's.
    """
    row = _FIND.row(connection, conversation_id, app_id)
    if row is None:
        return None
    found = _CODEC.decode(row)
    return found if end_user_id in (None, found.end_user_id) else None


def get(
    connection: Connection, app_id: str, conversation_id: str, *, end_user_id: str | None
) -> Conversation:
    """As `find`.

    Raises:
        NotFoundError: There is none.
    """
    found = find(connection, app_id, conversation_id, end_user_id=end_user_id)
    if found is None:
        raise _absent(conversation_id)
    return found


def list_page(
    connection: Connection,
    app_id: str,
    end_user_id: str,
    *,
    sort_by: SortBy = "-updated_at",
    last_id: str | None = None,
    limit: int = 20,
) -> Page[Conversation]:
    """An end user's conversations that came through the service API and are not deleted.

    Args:
        connection: In a read.
        app_id: The app.
        end_user_id: Whose conversations.
        sort_by: The order; equal instants are told apart by id.
        last_id: The last conversation of the page before.
        limit: At most so many.

    Raises:
        NotFoundError: `last_id` is none of this list.

    Source: Dify service API, `GET /conversations`.
    """
    first, rest = _PAGES[sort_by]
    if last_id is None:
        rows = first.rows(connection, app_id, end_user_id, limit + 1)
    else:
        last = find(connection, app_id, last_id, end_user_id=end_user_id)
        if last is None:
            raise NotFoundError("Last Conversation Not Exists.", kind="conversation", id=last_id)
        at = last.created_at if sort_by.endswith("created_at") else last.updated_at
        rows = rest.rows(connection, app_id, end_user_id, limit + 1, micros(at), last_id)
    return Page(_CODEC.decode_all(rows[:limit]), has_more=len(rows) > limit)


def rename(
    connection: Connection,
    app_id: str,
    conversation_id: str,
    name: str,
    now: datetime,
    *,
    end_user_id: str | None,
) -> Conversation:
    """Give a conversation another name.

    Raises:
        NotFoundError: There is none of that id, app and end user (`None`: of anybody).
    """
    found = get(connection, app_id, conversation_id, end_user_id=end_user_id)
    name = storable(name)
    _RENAME.run(connection, name, micros(now), conversation_id)
    return msgspec.structs.replace(found, name=name, updated_at=now)


def mark_deleted(
    connection: Connection, app_id: str, conversation_id: str, now: datetime, *, end_user_id: str | None
) -> None:
    """Take a conversation out of all lists; its runs and their logs remain.

    Raises:
        NotFoundError: There is none of that id, app and end user (`None`: of anybody).
    """
    get(connection, app_id, conversation_id, end_user_id=end_user_id)
    _MARK_DELETED.run(connection, True, micros(now), conversation_id)


def _absent(conversation_id: str) -> NotFoundError:
    return NotFoundError("Conversation Not Exists.", kind="conversation", id=conversation_id)
