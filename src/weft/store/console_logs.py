"""Conversations as the console lists them: filtered, in numbered pages, with what is known about each.

One statement finds a page, by an index that holds all it asks for; what is counted for its conversations comes
from one grouped statement per table. Conversations with a keyword come from the search index.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, exists, func, or_, select

from weft.errors import NotFoundError
from weft.store import search
from weft.store.codec import Codec, micros
from weft.store.conversations import SortBy
from weft.store.records import Conversation
from weft.store.search_queue import unknown_conversations
from weft.store.search_text import portions
from weft.store.statement import containing, updating
from weft.store.tables import (
    accounts,
    annotation_table,
    conversations,
    end_users,
    feedbacks,
    messages,
    runs,
)

_CODEC = Codec(Conversation, conversations)
_READ = updating(conversations, "read_at")
_WITH_USERS = conversations.outerjoin(end_users, end_users.c.id == conversations.c.end_user_id)
_WITH_PEOPLE = _WITH_USERS.outerjoin(accounts, accounts.c.id == conversations.c.account_id)
_FIRST_QUERY = (
    select(messages.c.query)
    .where(messages.c.conversation_id == conversations.c.id)
    .order_by(messages.c.created_at, messages.c.id)
    .limit(1)
    .correlate(conversations)
    .scalar_subquery()
)


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations are wanted; everything that is given must hold.

    Source: Dify console API, `GET /apps/{id}/chat-conversations`.
    """

    keyword: str = ""
    """Anywhere in a query or answer, in the name or introduction or in the end user's session id, in
    whatever case. A conversation without messages has none."""
    start: datetime | None = None
    """Inclusive; of creation or of the last change, as the order has it."""
    end: datetime | None = None
    """Exclusive."""
    annotation: Literal["annotated", "not_annotated", "all"] = "all"
    sort_by: SortBy = "-updated_at"
    with_debugger: bool = True


class Tally(msgspec.Struct, frozen=True):
    """How often something was liked and disliked."""

    like: int = 0
    dislike: int = 0


class ConversationEntry(msgspec.Struct, frozen=True):
    """One conversation in the list, and what is known about it."""

    conversation: Conversation
    session_id: str | None
    account_name: str | None
    summary: str
    """The stored one, else the first query."""
    message_count: int
    annotated: bool
    by_user: Tally
    by_admin: Tally
    runs: dict[str, int]
    """How many runs have which status."""


class ConversationEntryPage(msgspec.Struct, frozen=True):
    """One numbered page; `total` counts the conversations of all pages."""

    items: tuple[ConversationEntry, ...]
    total: int
    has_more: bool


def list_page(
    connection: Connection, app_id: str, wanted: ConversationFilter, *, page: int = 1, limit: int = 20
) -> ConversationEntryPage:
    """Conversations of an app that are not deleted.

    Args:
        connection: In a read.
        app_id: The app.
        wanted: Which, and in which order.
        page: Counts from 1; one past the end is empty.
        limit: Conversations on a page.
    """
    skipped = (page - 1) * limit
    mentioned = _mentioned(connection, app_id, wanted.keyword) if wanted.keyword else None
    if mentioned is None:
        ids, total = _page(connection, _conditions(app_id, wanted), wanted, skipped, limit)
    else:
        ids, total = _page_of(connection, _conditions(app_id, wanted), wanted, mentioned, skipped, limit)
    return ConversationEntryPage(_entries(connection, ids), total, has_more=total > page * limit)


def _page(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    wanted: ConversationFilter,
    skipped: int,
    limit: int,
) -> tuple[Sequence[str], int]:
    """Ids of a page, and how many conversations all pages have."""
    if wanted.keyword:
        conditions = [*conditions, _mentions(wanted.keyword)]
    total = connection.execute(select(func.count()).select_from(_WITH_USERS).where(*conditions)).scalar_one()
    if skipped >= total:
        return (), total
    column = conversations.c[wanted.sort_by.lstrip("-")]
    order = (
        (column.desc(), conversations.c.id.desc())
        if wanted.sort_by.startswith("-")
        else (column, conversations.c.id)
    )
    query = select(conversations.c.id).select_from(_WITH_USERS).where(*conditions)
    return connection.execute(query.order_by(*order).limit(limit).offset(skipped)).scalars().all(), total


def _page_of(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    wanted: ConversationFilter,
    mentioned: Sequence[str],
    skipped: int,
    limit: int,
) -> tuple[Sequence[str], int]:
    """The same among conversations of these ids, provided that somebody said something in them."""
    said = exists().where(messages.c.conversation_id == conversations.c.id)
    query = select(conversations.c[wanted.sort_by.lstrip("-")], conversations.c.id).where(*conditions, said)
    places: list[tuple[int, str]] = []
    for some in portions(mentioned):
        rows = connection.execute(query.where(conversations.c.id.in_(some)))
        places += [(at, id) for at, id in rows]
    places.sort(reverse=wanted.sort_by.startswith("-"))
    return [id for _, id in places[skipped : skipped + limit]], len(places)


def _mentioned(connection: Connection, app_id: str, keyword: str) -> Sequence[str] | None:
    """Ids of the conversations with a keyword, and maybe of deleted ones; `None` when all have to be read."""
    found = search.find_conversations(connection, app_id, keyword)
    if found is None:
        return None
    unknown = connection.execute(unknown_conversations(app_id)).scalars().all()
    if not unknown:
        return found
    read = set[str]()
    for some in portions(list(set(unknown))):
        query = select(conversations.c.id).select_from(_WITH_USERS).where(conversations.c.id.in_(some))
        read.update(connection.execute(query.where(_mentions(keyword))).scalars())
    return list(set(found).difference(unknown) | read)


def find(connection: Connection, app_id: str, conversation_id: str) -> ConversationEntry | None:
    """One conversation of an app, unless it is deleted."""
    conditions = [*_conditions(app_id, ConversationFilter()), conversations.c.id == conversation_id]
    ids = connection.execute(select(conversations.c.id).where(*conditions)).scalars().all()
    found = _entries(connection, ids)
    return found[0] if found else None


def mark_read(connection: Connection, app_id: str, conversation_id: str, now: datetime) -> ConversationEntry:
    """Note that somebody has looked at a conversation, the first time.

    Raises:
        NotFoundError: The app has none of that id.
    """
    found = find(connection, app_id, conversation_id)
    if found is None:
        raise NotFoundError("Conversation Not Exists.", kind="conversation", id=conversation_id)
    if found.conversation.read_at is not None:
        return found
    _READ.run(connection, micros(now), conversation_id)
    read = msgspec.structs.replace(found.conversation, read_at=now)
    return msgspec.structs.replace(found, conversation=read)


def _conditions(app_id: str, wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        conversations.c.app_id == app_id,
        conversations.c.is_deleted.is_(False),
    ]
    column = conversations.c[wanted.sort_by.lstrip("-")]
    if wanted.start is not None:
        conditions.append(column >= micros(wanted.start))
    if wanted.end is not None:
        conditions.append(column < micros(wanted.end))
    if not wanted.with_debugger:
        conditions.append(conversations.c.invoke_from.is_distinct_from("debugger"))
    if wanted.annotation != "all":
        # Annotations are few; they are looked up once instead of for every conversation.
        annotated = (
            select(annotation_table.c.conversation_id)
            .where(annotation_table.c.app_id == app_id)
            .where(annotation_table.c.conversation_id.is_not(None))
        )
        id = conversations.c.id
        conditions.append(id.in_(annotated) if wanted.annotation == "annotated" else id.not_in(annotated))
    return conditions


def _mentions(keyword: str) -> ColumnElement[bool]:
    pattern = func.lower(containing(keyword))
    searched = (
        conversations.c.name,
        conversations.c.introduction,
        end_users.c.session_id,
        messages.c.query,
        messages.c.answer,
    )
    found = or_(*(func.lower(column).like(pattern, escape="/") for column in searched))
    return exists(
        select(messages.c.id)
        .where(messages.c.conversation_id == conversations.c.id)
        .where(found)
        .correlate(conversations, end_users)
    )


def _entries(connection: Connection, ids: Sequence[str]) -> tuple[ConversationEntry, ...]:
    """The conversations of these ids, in this order."""
    if not ids:
        return ()
    found = connection.execute(
        select(conversations, end_users.c.session_id, accounts.c.name, _FIRST_QUERY)
        .select_from(_WITH_PEOPLE)
        .where(conversations.c.id.in_(ids))
    )
    rows = sorted(found, key=lambda row: ids.index(row[0]))
    width = len(conversations.c)
    counts = _counts(connection, ids)
    entries = []
    for row in rows:
        conversation = _CODEC.decode(tuple(row[:width]))
        session_id, account_name, query = row[width:]
        entries.append(
            ConversationEntry(
                conversation=conversation,
                session_id=session_id,
                account_name=account_name,
                summary=conversation.summary or query or "",
                message_count=counts.messages.get(conversation.id, 0),
                annotated=conversation.id in counts.annotated,
                by_user=counts.tally(conversation.id, "user"),
                by_admin=counts.tally(conversation.id, "admin"),
                runs=counts.runs.get(conversation.id, {}),
            )
        )
    return tuple(entries)


class _Counts(msgspec.Struct, frozen=True):
    messages: dict[str, int]
    annotated: frozenset[str]
    ratings: dict[tuple[str, str, str], int]
    """By conversation, source and rating."""
    runs: dict[str, dict[str, int]]

    def tally(self, conversation_id: str, source: str) -> Tally:
        return Tally(
            self.ratings.get((conversation_id, source, "like"), 0),
            self.ratings.get((conversation_id, source, "dislike"), 0),
        )


def _counts(connection: Connection, ids: Sequence[str]) -> _Counts:
    if not ids:
        return _Counts({}, frozenset(), {}, {})
    counted = _grouped(connection, messages, ids, messages.c.conversation_id)
    annotated = _grouped(connection, annotation_table, ids, annotation_table.c.conversation_id)
    rated = _grouped(
        connection,
        feedbacks,
        ids,
        feedbacks.c.conversation_id,
        feedbacks.c.from_source,
        feedbacks.c.rating,
    )
    # By way of the messages: the runs have no index that begins with the conversation.
    ran = connection.execute(
        select(messages.c.conversation_id, runs.c.status, func.count())
        .select_from(messages.join(runs, runs.c.id == messages.c.run_id))
        .where(messages.c.conversation_id.in_(ids))
        .group_by(messages.c.conversation_id, runs.c.status)
    )
    by_status: dict[str, dict[str, int]] = {}
    for conversation_id, status, times in ran:
        by_status.setdefault(conversation_id, {})[status] = times
    return _Counts(
        {key[0]: times for key, times in counted.items()},
        frozenset(key[0] for key in annotated),
        {(key[0], key[1], key[2]): times for key, times in rated.items()},
        by_status,
    )


def _grouped(
    connection: Connection, table: Table, ids: Sequence[str], *columns: ColumnElement[str]
) -> dict[tuple[str, ...], int]:
    """How many rows of those conversations have the same values in these columns."""
    rows = connection.execute(
        select(*columns, func.count()).where(table.c.conversation_id.in_(ids)).group_by(*columns)
    )
    return {tuple(row[:-1]): int(row[-1]) for row in rows}
