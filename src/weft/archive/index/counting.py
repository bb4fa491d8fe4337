"""Statistics from the index: from sums by day where they suffice, else from the messages' rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from weft.archive.index.figures import Figures, Group, Statistics, make_latency
from weft.archive.index.message_row import RATINGS, to_decimal
from weft.archive.index.period import Period, Span, bound, iter_periods, load_zone
from weft.archive.index.schema import SUMS, first_row
from weft.archive.index.writing import BLOCK, DAY
from weft.archive.query import Query
from weft.errors import InvalidRequestError

By = Literal["app", "user", "model", "source", "org", "day", "week", "month"]
MOST_GROUPS = 10_000
MOST_PERIODS = 5_000
_PERIODS = get_args(Period)
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in SUMS)
_NAMED = "(SELECT id FROM name WHERE text IN (SELECT value FROM json_each(?)))"
_IDENTIFIED = """(SELECT id FROM conversation
    WHERE conversation_id IN (SELECT value FROM json_each(?)))"""
_CURRENCY = "(SELECT text FROM name WHERE id = currency)"
# What is written into statements below are names of our own tables and columns; values go in through marks.
_EARLIEST, _LATEST = 0, 2**57
_MESSAGES = """(SELECT org, app, model, source, currency, user, 1 AS messages, number = 0 AS conversations,
    message_tokens, answer_tokens, failed AS errors, rating = 1 AS likes, rating = 2 AS dislikes, cost_whole,
    cost_part, latency_class AS class FROM message WHERE id BETWEEN ? AND ? AND at BETWEEN ? AND ?{})"""


_Table = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class _Selection:
    """Where figures come from: a table with a condition."""

    where: str
    values: tuple[object, ...]
    is_rolled: bool
    shift: int

    def tables(self, span: Span) -> dict[str, _Table]:
        """What to write behind FROM for sums, users and latencies, with the values for its marks."""
        if not self.is_rolled:
            low, high = first_row(span.start), min(first_row(span.end) + self.shift, 2**62)
            values = (low, high, span.start, span.end, *self.values)
            return dict.fromkeys(("sums", "users", "latency"), (_MESSAGES.format(self.where), values))
        first, last = span.start // DAY, span.end // DAY
        where = f"WHERE day BETWEEN {first} AND {last}{self.where}"
        return {
            "sums": (f"rollup {where}", self.values),
            "users": (f"user_rollup {where}", self.values),
            "latency": self._latencies(first, last),
        }

    def _latencies(self, first: int, last: int) -> _Table:
        """Whole blocks of days, and the days before and after them."""
        low, high = -(-first // BLOCK), (last + 1) // BLOCK - 1
        if low > high:
            return f"latency WHERE day BETWEEN {first} AND {last}{self.where}", self.values
        columns = "org, app, model, source, class, messages"
        edges = f"day BETWEEN {first} AND {low * BLOCK - 1} OR day BETWEEN {(high + 1) * BLOCK} AND {last}"
        return (
            f"(SELECT {columns} FROM latency_block WHERE block BETWEEN {low} AND {high}{self.where}"  # noqa: S608
            f" UNION ALL SELECT {columns} FROM latency WHERE ({edges}){self.where})",
            (*self.values, *self.values),
        )


def count_messages(connection: sqlite3.Connection, query: Query, by: By | None, zone_name: str) -> Statistics:
    """Figures of the messages that a query means.

    Raises:
        InvalidRequestError: `by` or the zone is unknown, or there would be too many periods.
    """
    if by is not None and by not in get_args(By):
        raise InvalidRequestError(f"by {by!r} is none of {', '.join(get_args(By))}", {"by": "unknown"})
    zone = load_zone(zone_name)
    span = Span(
        max(bound(query.start, zone, _EARLIEST, is_end=False), _EARLIEST),
        min(bound(query.end, zone, _LATEST, is_end=True), _LATEST),
    )
    selection = _select(connection, query, span, by, zone_name)
    totals = _figures(connection, selection, span)
    if by is None or not totals.messages:
        return Statistics(totals, by, zone=zone_name)
    if by not in _PERIODS:
        return Statistics(totals, by, _groups(connection, selection, span, by), zone_name)
    found = []
    periods = iter_periods(by, _lived(connection, span), zone)  # type: ignore[arg-type]  # one of _PERIODS
    for number, (key, part) in enumerate(periods):
        if number >= MOST_PERIODS:
            raise InvalidRequestError(
                f"there are more than {MOST_PERIODS} {by}s; choose a shorter time or longer periods",
                {"by": "too many periods"},
            )
        figures = _figures(connection, selection, part)
        if figures.messages:
            found.append(Group(key, figures))
    return Statistics(totals, by, found, zone_name)


def _select(connection: sqlite3.Connection, query: Query, span: Span, by: By | None, zone: str) -> _Selection:
    conditions: list[str] = []
    values: list[object] = []
    for column, wanted in (
        ("org", None if query.organization_id is None else [query.organization_id]),
        ("app", query.app_ids),
        ("source", query.from_sources),
        ("user", None if query.end_user_id is None else [query.end_user_id]),
    ):
        if wanted is not None:
            conditions.append(
                f"{column} IN (SELECT id FROM name WHERE text IN (SELECT value FROM json_each(?)))"  # noqa: S608
            )
            values.append(json.dumps(sorted(wanted)))
    if query.rating is not None:
        conditions.append("rating = ?")
        values.append(RATINGS[None if query.rating == "none" else query.rating])
    if query.conversation_ids is not None:
        conditions.append(f"conversation IN {_IDENTIFIED}")
        values.append(json.dumps(sorted(query.conversation_ids)))
    is_rolled = (
        (query.rating, query.conversation_ids, query.end_user_id) == (None, None, None)
        and span.start % DAY == 0
        and (span.end == _LATEST or span.end % DAY == DAY - 1)
        and (by not in _PERIODS or zone == "UTC")
    )
    shift = connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'shift'").fetchone()[0]
    return _Selection("".join(f" AND {one}" for one in conditions), tuple(values), is_rolled, shift)


def _figures(connection: sqlite3.Connection, selection: _Selection, span: Span) -> Figures:
    tables = selection.tables(span)
    table, values = tables["sums"]
    query = f"SELECT 0, {_CURRENCY}, {_SUMS} FROM {table} GROUP BY currency"  # noqa: S608
    sums = _by_key(connection.execute(query, values)).get(0)
    if sums is None:
        return Figures()
    table, values = tables["users"]
    query = f"SELECT count(DISTINCT user) FROM (SELECT user FROM {table}) WHERE user != ?"  # noqa: S608
    users = connection.execute(query, (*values, _nobody(connection))).fetchone()[0]
    return sums.figures(users, _latencies(connection, tables["latency"], "0").get(0, {}))


def _groups(connection: sqlite3.Connection, selection: _Selection, span: Span, by: str) -> list[Group]:
    tables = selection.tables(span)
    table, values = tables["users" if by == "user" else "sums"]
    query = f"SELECT {by}, {_CURRENCY}, {_SUMS} FROM {table} GROUP BY {by}, currency"  # noqa: S608
    sums = _by_key(connection.execute(query, values))
    table, values = tables["users"]
    inner = f"SELECT {by} AS key, user FROM {table}"  # noqa: S608
    query = f"SELECT key, count(DISTINCT user) FROM ({inner}) WHERE user != ? GROUP BY key"  # noqa: S608
    users = dict(connection.execute(query, (*values, _nobody(connection))).fetchall())
    classes = {} if by == "user" else _latencies(connection, tables["latency"], by)
    names: dict[int, str] = dict(
        connection.execute(
            "SELECT id, text FROM name WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(sums)),),
        ).fetchall()
    )
    order = sorted(sums, key=lambda key: (-sums[key].values[0], names[key]))[:MOST_GROUPS]
    return [Group(names[key], sums[key].figures(users.get(key, 0), classes.get(key, {}))) for key in order]


@dataclass(slots=True)
class _Sums:
    values: list[int]
    cost: dict[str, Decimal]

    def figures(self, users: int, classes: dict[int, int]) -> Figures:
        """The figures of these sums."""
        messages, conversations, message_tokens, answer_tokens, errors, likes, dislikes = self.values
        return Figures(
            messages=messages,
            conversations=conversations,
            users=users,
            message_tokens=message_tokens,
            answer_tokens=answer_tokens,
            errors=errors,
            likes=likes,
            dislikes=dislikes,
            cost=dict(sorted(self.cost.items())),
            latency=make_latency(classes),
        )


def _by_key(rows: Iterable[Sequence[object]]) -> dict[int, _Sums]:
    """Rows of key, currency and sums, brought together by key."""
    found: dict[int, _Sums] = {}
    for key, currency, *numbers in rows:
        counts = [number for number in numbers if isinstance(number, int)]
        sums = found.setdefault(int(str(key)), _Sums([0] * (len(SUMS) - 2), {}))
        sums.values = [old + new for old, new in zip(sums.values, counts[:-2], strict=True)]
        if currency:
            sums.cost[str(currency)] = to_decimal(counts[-2], counts[-1])
    return found


def _latencies(connection: sqlite3.Connection, table: _Table, key: str) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    inner = f"SELECT {key} AS key, class, messages FROM {table[0]}"  # noqa: S608
    query = f"SELECT key, class, sum(messages) FROM ({inner}) WHERE class > 0 GROUP BY key, class"  # noqa: S608
    for group, number, count in connection.execute(query, table[1]):
        found.setdefault(group, {})[number] = count
    return found


def _nobody(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT id FROM name WHERE text = ''").fetchone()
    return int(found[0]) if found else -1


def _lived(connection: sqlite3.Connection, span: Span) -> Span:
    """The part of a span in which there are messages at all."""
    first, last = connection.execute("SELECT min(day), max(day) FROM rollup").fetchone()
    return Span(max(span.start, first * DAY), min(span.end, (last + 1) * DAY - 1))
