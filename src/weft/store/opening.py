"""From an address to an open store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from weft.clock import Clock
from weft.errors import ConfigError, StoreError
from weft.store import migration
from weft.store.search_file import SearchFile
from weft.store.sqlite import SqliteStore
from weft.store.store import Store

if TYPE_CHECKING:
    from weft.store.postgres import PostgresStore

_RETRY_SECONDS = 0.5


@asynccontextmanager
async def open_store(
    url: str,
    *,
    clock: Clock,
    readers: int = 4,
    pool_size: int = 10,
    busy_timeout: float = 30.0,
    connect_timeout: float = 10.0,
    search_index: bool = False,
) -> AsyncIterator[Store]:
    """Open the server's records, creating or upgrading the tables first.

    Args:
        url: ``sqlite:///relative/weft.db``, ``sqlite:////absolute/weft.db`` or
            ``postgresql://user:password@host/name``.
        clock: For waiting until Postgres is up.
        readers: Threads that read (SQLite).
        pool_size: Connections that are kept (Postgres).
        busy_timeout: Seconds to wait while another process writes (SQLite).
        connect_timeout: Seconds to go on trying while Postgres cannot be reached.
        search_index: Ask the search index, which somebody builds with `open_search_index`.

    Raises:
        ConfigError: The address is of another kind.
        MigrationError: The database is newer than this program, or is no database of ours.
        StoreError: The database cannot be reached or opened.
    """
    address = database_url(url)
    await _migrate(address, clock, busy_timeout, connect_timeout)
    store: SqliteStore | PostgresStore
    if address.get_backend_name() == "sqlite":
        file = search_file(address, busy_timeout) if search_index else None
        if file is not None:
            await asyncio.to_thread(file.prepare)
        store = SqliteStore(
            Path(address.database or ""),
            readers=readers,
            busy_timeout=busy_timeout,
            index=None if file is None else file.path,
        )
    else:
        from weft.store.postgres import PostgresStore  # slow to import, as `migration` says

        store = PostgresStore(address, pool_size=pool_size)
    try:
        yield store
    finally:
        await store.close()


async def migrate(url: str, *, busy_timeout: float = 30.0) -> None:
    """Create or upgrade the tables of a database without opening it.

    Raises:
        ConfigError: The address is of another kind.
        MigrationError: The database is newer than this program, or is no database of ours.
        StoreError: The database cannot be reached or opened.
    """
    address = database_url(url)
    try:
        await migration.migrate(address, busy_timeout=busy_timeout)
    except OSError as error:
        raise _unreachable(address, error) from error


def search_file(address: URL, busy_timeout: float = 30.0) -> SearchFile:
    """The search index of a SQLite database: ``weft.search.db`` beside ``weft.db``."""
    path = Path(address.database or "")
    return SearchFile(path.with_name(f"{path.stem}.search.db"), path, busy_timeout=busy_timeout)


def database_url(url: str) -> URL:
    """The address as SQLAlchemy wants it, with the driver that we use.

    Raises:
        ConfigError: It is not one of a SQLite file or of Postgres.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"the database address cannot be read; {_EXAMPLES}") from error
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ConfigError(f"database address {url!r} names no file; {_EXAMPLES}")
        return URL.create("sqlite", database=parsed.database)
    if backend in ("postgresql", "postgres"):
        query = dict(parsed.query)
        if "sslmode" in query:  # libpq's word, which everybody writes; asyncpg calls it ssl
            query["ssl"] = query.pop("sslmode")
        return parsed.set(drivername="postgresql+asyncpg", query=query)
    raise ConfigError(f"database address of kind {backend!r} is not supported; {_EXAMPLES}")


_EXAMPLES = "write sqlite:///path/weft.db or postgresql://user:password@host/name"


async def _migrate(address: URL, clock: Clock, busy_timeout: float, connect_timeout: float) -> None:
    deadline = clock.monotonic() + connect_timeout
    while True:
        try:
            return await migration.migrate(address, busy_timeout=busy_timeout)
        except OSError as error:
            # A file does not appear by waiting; a server that starts together with us does.
            if address.get_backend_name() == "sqlite" or clock.monotonic() >= deadline:
                raise _unreachable(address, error) from error
        await clock.sleep(_RETRY_SECONDS)


def _unreachable(address: URL, error: OSError) -> StoreError:
    return StoreError(f"database {address.render_as_string(hide_password=True)}: cannot be opened: {error}")
