"""Runs of an app's log that have a keyword, found by the search index.

What the index knows comes from it in the log's order; the few runs that it does not know are read, and both
are put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    func,
    literal,
    or_,
    select,
)

from weft.store import search
from weft.store.codec import dump_json, storable
from weft.store.run_counts import EARLIEST, LATEST, listed
from weft.store.search_file import APP_SHIFT, GROUP_SHIFT, TIME_SHIFT
from weft.store.search_queue import unknown_runs
from weft.store.search_text import facet, portions, quoted
from weft.store.statement import Statement, containing
from weft.store.tables import Id, end_users, runs, search_texts

Place: TypeAlias = tuple[int, str]
"""When a run was made and its id: where it stands in the log."""

JOINED = runs.outerjoin(end_users, end_users.c.id == runs.c.end_user_id)
_MOST_COMPARED = 2_000
"""More matches than that are not looked at one by one."""
_FEW = 50
"""So many matches are looked up by themselves, to take them off a number that is known."""
_GROUP = (1 << GROUP_SHIFT) - 1
# Runs that the index does not know as they are have no part in what it says, nor has one found by its id.
_NOT_KNOWN = """SELECT number FROM search.run_rows WHERE id IN (
    SELECT id FROM runs WHERE app_id = ? AND finished_at IS NULL
    UNION ALL SELECT row_id FROM search_queue WHERE app_id = ? AND kind = 'run'
    UNION ALL SELECT id FROM search_skipped WHERE app_id = ? AND kind = 'run'
    UNION ALL SELECT ?)"""
_BY_NUMBER = """SELECT created_at, runs.id, end_user_id, account_id
FROM search.run_rows AS known JOIN runs ON runs.id = known.id WHERE known.number IN (NUMBERS)"""
_KNOWN = "AND found.rowid NOT IN (SELECT value FROM json_each(?))"
_COUNT = "SELECT count(*) FROM (MATCHES)"
_MATCHING = """SELECT created_at, runs.id, end_user_id, account_id
FROM (MATCHES) AS matching CROSS JOIN search.run_rows AS known ON known.number = matching.rowid
CROSS JOIN runs ON runs.id = known.id
WHERE (end_user_id = ? OR ? IS NULL) AND (account_id = ? OR ? IS NULL)"""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are looked for."""

    app_id: str
    keyword: str = ""
    """What has to stand somewhere, in whatever case."""
    run_id: str = ""
    """Or which id the run has."""
    status: str | None = None
    start: int | None = None
    """Microseconds, inclusive."""
    end: int | None = None
    """Microseconds, exclusive."""
    end_user_id: str | None = None
    account_id: str | None = None

    @property
    def is_personal(self) -> bool:
        """Whether only one person's runs are wanted."""
        return self.end_user_id is not None or self.account_id is not None

    def is_theirs(self, end_user_id: str | None, account_id: str | None) -> bool:
        """Whether a run of those people is wanted."""
        return self.end_user_id in (None, end_user_id) and self.account_id in (None, account_id)

    def facts(self) -> list[ColumnElement[bool]]:
        """Conditions of kind, status and time."""
        conditions = [runs.c.triggered_from == "app-run"]
        if self.status is not None:
            conditions.append(runs.c.status == self.status)
        if self.start is not None:
            conditions.append(runs.c.created_at >= self.start)
        if self.end is not None:
            conditions.append(runs.c.created_at < self.end)
        return conditions

    def mentions(self) -> ColumnElement[bool]:
        """The condition of the keyword, for those who read the runs (`JOINED`)."""
        return _mentioning(literal(containing(self.keyword)), literal(storable(self.run_id)))


class Found(NamedTuple):
    """A page of a search."""

    ids: Sequence[str]
    total: int


class _Index(Protocol):
    """What an index says about the runs that it knows."""

    def count(self) -> int:
        """How many it finds."""
        ...

    def places(self, skip: int, limit: int) -> tuple[int, list[Place]]:
        """Those from `skip` on, so many or more on both sides; and how many are newer than the first."""
        ...


def find_page(connection: Connection, wanted: Wanted, skip: int, limit: int) -> Found | None:
    """The runs with a keyword from `skip` on, newest first; `None` when the index cannot say.

    Args:
        connection: In a read.
        wanted: Which runs.
        skip: How many newer ones are left out.
        limit: At most so many.
    """
    if not search.is_fresh(connection):
        return None
    unknown = set(_read_unknown(connection, wanted))
    index: _Index | None
    if connection.dialect.name == "sqlite":
        index = _open_file(connection, wanted)
        unknown.update(_read_borders(connection, wanted))
    else:
        index = _open_table(connection, wanted)
    if index is None:
        return None
    total = index.count() + len(unknown)
    if skip >= total:
        return Found((), total)
    # Of the unknown, none that are newer than all that is fetched can be on the page.
    passed, places = index.places(max(0, skip - len(unknown)), limit + len(unknown))
    merged = sorted([*places, *unknown], reverse=True)
    first = skip - passed
    return Found([id for _, id in merged[first : first + limit]], total)


def _reading(*, with_status: bool) -> Statement:
    """The runs that the index does not know, and the one of an id, where a keyword is."""
    app_id, run_id = bindparam("app", type_=Id), bindparam("run_id", type_=Id)
    by_id = select(runs.c.id).where(runs.c.id == run_id).where(runs.c.app_id == app_id)
    # The ids say which app it is; if the runs did, the database might read all of the app's.
    which = [runs.c.id.in_(unknown_runs(app_id, by_id)), runs.c.triggered_from == "app-run"]
    which += [
        runs.c.created_at >= bindparam("start", type_=BigInteger),
        runs.c.created_at < bindparam("end", type_=BigInteger),
    ]
    names = ["app", "run_id", "pattern", "start", "end"]
    if with_status:
        which.append(runs.c.status == bindparam("of_status", type_=Text))
        names.append("of_status")
    found = _mentioning(bindparam("pattern", type_=Text), run_id)
    return Statement(_PLACES.where(*which, found), names)


def _mentioning(pattern: ColumnElement[str], run_id: ColumnElement[str]) -> ColumnElement[bool]:
    searched = (runs.c.inputs, runs.c.outputs, end_users.c.session_id)
    found = [func.lower(column).like(func.lower(pattern), escape="/") for column in searched]
    return or_(*found, runs.c.id == run_id)


_PLACES = select(runs.c.created_at, runs.c.id, runs.c.end_user_id, runs.c.account_id).select_from(JOINED)
_UNKNOWN = {with_status: _reading(with_status=with_status) for with_status in (False, True)}


def _read_unknown(connection: Connection, wanted: Wanted) -> Iterable[Place]:
    values: list[object] = [
        wanted.app_id,
        storable(wanted.run_id),
        containing(wanted.keyword),
        EARLIEST if wanted.start is None else wanted.start,
        LATEST if wanted.end is None else wanted.end,
    ]
    if wanted.status is not None:
        values.append(wanted.status)
    return _theirs(wanted, _UNKNOWN[wanted.status is not None].rows(connection, *values))


def _theirs(wanted: Wanted, rows: Iterable[Sequence[object]]) -> Iterable[Place]:
    """Places of runs, given as `_PLACES` has them, unless they are of other people."""
    for at, id, user, account in cast("Iterable[tuple[int, str, str | None, str | None]]", rows):
        if wanted.is_theirs(user, account):
            yield at, id


def _groups(wanted: Wanted) -> tuple[int | None, int | None]:
    """The first and the one after the last group of numbers of which all runs are in time."""
    start, end = wanted.start, wanted.end
    first = None if start is None else -(-start >> TIME_SHIFT)
    last = None if end is None else end >> TIME_SHIFT
    return first, last if first is None or last is None else max(first, last)


def _read_borders(connection: Connection, wanted: Wanted) -> Iterable[Place]:
    """Runs of the groups of which only a part is in time."""
    first, last = _groups(wanted)
    at_start, at_end = (None if group is None else group << TIME_SHIFT for group in (first, last))
    for start, end in ((wanted.start, at_start), (at_end, wanted.end)):
        if start is not None and end is not None and start < end:
            between = [runs.c.app_id == wanted.app_id, runs.c.created_at >= start, runs.c.created_at < end]
            query = _PLACES.where(*between, *wanted.facts(), wanted.mentions())
            yield from _theirs(wanted, connection.execute(query))


class _File:
    """The file beside a SQLite database."""

    def __init__(self, connection: Connection, numbers: search.Numbers, wanted: Wanted) -> None:
        self._connection = connection
        self._numbers = numbers
        self._wanted = wanted
        app_id = wanted.app_id
        rows = connection.exec_driver_sql(_NOT_KNOWN, (app_id, app_id, app_id, storable(wanted.run_id)))
        found = (int(row[0]) for row in rows)
        self._left_out = [number for number in found if numbers.first <= number <= numbers.last]

    def count(self) -> int:
        """See `_Index`."""
        if len(self._left_out) > _FEW:
            return self._number(_COUNT.replace("MATCHES", self._query()))
        return search.count(self._connection, self._numbers) - sum(map(self._matches, self._left_out))

    def places(self, skip: int, limit: int) -> tuple[int, list[Place]]:
        """See `_Index`. Runs of one group have their numbers in any order, so whole groups are fetched."""
        found = self._find(self._query("ORDER BY found.rowid DESC LIMIT ? OFFSET ?"), limit, skip)
        if not found:
            return skip, []
        newest, oldest = found[0], found[-1]
        around = self._query("AND found.rowid BETWEEN ? AND ?")
        numbers = self._find(around, oldest & ~_GROUP, newest | _GROUP)
        passed = skip - sum(number > newest for number in numbers)
        return passed, sorted(self._look_up(numbers), reverse=True)

    def compared(self) -> _List | None:
        """All matches that are wanted; `None` when there are too many to look at."""
        most = self._query(f"LIMIT {_MOST_COMPARED + 1}")
        if self._number(_COUNT.replace("MATCHES", most)) > _MOST_COMPARED:
            return None
        query = _MATCHING.replace("MATCHES", self._query())
        user, account = self._wanted.end_user_id, self._wanted.account_id
        rows = self._connection.exec_driver_sql(query, self._parameters(user, user, account, account))
        return _List(sorted(_theirs(self._wanted, rows), reverse=True))

    def _query(self, more: str = "") -> str:
        """A statement that gives the numbers of matches; its parameters are those of `_parameters`."""
        return self._numbers.query("found.rowid", f"{_KNOWN} {more}" if self._left_out else more)

    def _parameters(self, *more: object) -> tuple[object, ...]:
        left_out = (dump_json(self._left_out),) if self._left_out else ()
        return (*self._numbers.parameters, *left_out, *more)

    def _find(self, query: str, *more: object) -> list[int]:
        return [int(row[0]) for row in self._connection.exec_driver_sql(query, self._parameters(*more))]

    def _number(self, query: str) -> int:
        return int(self._connection.exec_driver_sql(query, self._parameters()).scalar_one())

    def _matches(self, number: int) -> int:
        return search.count_between(self._connection, self._numbers, number, number)

    def _look_up(self, numbers: Sequence[int]) -> Iterable[Place]:
        for some in portions(numbers):
            query = _BY_NUMBER.replace("NUMBERS", ",".join("?" * len(some)))
            yield from _theirs(self._wanted, self._connection.exec_driver_sql(query, tuple(some)))


class _List:
    """Matches that are all known."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places

    def count(self) -> int:
        """See `_Index`."""
        return len(self._places)

    def places(self, skip: int, limit: int) -> tuple[int, list[Place]]:
        """See `_Index`."""
        return skip, self._places[skip : skip + limit]


def _open_file(connection: Connection, wanted: Wanted) -> _Index | None:
    numbers = search.find_numbers(connection, "run", wanted.app_id, wanted.keyword.lower())
    if numbers is None or not numbers.expression:
        return None if numbers is None else _List([])
    if wanted.status is not None:
        piece = facet(wanted.status)
        if piece is None:
            return _List([])  # no run that has ended has it
        numbers = numbers._replace(expression=f"({numbers.expression}) AND {quoted(piece)}")
    first, last = _groups(wanted)
    if first is not None:
        numbers = numbers._replace(first=numbers.first + max(0, first << GROUP_SHIFT))
    if last is not None:
        start = numbers.last & ~((1 << APP_SHIFT) - 1)
        numbers = numbers._replace(last=min(numbers.last, start + (last << GROUP_SHIFT) - 1))
    file = _File(connection, numbers, wanted)
    return file.compared() if wanted.is_personal else file


class _Table:
    """The table inside Postgres."""

    def __init__(self, connection: Connection, query: Select[int, str]) -> None:
        self._connection = connection
        self._query = query

    def count(self) -> int:
        """See `_Index`."""
        counting = select(func.count()).select_from(self._query.subquery())
        return self._connection.execute(counting).scalar_one()

    def places(self, skip: int, limit: int) -> tuple[int, list[Place]]:
        """See `_Index`."""
        texts = search_texts.c
        query = self._query.order_by(texts.created_at.desc(), texts.id.desc()).limit(limit).offset(skip)
        return skip, [(at, id) for at, id in self._connection.execute(query)]


def _open_table(connection: Connection, wanted: Wanted) -> _Index | None:
    matching = search.matching_texts(connection, "run", wanted.app_id, wanted.keyword)
    if matching is None:
        return None
    texts = search_texts.c
    query = (
        select(texts.created_at, texts.id)
        .where(*matching)
        .where(texts.id.not_in(unknown_runs(wanted.app_id)))
        .where(texts.id != storable(wanted.run_id))
    )
    if wanted.start is not None:
        query = query.where(texts.created_at >= wanted.start)
    if wanted.end is not None:
        query = query.where(texts.created_at < wanted.end)
    if wanted.status is not None or wanted.is_personal:
        found = connection.execute(query.limit(_MOST_COMPARED + 1)).all()
        if len(found) <= _MOST_COMPARED:
            return _compare(connection, wanted, [id for _, id in found])
        query = query.join(runs, runs.c.id == texts.id).where(*listed(wanted.app_id, wanted.status))
        for column, value in (
            (runs.c.end_user_id, wanted.end_user_id),
            (runs.c.account_id, wanted.account_id),
        ):
            if value is not None:
                query = query.where(column == value)
    return _Table(connection, query)


def _compare(connection: Connection, wanted: Wanted, ids: Sequence[str]) -> _List:
    """Those of some runs that are wanted. In one query with the search Postgres may read all of the app's."""
    places: list[Place] = []
    for some in portions(ids):
        rows = connection.execute(_PLACES.where(runs.c.id.in_(some), *wanted.facts()))
        places += _theirs(wanted, rows)
    return _List(sorted(places, reverse=True))
