"""How many runs an app's log has, without counting them, and where in time a page of it begins.

Runs that have ended are counted by the stretch of time in which they were made, in stretches of three
lengths that lie inside one another. Triggers note every change in `run_changes`, whoever makes it; `fold`
adds the notes up from time to time. So a number is the sum of three parts, exact in every snapshot: what is
added up, what is noted, and the few runs that have not ended, which have an index of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    union_all,
)

from weft.store.statement import Statement, upserting_sum
from weft.store.tables import Id, run_changes, run_counts, runs

SHIFTS = (26, 32, 38)
"""Lengths of stretches as powers of two of microseconds: 67 seconds, 72 minutes, three days."""

EARLIEST, LATEST = -(2**62), 2**62
"""Before and after every instant, in microseconds."""


def listed(
    app_id: ColumnElement[str] | str, status: ColumnElement[str] | str | None
) -> list[ColumnElement[bool]]:
    """The conditions of a run that an app's log shows, if it has that status; `None` for any."""
    conditions = [runs.c.app_id == app_id, runs.c.triggered_from == "app-run"]
    if status is not None:
        conditions.append(runs.c.status == status)
    return conditions


def named(*, with_status: bool) -> tuple[list[ColumnElement[bool]], list[str]]:
    """The conditions of a run that a log shows between two instants, and the names of their parameters."""
    status = bindparam("of_status", type_=Text) if with_status else None
    between = [runs.c.created_at >= _START, runs.c.created_at < _END]
    names = ["app", "of_status", "start", "end"] if with_status else ["app", "start", "end"]
    return [*listed(_APP, status), *between], names


_APP = bindparam("app", type_=Id)
_START = bindparam("start", type_=BigInteger)
_END = bindparam("end", type_=BigInteger)


def _counting(*, with_status: bool) -> Statement:
    conditions, names = named(with_status=with_status)
    return Statement(select(func.count()).select_from(runs).where(*conditions), names)


def _numbering(level: int, *, with_status: bool) -> Statement:
    """How many runs the stretches of a level have: what is counted, what is noted, what has not ended."""
    status = bindparam("of_status", type_=Text)
    counted = (
        select(run_counts.c.stretch, func.sum(run_counts.c.count, type_=BigInteger))
        .where(run_counts.c.app_id == _APP)
        .where(run_counts.c.level == level)
        .where(run_counts.c.stretch >= bindparam("first", type_=BigInteger))
        .where(run_counts.c.stretch < bindparam("last", type_=BigInteger))
        .group_by(run_counts.c.stretch)
    )
    stretch = _stretch_of(run_changes.c.created_at, level)
    noted = (
        select(stretch, func.sum(run_changes.c.change, type_=BigInteger))
        .where(run_changes.c.app_id == _APP)
        .where(run_changes.c.created_at >= _START)
        .where(run_changes.c.created_at < _END)
        .group_by(stretch)
    )
    stretch = _stretch_of(runs.c.created_at, level)
    _, names = named(with_status=with_status)
    unfinished = (
        select(stretch, func.count())
        .where(*listed(_APP, None))
        .where(runs.c.created_at >= _START)
        .where(runs.c.created_at < _END)
        .where(runs.c.finished_at.is_(None))
        .group_by(stretch)
    )
    if with_status:
        # Hidden from SQLite, which would else go through all runs of the status instead of the unfinished.
        unfinished = unfinished.where(runs.c.status.concat("") == status)
        counted = counted.where(run_counts.c.status == status)
        noted = noted.where(run_changes.c.status == status)
    return Statement(union_all(counted, noted, unfinished), [*names, "first", "last"])


def _stretch_of(column: ColumnElement[int], level: int) -> ColumnElement[int]:
    # Written out, since Postgres would take two parameters of the same value for two things.
    return column.bitwise_rshift(literal_column(str(SHIFTS[level])))


_COUNT = {with_status: _counting(with_status=with_status) for with_status in (False, True)}
_STRETCHES = {
    (level, with_status): _numbering(level, with_status=with_status)
    for level in range(len(SHIFTS))
    for with_status in (False, True)
}
_ADD = upserting_sum(run_counts, "count")
_DROP_EMPTY = Statement(
    delete(run_counts)
    .where(run_counts.c.app_id == bindparam("app"))
    .where(run_counts.c.level == bindparam("of_level"))
    .where(run_counts.c.stretch == bindparam("of_stretch", type_=BigInteger))
    .where(run_counts.c.status == bindparam("of_status"))
    .where(run_counts.c.count == 0),
    ["app", "of_level", "of_stretch", "of_status"],
)
_ANY_CHANGE = Statement(select(run_changes.c.id).limit(1), [])
_FOLD_LOCK = 0x77656674
"""Key of the lock that makes processes add up one after another (Postgres)."""


class Piece(NamedTuple):
    """A piece of time and how many runs were made in it; the ends are microseconds, the last excluded."""

    start: int
    end: int
    runs: int
    level: int | None
    """Length of the stretch that it is; `None` when it is no whole stretch."""


class Position(NamedTuple):
    """Where a page begins: so many runs older than the newest of those made before an instant."""

    before: int
    """Microseconds."""
    skip: int


class Timeline:
    """The runs of an app's log as numbers, in one snapshot.

    Args:
        connection: In a read.
        app_id: The app.
        status: Only runs of this status.
        start: Microseconds since the epoch, inclusive.
        end: Microseconds since the epoch, exclusive.
    """

    def __init__(
        self,
        connection: Connection,
        app_id: str,
        *,
        status: str | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        self._connection = connection
        self._status = status
        self._whose = (app_id,) if status is None else (app_id, status)
        self._end = LATEST if end is None else end
        self._pieces = list(self._cover(start, end))
        self.total = sum(piece.runs for piece in self._pieces)
        """How many there are."""

    def locate(self, skip: int) -> Position:
        """Where the run stands before which there are `skip` newer ones; `skip` is less than `total`."""
        if skip == 0:
            return Position(self._end, 0)
        pieces: Iterable[Piece] = self._pieces
        while True:
            for piece in pieces:
                if skip < piece.runs:
                    break
                skip -= piece.runs
            else:
                raise ValueError("there are not so many runs")
            if not piece.level:
                return Position(piece.end, skip)
            pieces = self._stretches(piece.level - 1, piece.start, piece.end)

    def _cover(self, start: int | None, end: int | None) -> Iterator[Piece]:
        """Pieces from the newest to the oldest, as few as possible; what fits no stretch is counted."""
        yield from self._between(start, end, len(SHIFTS) - 1)

    def _between(self, start: int | None, end: int | None, level: int) -> Iterator[Piece]:
        if start is not None and end is not None and start >= end:
            return
        if level < 0 and start is not None and end is not None:
            yield Piece(start, end, self._count(start, end), None)
            return
        first = None if start is None else _up(start, level)
        last = None if end is None else _down(end, level)
        if first is not None and last is not None and first >= last:
            yield from self._between(start, end, level - 1)
            return
        if last is not None:
            yield from self._between(last, end, level - 1)
        yield from self._stretches(level, first, last)
        if first is not None:
            yield from self._between(start, first, level - 1)

    def _count(self, start: int, end: int) -> int:
        row = _COUNT[self._status is not None].row(self._connection, *self._whose, start, end)
        return 0 if row is None else int(str(row[0]))

    def _stretches(self, level: int, start: int | None, end: int | None) -> list[Piece]:
        """The stretches of a level between two of its borders that have any runs, newest first."""
        shift = SHIFTS[level]
        start, end = EARLIEST if start is None else start, LATEST if end is None else end
        rows = _STRETCHES[level, self._status is not None].rows(
            self._connection, *self._whose, start, end, start >> shift, end >> shift
        )
        found: dict[int, int] = {}
        for number, count in cast("Sequence[tuple[int, int]]", rows):
            found[number] = found.get(number, 0) + int(count)
        return [
            Piece(number << shift, (number + 1) << shift, found[number], level)
            for number in sorted(found, reverse=True)
        ]


def is_behind(connection: Connection) -> bool:
    """Whether there is anything to `fold`."""
    return _ANY_CHANGE.row(connection) is not None


def fold(connection: Connection, *, limit: int = 2000) -> int:
    """Add noted changes up, the oldest first; how many there were.

    Args:
        connection: In a write.
        limit: At most so many.
    """
    if connection.dialect.name == "postgresql":
        held = connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock($1)", (_FOLD_LOCK,))
        if not held.scalar():
            return 0  # another process is at it
    rows = connection.execute(select(run_changes).order_by(run_changes.c.id).limit(limit)).all()
    if not rows:
        return 0
    sums: dict[tuple[str, int, int, str], int] = {}
    for row in rows:
        for level, shift in enumerate(SHIFTS):
            key = (row.app_id, level, row.created_at >> shift, row.status)
            sums[key] = sums.get(key, 0) + row.change
    keep(connection, sums)
    # By id, since a row with a smaller one may become visible later (Postgres).
    ids = [row.id for row in rows]
    for first in range(0, len(ids), 500):
        connection.execute(delete(run_changes).where(run_changes.c.id.in_(ids[first : first + 500])))
    return len(rows)


def keep(connection: Connection, sums: Mapping[tuple[str, int, int, str], int]) -> None:
    """Add numbers to those of stretches, by app, level, stretch and status."""
    keys = sorted(sums)  # always in this order, so that no two writers wait for each other
    _ADD.run_many(connection, [(*key, sums[key]) for key in keys if sums[key]])
    _DROP_EMPTY.run_many(connection, [key for key in keys if sums[key] < 0])


def _up(value: int, level: int) -> int:
    return -(-value >> SHIFTS[level]) << SHIFTS[level]


def _down(value: int, level: int) -> int:
    return value >> SHIFTS[level] << SHIFTS[level]
