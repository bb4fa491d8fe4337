"""Sums by day, so that counting need not look at each message: their tables, and how they are made.

A day's sums are made anew from its messages whenever one of them changes. Sums of blocks of days follow by
difference: what a day had is taken away before, what it has is added afterwards.

``run_…`` are the sums of messages that name no model, as their archived runs tell it (the view `spent`);
together with the sums of messages that do name one they are the figures by model.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from weft.archive.index.row_number import MICROSECOND, first_row

DAY = 86_400 * MICROSECOND
BLOCK = 32
"""Days that are also kept as one."""
SUMS = (
    "messages",
    "conversations",
    "message_tokens",
    "answer_tokens",
    "errors",
    "likes",
    "dislikes",
    "cost_whole",
    "cost_part",
)
_ADDED = ", ".join(f"sum({name})" for name in SUMS)
KEYS = {
    "rollup": "day, org, app, model, source, currency",
    "user_rollup": "day, user, org, app, model, source, currency",
    "user_block": "user, block, org, app, model, source, currency",
    "day_users": "day, org",
    "latency": "day, org, app, model, source, class",
    "latency_day": "day, org, class",
    "latency_block": "block, org, app, model, source, class",
    "run_rollup": "day, org, app, model, source, currency",
    "run_user": "day, user, org, app, model, source",
    "run_user_block": "user, block, org, app, model, source",
    "run_latency": "day, org, app, model, source, class",
    "run_latency_block": "block, org, app, model, source, class",
}
"""The tables, each with what it has one row for."""
_VALUES = {
    "rollup": SUMS,
    "user_rollup": SUMS,
    "user_block": SUMS,
    "run_rollup": SUMS,
    "day_users": ("users",),
}
_COUNT = ("messages",)
"""What the others have."""


def _table(name: str, keys: str) -> str:
    columns = (*keys.split(", "), *_VALUES.get(name, _COUNT))
    defined = ", ".join(f"{column} INTEGER NOT NULL" for column in columns)
    return f"CREATE TABLE {name} ({defined}, PRIMARY KEY ({keys})) WITHOUT ROWID;"


TABLES = "\n".join(_table(name, keys) for name, keys in KEYS.items())
_OF_DAY = (
    """INSERT INTO user_rollup SELECT at / {day} AS day, user, org, app, model, source, currency, {added}
    FROM said WHERE {made} GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    """INSERT INTO rollup SELECT day, org, app, model, source, currency, {added}
    FROM user_rollup WHERE day = :day GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO day_users SELECT day, org, count(DISTINCT user)
    FROM user_rollup WHERE day = :day AND user != :nothing GROUP BY 1, 2""",
    """INSERT INTO latency SELECT at / {day}, org, app, model, source, class, count(*)
    FROM said WHERE {made} AND class > 0 GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO latency_day SELECT day, org, class, sum(messages)
    FROM latency WHERE day = :day GROUP BY 1, 2, 3""",
)
_OF_DAY_BY_RUN = (
    """INSERT INTO run_rollup SELECT at / {day}, org, app, model, source, currency, {added}
    FROM spent WHERE {made} AND own_model = :nothing GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO run_user SELECT at / {day}, user, org, app, model, source, count(*)
    FROM spent WHERE {made} AND own_model = :nothing GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO run_latency SELECT at / {day}, org, app, model, source, class, count(*)
    FROM spent WHERE {made} AND own_model = :nothing AND class > 0 GROUP BY 1, 2, 3, 4, 5, 6""",
)
_MADE = "id BETWEEN :low AND :high AND at BETWEEN :start AND :end"


def _filled(statements: Iterable[str]) -> list[str]:
    return [statement.format(day=DAY, added=_ADDED, made=_MADE) for statement in statements]


_MAKE, _MAKE_BY_RUN = _filled(_OF_DAY), _filled(_OF_DAY_BY_RUN)
_BLOCKS = {
    "user_rollup": "user_block",
    "latency": "latency_block",
    "run_user": "run_user_block",
    "run_latency": "run_latency_block",
}
_DAYS = (
    "rollup",
    "user_rollup",
    "day_users",
    "latency",
    "latency_day",
    "run_rollup",
    "run_user",
    "run_latency",
)
_FORGET_DAY = "DELETE FROM {table} WHERE day = :day"
_FORGET = [_FORGET_DAY.format(table=table) for table in _DAYS]
_SUM_OF_BLOCK = "INSERT INTO {block} SELECT {keys}, {added} FROM {table} WHERE {where} GROUP BY {places}"
_CHANGE = "{made} ON CONFLICT DO UPDATE SET {changes}"
_DROP_EMPTY = "DELETE FROM {block} WHERE block = :day / {days} AND messages = 0"
_OF_ITS_USERS = " AND user IN (SELECT user FROM {table} WHERE day = :day)"


def _sum_of_block(table: str, block: str, where: str) -> str:
    keys = KEYS[block].replace("block", f"day / {BLOCK}")
    added = ", ".join(f"sum({name})" for name in _VALUES.get(block, _COUNT))
    places = ", ".join(str(place) for place in range(1, keys.count(",") + 2))
    return _SUM_OF_BLOCK.format(block=block, keys=keys, added=added, table=table, where=where, places=places)


def _change(table: str, block: str, sign: str) -> str:
    names = _VALUES.get(block, _COUNT)
    # Only a day that has something is taken away, so what conflicts is there.
    changes = ", ".join(f"{name} = {name} {sign} excluded.{name}" for name in names)
    return _CHANGE.format(made=_sum_of_block(table, block, "day = :day"), changes=changes)


def _drop_empty(table: str, block: str) -> str:
    drop = _DROP_EMPTY + (_OF_ITS_USERS if "user" in KEYS[block] else "")
    return drop.format(block=block, days=BLOCK, table=table)


_TAKE_AWAY = [
    statement
    for table, block in _BLOCKS.items()
    for statement in (_change(table, block, "-"), _drop_empty(table, block))
]
_ADD = [_change(table, block, "+") for table, block in _BLOCKS.items()]
_EVERY_BLOCK = [_sum_of_block(table, block, "1") for table, block in _BLOCKS.items()]
_USES_RUNS = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'runs')"
_NEW_RUNS = """SELECT EXISTS (SELECT 1 FROM usage)
    AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'runs')"""
_USE_RUNS = "INSERT INTO meta VALUES ('runs', 1)"


def sum_up_days(connection: sqlite3.Connection, days: Iterable[int], shift: int) -> None:
    """Make the sums of these days again.

    Args:
        days: Since 1970.
        shift: How far a row number may be off its instant.
    """
    wanted = set(days)
    if connection.execute(_NEW_RUNS).fetchone()[0]:
        # The first usages at all: from now on each day has sums by run.
        connection.execute(_USE_RUNS)
        wanted.update(day for (day,) in connection.execute("SELECT DISTINCT day FROM rollup"))
    for day in sorted(wanted):
        for statement in (*_TAKE_AWAY, *_FORGET):
            connection.execute(statement, {"day": day})
        _sum_up_day(connection, day, shift)
        for statement in _ADD:
            connection.execute(statement, {"day": day})


def sum_up_everything(connection: sqlite3.Connection, days: Iterable[int], shift: int) -> None:
    """Make all sums of a file that has none.

    Args:
        days: Since 1970; all that have messages.
        shift: How far a row number may be off its instant.
    """
    if connection.execute(_NEW_RUNS).fetchone()[0]:
        connection.execute(_USE_RUNS)
    for day in sorted(days):
        _sum_up_day(connection, day, shift)
    for statement in _EVERY_BLOCK:
        connection.execute(statement)


def _sum_up_day(connection: sqlite3.Connection, day: int, shift: int) -> None:
    start, end = day * DAY, (day + 1) * DAY - 1
    nothing = connection.execute("SELECT coalesce(max(id), -1) FROM name WHERE text = ''").fetchone()[0]
    values = {"day": day, "start": start, "end": end, "nothing": nothing}
    values |= {"low": first_row(start), "high": first_row(end) + shift}
    uses_runs = connection.execute(_USES_RUNS).fetchone()[0]
    for statement in (*_MAKE, *_MAKE_BY_RUN) if uses_runs else _MAKE:
        connection.execute(statement, values)
