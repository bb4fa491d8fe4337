"""Numbers by day: messages, conversations, people, tokens, money.

A day begins at midnight of somebody's time zone. Its bounds are computed outside and come in as a `Days`,
whose offsets from UTC change where the zone's do; the database puts each row into its day with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    case,
    func,
    literal,
    select,
    type_coerce,
)

from weft.store.codec import instant, micros
from weft.store.tables import conversations, feedbacks, messages, runs

_DAY = 86_400_000_000
_FIRST = date(1970, 1, 1)


class Span(msgspec.Struct, frozen=True):
    """A time for which a zone's distance from UTC stays the same."""

    until: datetime | None
    """Exclusive; ``None`` for ever."""
    offset: timedelta


class Days(msgspec.Struct, frozen=True):
    """What a day is, and which of them are wanted."""

    spans: Sequence[Span]
    """In order; the last one has no end."""
    start: datetime | None = None
    """Inclusive; ``None`` from the beginning."""
    end: datetime | None = None
    """Exclusive; ``None`` for ever."""


class Spent(msgspec.Struct, frozen=True):
    """Tokens of a day and their price."""

    tokens: int
    price: Decimal


def bounds(connection: Connection, app_id: str) -> tuple[datetime, datetime] | None:
    """From when to when an app has anything to count; `None` if it has nothing."""
    found: list[int] = []
    for table in (messages, runs, conversations):
        # Each end by itself, so that an index finds it without looking at what is between.
        for value in (func.min(table.c.created_at), func.max(table.c.created_at)):
            row = connection.execute(select(value).where(table.c.app_id == app_id)).scalar_one()
            if row is not None:
                found.append(row)
    return (instant(min(found)), instant(max(found))) if found else None


def count_messages(connection: Connection, app_id: str, days: Days) -> dict[date, int]:
    """Messages by day."""
    return _ints(_by_day(connection, _messages(app_id), days, func.count()))


def count_conversations(connection: Connection, app_id: str, days: Days) -> dict[date, int]:
    """Conversations by day, counted on each day that has a message of theirs."""
    return _ints(
        _by_day(connection, _messages(app_id), days, func.count(messages.c.conversation_id.distinct()))
    )


def count_end_users(connection: Connection, app_id: str, days: Days) -> dict[date, int]:
    """People by day who have sent a message."""
    return _ints(_by_day(connection, _messages(app_id), days, func.count(messages.c.end_user_id.distinct())))


def sum_costs(connection: Connection, app_id: str, days: Days) -> dict[date, Spent]:
    """Tokens of questions and answers by day, and what they cost, to the last digit."""
    # Neither database adds up decimal texts without losing digits, so equal prices are counted there and
    # added here.
    day = _day_of(messages.c.created_at, days)
    tokens = func.sum(messages.c.message_tokens + messages.c.answer_tokens)
    rows = connection.execute(
        select(day, messages.c.total_price, func.count(), tokens)
        .where(*_messages(app_id), *_range(messages.c.created_at, days))
        .group_by(day, messages.c.total_price)
    )
    spent: dict[date, Spent] = {}
    for number, price, times, sum_of_tokens in rows:
        before = spent.get(_date(number), Spent(0, Decimal(0)))
        spent[_date(number)] = Spent(
            before.tokens + int(sum_of_tokens), before.price + Decimal(price) * times
        )
    return dict(sorted(spent.items()))


def count_interactions(connection: Connection, app_id: str, days: Days) -> dict[date, tuple[int, int]]:
    """Messages, and the conversations that they are part of, by the day on which those began."""
    joined = messages.join(conversations, conversations.c.id == messages.c.conversation_id)
    return _pairs(
        _by_day(
            connection,
            [conversations.c.app_id == app_id, *_messages(app_id)],
            days,
            func.count(),
            func.count(conversations.c.id.distinct()),
            column=conversations.c.created_at,
            source=joined,
        )
    )


def count_likes(connection: Connection, app_id: str, days: Days) -> dict[date, tuple[int, int]]:
    """Messages that somebody likes, and all messages, by day; one that two like counts once."""
    liked = (
        select(feedbacks.c.message_id)
        .where(feedbacks.c.app_id == app_id)
        .where(feedbacks.c.rating == "like")
        .distinct()
        .subquery()
    )
    return _pairs(
        _by_day(
            connection,
            _messages(app_id),
            days,
            func.count(liked.c.message_id),
            func.count(),
            source=messages.outerjoin(liked, liked.c.message_id == messages.c.id),
        )
    )


def sum_latencies(connection: Connection, app_id: str, days: Days) -> dict[date, tuple[int, int, float]]:
    """Messages, tokens of answers, and seconds that answers took, by day."""
    rows = _by_day(
        connection,
        _messages(app_id),
        days,
        func.count(),
        func.sum(messages.c.answer_tokens),
        func.sum(messages.c.latency),
    )
    return {day: (int(values[0]), int(values[1]), float(values[2])) for day, values in rows.items()}


def count_runs(connection: Connection, app_id: str, days: Days) -> dict[date, int]:
    """Runs by day."""
    return _ints(_runs_by_day(connection, app_id, days, func.count()))


def count_run_users(connection: Connection, app_id: str, days: Days) -> dict[date, tuple[int, int]]:
    """Runs, and the people who caused them, by day."""
    people = func.count(func.coalesce(runs.c.end_user_id, runs.c.account_id).distinct())
    return _pairs(_runs_by_day(connection, app_id, days, func.count(), people))


def sum_run_tokens(connection: Connection, app_id: str, days: Days) -> dict[date, int]:
    """Tokens of runs by day."""
    return _ints(_runs_by_day(connection, app_id, days, func.sum(runs.c.total_tokens)))


def _messages(app_id: str) -> list[ColumnElement[bool]]:
    return [messages.c.app_id == app_id, messages.c.invoke_from.is_distinct_from("debugger")]


def _runs_by_day(
    connection: Connection, app_id: str, days: Days, *values: ColumnElement[Any]
) -> dict[date, tuple[Any, ...]]:
    wanted = [runs.c.app_id == app_id, runs.c.triggered_from == "app-run"]
    return _by_day(connection, wanted, days, *values, column=runs.c.created_at, source=runs)


def _by_day(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    days: Days,
    *values: ColumnElement[Any],
    column: ColumnElement[Any] = messages.c.created_at,
    source: FromClause = messages,
) -> dict[date, tuple[Any, ...]]:
    """Values of the rows of each day that has any, in order."""
    day = _day_of(column, days)
    rows = connection.execute(
        select(day, *values).select_from(source).where(*conditions, *_range(column, days)).group_by(day)
    )
    return dict(sorted((_date(row[0]), tuple(row[1:])) for row in rows))


def _day_of(column: ColumnElement[Any], days: Days) -> ColumnElement[int]:
    """Days since 1970 in the zone's own calendar."""
    *changing, last = days.spans
    at = type_coerce(column, BigInteger)
    offset: ColumnElement[int] = literal(_whole(last.offset), BigInteger)
    if changing:
        offset = case(
            *((at < micros(span.until), _whole(span.offset)) for span in changing if span.until is not None),
            else_=_whole(last.offset),
        )
    return ((at + offset) // literal(_DAY, BigInteger)).label("day")


def _range(column: ColumnElement[Any], days: Days) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if days.start is not None:
        conditions.append(column >= micros(days.start))
    if days.end is not None:
        conditions.append(column < micros(days.end))
    return conditions


def _whole(offset: timedelta) -> int:
    return offset // timedelta(microseconds=1)


def _date(number: int) -> date:
    return _FIRST + timedelta(days=int(number))


def _ints(rows: dict[date, tuple[Any, ...]]) -> dict[date, int]:
    return {day: int(values[0]) for day, values in rows.items()}


def _pairs(rows: dict[date, tuple[Any, ...]]) -> dict[date, tuple[int, int]]:
    return {day: (int(values[0]), int(values[1])) for day, values in rows.items()}
