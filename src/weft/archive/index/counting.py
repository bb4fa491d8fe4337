"""Statistics from the index: from sums by day where they suffice, else from the messages' rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
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
_EARLIEST, _LATEST = 0, 2**57

# All statements are put together here, once, from our own names; what is asked for goes in as values.
_ONE_OF = """(:{value} IS NULL
    OR {column} IN (SELECT id FROM name WHERE text IN (SELECT value FROM json_each(:{value}))))"""
_COLUMNS = {"org": "orgs", "app": "apps", "source": "sources"}
_CHOSEN = " AND ".join(_ONE_OF.format(column=column, value=value) for column, value in _COLUMNS.items())
_DAYS = f"day BETWEEN :first AND :last AND {_CHOSEN}"
_ROWS = f"""id BETWEEN :low AND :high AND at BETWEEN :start AND :end AND {_CHOSEN}
    AND {_ONE_OF.format(column="user", value="users")} AND (:rating IS NULL OR rating = :rating)"""
_IDENTIFIED = """conversation IN
    (SELECT id FROM conversation WHERE conversation_id IN (SELECT value FROM json_each(:conversations)))"""
_LATENCIES = """(
    SELECT org, app, model, source, class, messages FROM latency_block
    WHERE block BETWEEN :low_block AND :high_block
    UNION ALL SELECT org, app, model, source, class, messages FROM latency
    WHERE day BETWEEN :first AND :last AND NOT day BETWEEN :low_inner AND :high_inner
)"""
_SOURCES = {
    "rolled": (("rollup", _DAYS), ("user_rollup", _DAYS), (_LATENCIES, _CHOSEN)),
    **{
        name: ((table, where),) * 3
        for table in ("said", "spent")
        for name, where in ((table, _ROWS), (f"{table} of some", f"{_ROWS} AND {_IDENTIFIED}"))
    },
}
"""Where sums, users and latencies come from, each a table with a condition."""
_KEYS = {"": "0", **{name: name for name in ("app", "user", "model", "source", "org")}}
_SUM = """SELECT {key}, (SELECT text FROM name WHERE id = currency), {sums}
    FROM {table} WHERE {where} GROUP BY 1, currency"""
_USERS = """SELECT {key}, count(DISTINCT user) FROM {table}
    WHERE user != coalesce((SELECT id FROM name WHERE text = ''), -1) AND {where} GROUP BY 1"""
_CLASSES = "SELECT {key}, class, sum(messages) FROM {table} WHERE class > 0 AND {where} GROUP BY 1, 2"


class _Statements:
    """What is asked of one source, for groups by one column."""

    def __init__(self, source: str, key: str) -> None:
        sums, users, latencies = _SOURCES[source]
        column = _KEYS[key]
        # Days' sums are kept without users as well.
        table, where = users if key == "user" else sums
        added = ", ".join(f"coalesce(sum({name}), 0)" for name in SUMS)
        self.sums = _SUM.format(key=column, sums=added, table=table, where=where)
        self.users = _USERS.format(key=column, table=users[0], where=users[1])
        self.classes = None
        """Latencies are not told by user."""
        if key != "user":
            self.classes = _CLASSES.format(key=column, table=latencies[0], where=latencies[1])


_STATEMENTS = {(source, key): _Statements(source, key) for source in _SOURCES for key in _KEYS}


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which messages are meant, whenever they were."""

    source: str
    values: Mapping[str, object]
    shift: int
    has_usages: bool

    def ask(self, connection: sqlite3.Connection, span: Span, by: str = "") -> dict[int, Figures]:
        """Figures of these messages within a span, by the number of a name."""
        source = self.source
        if by == "model" and self.has_usages:
            # What a run used is kept for each message only.
            source = "spent" if source == "rolled" else source.replace("said", "spent")
        statements = _STATEMENTS[source, by]
        values = {**self.values, **_bounds(span, self.shift)}
        sums = _by_key(connection.execute(statements.sums, values))
        if not sums:
            return {}
        users = dict(connection.execute(statements.users, values).fetchall())
        classes: dict[int, dict[int, int]] = {}
        if statements.classes is not None:
            for key, number, count in connection.execute(statements.classes, values):
                classes.setdefault(key, {})[number] = count
        return {key: found.figures(users.get(key, 0), classes.get(key, {})) for key, found in sums.items()}


def _bounds(span: Span, shift: int) -> dict[str, int]:
    first, last = span.start // DAY, span.end // DAY
    low, high = -(-first // BLOCK), (last + 1) // BLOCK - 1
    return {
        "start": span.start,
        "end": span.end,
        "first": first,
        "last": last,
        "low": first_row(span.start),
        "high": min(first_row(span.end) + shift, 2**62),
        # Whole blocks of days; the days before and after them are taken one by one.
        "low_block": low,
        "high_block": high,
        "low_inner": low * BLOCK,
        "high_inner": (high + 1) * BLOCK - 1,
    }


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
    totals = selection.ask(connection, span).get(0, Figures())
    if by is None or not totals.messages:
        return Statistics(totals, by, zone=zone_name)
    if by not in _PERIODS:
        return Statistics(totals, by, _groups(connection, selection.ask(connection, span, by)), zone_name)
    found = []
    periods = iter_periods(by, _lived(connection, span), zone)  # type: ignore[arg-type]  # one of _PERIODS
    for number, (key, part) in enumerate(periods):
        if number >= MOST_PERIODS:
            raise InvalidRequestError(
                f"there are more than {MOST_PERIODS} {by}s; choose a shorter time or longer periods",
                {"by": "too many periods"},
            )
        figures = selection.ask(connection, part).get(0)
        if figures is not None:
            found.append(Group(key, figures))
    return Statistics(totals, by, found, zone_name)


def _select(connection: sqlite3.Connection, query: Query, span: Span, by: By | None, zone: str) -> _Selection:
    rating = None if query.rating is None else RATINGS[None if query.rating == "none" else query.rating]
    values = {
        "orgs": _listed(None if query.organization_id is None else [query.organization_id]),
        "apps": _listed(query.app_ids),
        "sources": _listed(query.from_sources),
        "users": _listed(None if query.end_user_id is None else [query.end_user_id]),
        "conversations": _listed(query.conversation_ids),
        "rating": rating,
    }
    is_rolled = (
        (query.rating, query.conversation_ids, query.end_user_id) == (None, None, None)
        and span.start % DAY == 0
        and (span.end == _LATEST or span.end % DAY == DAY - 1)
        and (by not in _PERIODS or zone == "UTC")
    )
    named = "said" if query.conversation_ids is None else "said of some"
    shift = connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'shift'").fetchone()[0]
    has_usages = connection.execute("SELECT EXISTS (SELECT 1 FROM usage)").fetchone()[0] == 1
    return _Selection("rolled" if is_rolled else named, values, shift, has_usages)


def _listed(values: Iterable[str] | None) -> str | None:
    return None if values is None else json.dumps(sorted(values))


def _groups(connection: sqlite3.Connection, found: Mapping[int, Figures]) -> list[Group]:
    names: dict[int, str] = dict(
        connection.execute(
            "SELECT id, text FROM name WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(found)),),
        ).fetchall()
    )
    order = sorted(found, key=lambda key: (-found[key].messages, names[key]))[:MOST_GROUPS]
    return [Group(names[key], found[key]) for key in order]


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


def _lived(connection: sqlite3.Connection, span: Span) -> Span:
    """The part of a span in which there are messages at all."""
    first, last = connection.execute("SELECT min(day), max(day) FROM rollup").fetchone()
    return Span(max(span.start, first * DAY), min(span.end, (last + 1) * DAY - 1))
