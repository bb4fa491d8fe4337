"""Statements of a fixed shape, compiled once per database and then run as text.

SQLAlchemy Core spends 40 µs of CPU around a statement that it has cached already, and 20 when it is
handed the text; SQLite itself needs 5 to 10. So the statements are written in Core, which makes each
of them exist once for both databases, and their text goes to the driver: through SQLAlchemy on
Postgres, where its handling of broken connections is needed, and directly on SQLite. There SQLAlchemy
does not notice them: the transaction must have begun (the store's doors see to it), and listeners of
SQLAlchemy's events are not called. What varies in shape (filters, lists of ids) goes through Core and
its cache instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    Column,
    Connection,
    Dialect,
    Table,
    bindparam,
    insert,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql.compiler import SQLCompiler

from weft.store.codec import Row, storable

Build: TypeAlias = Callable[[Dialect], ClauseElement]
_Arrange: TypeAlias = Callable[[Row], Row]


_SQLITE = "sqlite"


class _Cursor(Protocol):
    """What SQLAlchemy's result and the driver's cursor have in common."""

    @property
    def rowcount(self) -> int: ...

    def fetchall(self) -> Sequence[Sequence[object]]: ...


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def wrapped(text: str, error: sqlite3.Error) -> DBAPIError:
    """The driver's error as SQLAlchemy would raise it, without the values of the statement."""
    kind = IntegrityError if isinstance(error, sqlite3.IntegrityError) else DBAPIError
    return kind(text, None, error, hide_parameters=True)


class Statement:
    """A statement and the names of its parameters, in the order in which values are given.

    Args:
        statement: A Core statement, or a function that gives it for a dialect. Every parameter that
            is not named in `parameters` must carry its value.
        parameters: Names of the bound parameters.
    """

    def __init__(self, statement: ClauseElement | Build, parameters: Sequence[str]) -> None:
        self._statement = statement
        self._parameters = tuple(parameters)
        self._compiled: dict[str, tuple[str, _Arrange | None]] = {}

    def run(self, connection: Connection, *values: object) -> int:
        """Execute; the number of rows that were changed."""
        return self._execute(connection, values).rowcount

    def run_many(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute once for each row of values; nothing for no rows."""
        if not rows:
            return
        text, arrange = self._text(connection)
        if arrange is not None:
            rows = [arrange(row) for row in rows]
        if connection.dialect.name != _SQLITE:
            connection.exec_driver_sql(text, list(rows))
            return
        try:
            _driver(connection).executemany(text, rows)
        except sqlite3.Error as error:
            raise wrapped(text, error) from error

    def row(self, connection: Connection, *values: object) -> Sequence[object] | None:
        """The first row found, or `None`."""
        # All rows are fetched, else SQLite would keep the statement, and with it its snapshot, open.
        rows = self._execute(connection, values).fetchall()
        return rows[0] if rows else None

    def rows(self, connection: Connection, *values: object) -> Sequence[Sequence[object]]:
        """All rows found."""
        return self._execute(connection, values).fetchall()

    def _execute(self, connection: Connection, values: Row) -> _Cursor:
        text, arrange = self._text(connection)
        if arrange is not None:
            values = arrange(values)
        if connection.dialect.name != _SQLITE:
            return connection.exec_driver_sql(text, values)
        try:
            return _driver(connection).execute(text, values)
        except sqlite3.Error as error:
            raise wrapped(text, error) from error

    def _text(self, connection: Connection) -> tuple[str, _Arrange | None]:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> tuple[str, _Arrange | None]:
        statement = (
            self._statement if isinstance(self._statement, ClauseElement) else self._statement(dialect)
        )
        compiled = statement.compile(dialect=dialect)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError(f"not a statement with parameters: {compiled}")
        names = compiled.positiontup or []
        if tuple(names) == self._parameters:
            return str(compiled), None
        constants = {name: value for name, value in compiled.params.items() if name not in self._parameters}
        positions = {name: index for index, name in enumerate(self._parameters)}

        def arrange(values: Row) -> Row:
            return tuple(values[positions[name]] if name in positions else constants[name] for name in names)

        return str(compiled), arrange


def inserting(table: Table) -> Statement:
    """Insert a row; the parameters are all columns in the table's order."""
    return Statement(insert(table), table.c.keys())


def inserting_once(table: Table, *unique: str) -> Statement:
    """Insert a row unless one with the same values in the `unique` columns exists."""

    def build(dialect: Dialect) -> ClauseElement:
        return _insert(table, dialect).on_conflict_do_nothing(index_elements=unique)

    return Statement(build, table.c.keys())


def upserting(table: Table, *unique: str, changes: Sequence[str]) -> Statement:
    """Insert a row, or give the row with the same `unique` columns the new values of `changes`."""

    def build(dialect: Dialect) -> ClauseElement:
        statement = _insert(table, dialect)
        values = {name: statement.excluded[name] for name in changes}
        return statement.on_conflict_do_update(index_elements=unique, set_=values)

    return Statement(build, table.c.keys())


def upserting_sum(table: Table, column: str) -> Statement:
    """Insert a row, or add its value of `column` to that of the row with the same primary key."""

    def build(dialect: Dialect) -> ClauseElement:
        statement = _insert(table, dialect)
        added = table.c[column] + statement.excluded[column]
        return statement.on_conflict_do_update(
            index_elements=[key.name for key in table.primary_key], set_={column: added}
        )

    return Statement(build, table.c.keys())


def updating(table: Table, *changes: str) -> Statement:
    """Set the columns `changes` of the row with an id; the parameters are those columns, then the id."""
    values: list[tuple[Column[object], BindParameter[object]]] = [
        (table.c[name], bindparam(f"new_{name}")) for name in changes
    ]
    statement = update(table).where(table.c.id == bindparam("row_id")).ordered_values(*values)
    return Statement(statement, [*(f"new_{name}" for name in changes), "row_id"])


def _insert(table: Table, dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)


def containing(text: str) -> str:
    """A LIKE pattern, for ``escape="/"``, that finds the text anywhere and takes it literally."""
    escaped = storable(text).replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"%{escaped}%"
