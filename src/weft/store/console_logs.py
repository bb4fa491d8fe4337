"""Conversations as the console lists them: filtered, in numbered pages, with what is known about each.

One statement finds a page, by an index that holds all it asks for; what is counted for its conversations
comes from one statement. Conversations with a keyword come from the search index.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Select,
    Table,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from weft.errors import NotFoundError
from weft.store import search
from weft.store.codec import Codec, dump_json, micros
from weft.store.conversations import SortBy
from weft.store.records import Conversation
from weft.store.search_queue import unknown_conversations
from weft.store.search_text import portions
from weft.store.statement import Statement, containing, updating
from weft.store.tables import (
    accounts,
    annotation_table,
    conversations,
    end_users,
    feedbacks,
    messages,
    runs,
)

_MOST_READ = 5_000
"""Where more conversations than that are unknown to the index, all are read."""
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
    conditions = _conditions(app_id, wanted)
    if wanted.keyword:
        conditions.append(_has(connection, app_id, wanted.keyword))
        ids, total = _sorted(connection, conditions, wanted, skipped, limit)
    else:
        ids, total = _page(connection, conditions, wanted, skipped, limit)
    return ConversationEntryPage(_entries(connection, ids), total, has_more=total > page * limit)


def _page(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    wanted: ConversationFilter,
    skipped: int,
    limit: int,
) -> tuple[Sequence[str], int]:
    """Ids of a page, and how many conversations all pages have."""
    total = connection.execute(
        select(func.count()).select_from(conversations).where(*conditions)
    ).scalar_one()
    if skipped >= total:
        return (), total
    column = conversations.c[wanted.sort_by.lstrip("-")]
    order = (
        (column.desc(), conversations.c.id.desc())
        if wanted.sort_by.startswith("-")
        else (column, conversations.c.id)
    )
    query = select(conversations.c.id).where(*conditions).order_by(*order).limit(limit).offset(skipped)
    return connection.execute(query).scalars().all(), total


def _sorted(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    wanted: ConversationFilter,
    skipped: int,
    limit: int,
) -> tuple[Sequence[str], int]:
    """The same, where finding them once is dear and counting them cheap."""
    column = conversations.c[wanted.sort_by.lstrip("-")]
    rows = connection.execute(
        select(column, conversations.c.id).select_from(_WITH_USERS).where(*conditions)
    ).all()
    places = sorted([(at, id) for at, id in rows], reverse=wanted.sort_by.startswith("-"))
    return [id for _, id in places[skipped : skipped + limit]], len(places)


def _has(connection: Connection, app_id: str, keyword: str) -> ColumnElement[bool]:
    """The condition of a keyword: by the index if it can say, else by reading."""
    found = search.find_conversations(connection, app_id, keyword)
    if found is None:
        return _mentions(keyword)
    unknown = set(connection.execute(unknown_conversations(app_id)).scalars())
    if len(unknown) > _MOST_READ:
        return _mentions(keyword)
    if unknown:
        read = set[str]()
        for some in portions(list(unknown)):
            query = select(conversations.c.id).select_from(_WITH_USERS).where(conversations.c.id.in_(some))
            read.update(connection.execute(query.where(_mentions(keyword))).scalars())
        known = conversations.c.id.not_in(unknown_conversations(app_id))
        found = (found & known) | conversations.c.id.in_(sorted(read))
    # One in which nobody said anything has no keyword, whatever it is called.
    return found & exists().where(messages.c.conversation_id == conversations.c.id)


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
    said: dict[str, int] = {}
    annotated = set[str]()
    rated: dict[tuple[str, str, str], int] = {}
    ran: dict[str, dict[str, int]] = {}
    value = dump_json(ids) if connection.dialect.name == "sqlite" else ",".join(ids)
    rows = cast("Sequence[tuple[str, str, str, str, int]]", _COUNT.rows(connection, value))
    for what, id, status, rating, times in rows:
        match what:
            case "messages":
                said[id] = times
            case "annotations":
                annotated.add(id)
            case "feedbacks":
                rated[id, status, rating] = times
            case _:
                ran.setdefault(id, {})[status] = times
    return _Counts(said, frozenset(annotated), rated, ran)


def _counting(dialect: Dialect) -> ClauseElement:
    """What belongs to conversations, each kind by what it is told apart by: all in one statement."""
    given = bindparam("ids", type_=Text)
    # By way of the messages: the runs have no index that begins with the conversation.
    with_runs = messages.join(runs, runs.c.id == messages.c.run_id)
    parts = [
        _grouped(messages, messages),
        _grouped(annotation_table, annotation_table),
        _grouped(feedbacks, feedbacks, feedbacks.c.from_source, feedbacks.c.rating),
        _grouped(messages, with_runs, runs.c.status, name="runs"),
    ]
    among = (
        select(func.json_each(given).table_valued("value").c.value)
        if dialect.name == "sqlite"
        else select(func.unnest(func.string_to_array(given, ",")))
    )
    return union_all(*(part.where(id.in_(among)) for part, id in parts))


def _grouped(
    table: Table, source: FromClause, *columns: ColumnElement[str], name: str | None = None
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[str]]:
    """How many rows have the same values in these columns, two at most, and the conversation's column."""
    id: ColumnElement[str] = table.c.conversation_id
    padding: list[ColumnElement[str]] = [literal_column("''", Text)] * (2 - len(columns))
    what: ColumnElement[str] = literal_column(f"'{name or table.name}'", Text)
    query = select(what, id, *columns, *padding, func.count()).select_from(source).group_by(id, *columns)
    return query, id


_COUNT = Statement(_counting, ["ids"])
