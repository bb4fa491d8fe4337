"""Statistics from the index: from sums by day where they suffice, else from the messages' rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from weft.archive.index.condition import CHOSEN, DAYS, ONE_OF
from weft.archive.index.figures import Figures, Group, Statistics
from weft.archive.index.message_row import RATINGS
from weft.archive.index.period import Period, Span, bound, iter_periods, load_zone
from weft.archive.index.rolled_period import iter_rolled_periods
from weft.archive.index.rollup import BLOCK, DAY, SUMS
from weft.archive.index.row_number import first_row
from weft.archive.index.sums import Sums, add_rows
from weft.archive.query import Query
from weft.errors import InvalidRequestError

By = Literal["app", "user", "model", "source", "org", "day", "week", "month"]
MOST_GROUPS = 10_000
MOST_PERIODS = 5_000
_PERIODS = get_args(Period)
_CURRENCIES = """SELECT id, text FROM name
    WHERE id IN (SELECT currency FROM rollup UNION SELECT currency FROM run_rollup)"""
_EARLIEST, _LATEST = 0, 2**57

# All statements are put together here, once, from our own names; what is asked for goes in as values.
_ROWS = f"""id BETWEEN :low AND :high AND at BETWEEN :start AND :end AND {CHOSEN}
    AND {ONE_OF.format(column="user", value="users")} AND (:rating IS NULL OR rating = :rating)"""
_IDENTIFIED = """conversation IN
    (SELECT id FROM conversation WHERE conversation_id IN (SELECT value FROM json_each(:conversations)))"""
_BLOCKS = f"block BETWEEN :low_block AND :high_block AND {CHOSEN}"
# SQLite uses one bound on each side; a plus sign keeps it from taking the other one.
_BEFORE = f"day >= :first AND day < :low_inner AND +day <= :last AND {CHOSEN}"
_AFTER = f"day > :high_inner AND day <= :last AND +day >= :first AND {CHOSEN}"
_NAMED = " AND model != :nothing"
_Parts = Sequence[tuple[str, str]]
"""Tables, each with a condition; what is counted lies in all of them."""


def _blocks(table: str, block: str, more: str = "") -> _Parts:
    """Whole blocks of days, and the days before and after them."""
    return ((block, _BLOCKS + more), (table, _BEFORE + more), (table, _AFTER + more))


_SOURCES: dict[str, tuple[_Parts, _Parts, _Parts]] = {
    "rolled": (
        (("rollup", DAYS),),
        _blocks("user_rollup", "user_block"),
        _blocks("latency", "latency_block"),
    ),
    "rolled by run": (
        (("rollup", DAYS + _NAMED), ("run_rollup", DAYS)),
        (*_blocks("user_rollup", "user_block", _NAMED), *_blocks("run_user", "run_user_block")),
        (*_blocks("latency", "latency_block", _NAMED), *_blocks("run_latency", "run_latency_block")),
    ),
    **{
        name: (((table, where),),) * 3
        for table in ("said", "spent")
        for name, where in ((table, _ROWS), (f"{table} of some", f"{_ROWS} AND {_IDENTIFIED}"))
    },
}
"""Where sums, users and latencies come from."""
_BY_RUN = {"rolled": "rolled by run", "said": "spent", "said of some": "spent of some"}
"""Where they come from by model when runs tell what they used."""
_KEYS = {"": "0", **{name: name for name in ("app", "user", "model", "source", "org")}}


_PART = "SELECT {columns} FROM {table} WHERE {where}"
_SUM = f"{_PART} GROUP BY {{keys}}"
_USERS = """SELECT key, count(*) FROM (SELECT DISTINCT {key} AS key, user FROM ({parts})
    WHERE user != :nothing) GROUP BY 1"""
_CLASSES = "SELECT {key}, class, sum(messages) FROM ({parts}) WHERE class > 0 GROUP BY 1, 2"


def _all(columns: str, parts: _Parts) -> str:
    return " UNION ALL ".join(
        _PART.format(columns=columns, table=table, where=where) for table, where in parts
    )


class _Statements:
    """What is asked of one source, for groups by one column."""

    def __init__(self, source: str, name: str) -> None:
        sums, users, latencies = _SOURCES[source]
        key = _KEYS[name]
        keys = f"{name}, " if name else ""
        if name == "user":
            sums = users  # days' sums are kept without users as well
        added = ", ".join(f"coalesce(sum({column}), 0)" for column in SUMS)
        columns = f"{key}, currency, {added}"
        self.sums = [
            _SUM.format(columns=columns, table=table, where=where, keys=f"{keys}currency")
            for table, where in sums
        ]
        self.users = self.latencies = None
        """Latencies are not told by user."""
        if name != "user":
            self.users = _USERS.format(key=key, parts=_all(f"{keys}user", users))
            self.latencies = _CLASSES.format(key=key, parts=_all(f"{keys}class, messages", latencies))


_STATEMENTS = {(source, key): _Statements(source, key) for source in _SOURCES for key in _KEYS}


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which messages are meant, whenever they were."""

    source: str
    values: Mapping[str, object]
    shift: int
    has_usages: bool
    currencies: Mapping[int, str]

    def ask(self, connection: sqlite3.Connection, span: Span, by: str = "") -> dict[int, Figures]:
        """Figures of these messages within a span, by the number of a name."""
        source = _BY_RUN[self.source] if by == "model" and self.has_usages else self.source
        statements = _STATEMENTS[source, by]
        values = self.bound(span)
        sums: dict[int, Sums] = {}
        for statement in statements.sums:
            add_rows(sums, connection.execute(statement, values))
        if not sums:
            return {}
        nothing = self.values["nothing"]
        users = {key: int(key != nothing) for key in sums} if statements.users is None else {}
        if statements.users is not None:
            users = dict(connection.execute(statements.users, values).fetchall())
        classes: dict[int, dict[int, int]] = {}
        if statements.latencies is not None:
            for key, number, count in connection.execute(statements.latencies, values):
                classes.setdefault(key, {})[number] = count
        return {
            key: found.figures(users.get(key, 0), classes.get(key, {}), self.currencies)
            for key, found in sums.items()
        }

    def bound(self, span: Span) -> dict[str, object]:
        """What stands for the places of a statement, for a span."""
        first, last = span.start // DAY, span.end // DAY
        low, high = -(-first // BLOCK), (last + 1) // BLOCK - 1
        if low > high:  # no whole block: all days are those before the first one
            low, high = last // BLOCK + 1, last // BLOCK
        return {
            **self.values,
            "start": span.start,
            "end": span.end,
            "first": first,
            "last": last,
            "low": first_row(span.start),
            "high": min(first_row(span.end) + self.shift, 2**62),
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
    periods = []
    lived = _lived(connection, span)
    for number, period in enumerate(iter_periods(by, lived, zone)):  # type: ignore[arg-type]  # one of _PERIODS
        if number >= MOST_PERIODS:
            raise InvalidRequestError(
                f"there are more than {MOST_PERIODS} {by}s; choose a shorter time or longer periods",
                {"by": "too many periods"},
            )
        periods.append(period)
    if selection.source == "rolled":
        values = selection.bound(span)
        found = iter_rolled_periods(connection, periods, values, selection.currencies)
    else:
        each = ((key, selection.ask(connection, part).get(0)) for key, part in periods)
        found = ((key, figures) for key, figures in each if figures is not None)
    return Statistics(totals, by, [Group(key, figures) for key, figures in found], zone_name)


def _select(connection: sqlite3.Connection, query: Query, span: Span, by: By | None, zone: str) -> _Selection:
    rating = None if query.rating is None else RATINGS[None if query.rating == "none" else query.rating]
    nothing = connection.execute("SELECT coalesce(max(id), -1) FROM name WHERE text = ''").fetchone()[0]
    values = {
        "nothing": nothing,
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
    currencies = dict(connection.execute(_CURRENCIES).fetchall())
    return _Selection("rolled" if is_rolled else named, values, shift, has_usages, currencies)


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


def _lived(connection: sqlite3.Connection, span: Span) -> Span:
    """The part of a span in which there are messages at all."""
    first, last = connection.execute("SELECT min(day), max(day) FROM rollup").fetchone()
    return Span(max(span.start, first * DAY), min(span.end, (last + 1) * DAY - 1))
