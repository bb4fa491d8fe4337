"""Sessions in a SQLite file, which any number of threads and processes may have open."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from weft.errors import StoreError
from weft.sessions.database import create_tables, refusal

T = TypeVar("T")


class _Driver(Protocol):
    """What is used of `sqlite3.Connection`."""

    isolation_level: str | None

    def execute(self, statement: str, /) -> object: ...


class SqliteDatabase:
    """A `Database` in one file.

    Args:
        address: Of the file; it is made when absent, readable for nobody else.
        busy_timeout: Seconds to wait for another process that writes.
        create: Makes the tables, in a transaction of its own.
        wal: Let the file have a write-ahead log, which is left to its owner where it is another's.

    Raises:
        StoreError: The file cannot be opened.
    """

    def __init__(
        self,
        address: URL,
        *,
        busy_timeout: float,
        create: Callable[[Connection], None] = create_tables,
        wal: bool = True,
    ) -> None:
        self._address = address
        try:
            _prepare(Path(address.database or ""))
        except OSError as error:
            raise StoreError(f"database {address.database}: cannot be opened: {error}") from error
        self._engine = _engine(address, busy_timeout, wal=wal)
        try:
            self.write(create)
        except BaseException:
            self.close()
            raise

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent snapshot."""
        return self._run(fn, "BEGIN")

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction and return once it is on disk."""
        return self._run(fn, "BEGIN IMMEDIATE")

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def _run(self, fn: Callable[[Connection], T], begin: str) -> T:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(weft_begin=begin)
                with connection.begin():
                    return fn(connection)
        except SQLAlchemyError as error:
            raise refusal(error, self._address) from error


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _engine(address: URL, busy_timeout: float, *, wal: bool) -> Engine:
    made = create_engine(
        address, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": busy_timeout}
    )

    @event.listens_for(made, "connect")
    def prepare(driver: _Driver, record: object) -> None:
        driver.isolation_level = None  # the driver's own way of beginning would be a deferred BEGIN
        if wal:
            driver.execute("PRAGMA journal_mode = WAL")
        driver.execute("PRAGMA synchronous = FULL")
        driver.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(made, "begin")
    def begin_as_told(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("weft_begin", "BEGIN"))

    return made
