"""Postgres: the same functions, run through asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from weft.errors import StoreError
from weft.store.store import refusal, sqlstate

T = TypeVar("T")

_ATTEMPTS = 5
"""How often at most something is begun that Postgres breaks off: a deadlock, a restart of the server."""
_BEGIN_ANEW = {"40001", "40P01"}
"""SQLSTATEs of a serialisation failure and of a deadlock."""


class PostgresStore:
    """A `Store` in a Postgres database, one transaction per write.

    Args:
        url: Address with the ``postgresql+asyncpg`` driver.
        pool_size: Connections that are kept; half as many more are opened under load.
    """

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self._where = f"database {url.render_as_string(hide_password=True)}"
        self._engine = engine(url, pool_size=pool_size)
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        # Without a transaction a lookup is one round trip instead of three.
        self._quick = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing: set[asyncio.Task[object]] = set()
        self._closed = False

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a read-only transaction."""
        return await self._read(self._snapshots, fn)

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` outside of any transaction."""
        return await self._read(self._quick, fn)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction of its own."""
        self._check_open()
        # A task of the store's own, so that a cancelled caller does not break the write off.
        task = asyncio.create_task(self._persist(lambda: self._write_once(fn)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish what is being written, then let go of the connections."""
        self._closed = True
        if self._writing:
            await asyncio.wait(self._writing)
        await self._engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._where} is closed; open it again")

    async def _read(self, engine: AsyncEngine, fn: Callable[[Connection], T]) -> T:
        self._check_open()
        return await self._persist(lambda: self._read_once(engine, fn))

    async def _read_once(self, engine: AsyncEngine, fn: Callable[[Connection], T]) -> T:
        async with engine.connect() as connection:
            return await connection.run_sync(fn)

    async def _write_once(self, fn: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection:
            transaction = await connection.begin()
            result = await connection.run_sync(fn)
            try:
                await transaction.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    # It may be on disk or not; doing it again might do it twice.
                    raise StoreError(
                        f"{self._where}: the connection broke while a write was being kept; "
                        "look whether it was before you repeat it"
                    ) from error
                raise
            return result

    async def _persist(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do it, anew when Postgres broke it off before anything was kept."""
        attempt = 1
        while True:
            try:
                return await once()
            except DBAPIError as error:
                broken_off = error.connection_invalidated or sqlstate(error) in _BEGIN_ANEW
                if attempt == _ATTEMPTS or not broken_off:
                    raise refusal(error, self._where) from error
            except SQLAlchemyError as error:
                raise refusal(error, self._where) from error
            except OSError as error:
                raise StoreError(f"{self._where}: cannot be reached: {error}") from error
            attempt += 1


def engine(url: URL, *, pool_size: int = 1) -> AsyncEngine:
    """An engine for that address."""
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=pool_size // 2, pool_pre_ping=False, hide_parameters=True
    )
