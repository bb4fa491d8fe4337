"""Databases that sessions lie in: an address, and two doors that take a function of a connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, MetaData, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from weft.errors import ConfigError, MigrationError, StoreError
from weft.sessions.tables import meta, metadata

T = TypeVar("T")

VERSION = 1
"""Of the tables."""
_EXAMPLES = (
    "give a path such as sessions.db, sqlite:///path/sessions.db or postgresql://user:password@host/name"
)


class Database(Protocol):
    """Where sessions lie, for callers that wait."""

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent snapshot."""
        ...

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction and return once it is on disk; it may be run again after a deadlock."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class AsyncDatabase(Protocol):
    """The same for coroutines."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent snapshot."""
        ...

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction and return once it is on disk."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


def database_address(place: str | PathLike[str]) -> URL:
    """The address of a database, with the driver that is used here.

    Args:
        place: A path of a SQLite file, or the address of one, or that of a Postgres database.

    Raises:
        ConfigError: It is none of these.
    """
    text = fspath(place)
    if "://" not in text:
        if not text or text == ":memory:":
            raise ConfigError(f"{text!r} names no file that could be kept; {_EXAMPLES}")
        return URL.create("sqlite", database=str(Path(text)))
    try:
        parsed = make_url(text)
    except ArgumentError as error:
        raise ConfigError(f"the database address cannot be read; {_EXAMPLES}") from error
    match parsed.drivername.partition("+")[0]:
        case "sqlite" if parsed.database not in (None, "", ":memory:"):
            return URL.create("sqlite", database=parsed.database)
        case "postgresql" | "postgres":
            query = dict(parsed.query)
            if "sslmode" in query:  # libpq's word, which everybody writes; asyncpg calls it ssl
                query["ssl"] = query.pop("sslmode")
            return parsed.set(drivername="postgresql+asyncpg", query=query)
        case kind:
            raise ConfigError(f"a database address of kind {kind!r} cannot be used here; {_EXAMPLES}")


def create_tables(connection: Connection) -> None:
    """Make the tables of sessions where they are absent.

    Raises:
        MigrationError: They are of a newer version than this program.
    """
    if not inspect(connection).has_table(meta.name):
        create_missing(connection, metadata)
        connection.execute(meta.insert().values(version=VERSION))
        return
    version = connection.execute(select(meta.c.version)).scalar_one()
    if version != VERSION:
        raise MigrationError(
            f"the stored sessions are of version {version} and this program knows version {VERSION}; "
            "upgrade Weft or choose another database"
        )


def create_missing(connection: Connection, wanted: MetaData) -> None:
    """Make tables and indexes that are absent."""
    for table in wanted.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def refusal(error: SQLAlchemyError, address: URL) -> StoreError:
    """The database's error in our family, without the values of the statement."""
    reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    first = (reason.splitlines() or [type(error).__name__])[0]
    return StoreError(f"database {address.render_as_string(hide_password=True)}: {first}")


class Threaded:
    """An `AsyncDatabase` out of a `Database`, whose work a thread does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a thread."""
        return await asyncio.to_thread(self._database.read, fn)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a thread; a caller that is cancelled does not take the write back."""
        return await asyncio.to_thread(self._database.write, fn)

    async def close(self) -> None:
        """Let go of the database."""
        await asyncio.to_thread(self._database.close)


class Looped:
    """A `Database` out of an `AsyncDatabase`, which lives on an event loop of its own in a thread of its own.

    So it works wherever it is called from, also below a loop that runs already.
    """

    def __init__(self, open_database: Callable[[], Coroutine[None, None, AsyncDatabase]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="weft-sessions", daemon=True)
        self._thread.start()
        try:
            self._database = self._await(open_database())
        except BaseException:
            self._end()
            raise

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on the loop and wait for it."""
        return self._await(self._database.read(fn))

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on the loop and wait for it."""
        return self._await(self._database.write(fn))

    def close(self) -> None:
        """Let go of the database, then end the thread."""
        if not self._loop.is_closed():
            self._await(self._database.close())
            self._end()

    def _await(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
