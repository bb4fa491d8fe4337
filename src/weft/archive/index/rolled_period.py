"""Figures of many days, weeks or months of UTC at once, from the sums by day."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from weft.archive.index.condition import CHOSEN, DAYS, OF_ORG
from weft.archive.index.figures import Figures
from weft.archive.index.period import Span
from weft.archive.index.rollup import DAY, SUMS
from weft.archive.index.sums import Sums, add_rows

_SUMS = """SELECT day, currency, {added} FROM rollup WHERE {days} GROUP BY day, currency"""
_USERS = """SELECT (
        SELECT count(DISTINCT user) FROM user_rollup WHERE user != :nothing AND {chosen}
        AND day BETWEEN json_extract(value, '$[0]') AND json_extract(value, '$[1]')
    ) FROM json_each(:periods)"""
_USERS_BY_DAY = """SELECT day, count(*)
    FROM (SELECT DISTINCT day, user FROM user_rollup WHERE user != :nothing AND {days}) GROUP BY day"""
_ORGS = "SELECT count(DISTINCT org) FROM rollup WHERE {days}"
_USERS_OF_DAYS = "SELECT day, users FROM day_users WHERE day BETWEEN :first AND :last AND {of_org}"
_LATENCIES = """SELECT day, class, messages FROM latency_day
    WHERE day BETWEEN :first AND :last AND {of_org}"""
_LATENCIES_OF_SOME = "SELECT day, class, sum(messages) FROM latency WHERE {days} GROUP BY day, class"


def _filled(statement: str) -> str:
    added = ", ".join(f"sum({name})" for name in SUMS)
    return statement.format(added=added, days=DAYS, chosen=CHOSEN, of_org=OF_ORG)


_SUMS, _USERS, _USERS_BY_DAY, _ORGS, _USERS_OF_DAYS, _LATENCIES, _LATENCIES_OF_SOME = map(
    _filled, (_SUMS, _USERS, _USERS_BY_DAY, _ORGS, _USERS_OF_DAYS, _LATENCIES, _LATENCIES_OF_SOME)
)


def iter_rolled_periods(
    connection: sqlite3.Connection,
    periods: Sequence[tuple[str, Span]],
    values: Mapping[str, object],
    currencies: Mapping[int, str],
) -> Iterator[tuple[str, Figures]]:
    """The figures of each period that has messages.

    Args:
        periods: Whole days of UTC, one after the other, with their names.
        values: Which messages are meant.
        currencies: Names by number.
    """
    days = [(span.start // DAY, span.end // DAY) for _, span in periods]
    place = {day: number for number, (first, last) in enumerate(days) for day in range(first, last + 1)}
    sums: dict[int, Sums] = {}
    rows = connection.execute(_SUMS, values)
    add_rows(sums, ((place[day], *rest) for day, *rest in rows))
    users = _users(connection, days, place, values)
    classes: dict[int, dict[int, int]] = {}
    is_any = values["apps"] is None and values["sources"] is None
    before, known = -1, {}
    for day, number, count in connection.execute(_LATENCIES if is_any else _LATENCIES_OF_SOME, values):
        if day != before:
            before, known = day, classes.setdefault(place[day], {})
        known[number] = known.get(number, 0) + count
    for number, (name, _) in enumerate(periods):
        if number in sums:
            yield name, sums[number].figures(users.get(number, 0), classes.get(number, {}), currencies)


def _users(
    connection: sqlite3.Connection,
    days: Sequence[tuple[int, int]],
    place: Mapping[int, int],
    values: Mapping[str, object],
) -> dict[int, int]:
    """Different users by the number of the period."""
    if all(first == last for first, last in days):
        is_any = values["apps"] is None and values["sources"] is None
        if is_any and connection.execute(_ORGS, values).fetchone()[0] <= 1:
            return {place[day]: count for day, count in connection.execute(_USERS_OF_DAYS, values)}
        return {place[day]: count for day, count in connection.execute(_USERS_BY_DAY, values)}
    found = connection.execute(_USERS, {**values, "periods": json.dumps(days)})
    return {number: count for number, (count,) in enumerate(found)}
