"""Sessions in a Postgres database, through asyncpg."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from weft.errors import StoreError
from weft.sessions.database import create_tables, refusal

T = TypeVar("T")

_ATTEMPTS = 5
"""How often at most something is begun that Postgres breaks off."""
_BEGIN_ANEW = {"40001", "40P01"}
"""SQLSTATEs of a serialisation failure and of a deadlock."""
_LOCK = 0x57654673
"""Key of the advisory lock that makes processes create tables one after another."""


class PostgresDatabase:
    """An `AsyncDatabase` in Postgres; see `open`."""

    def __init__(self, address: URL, *, pool_size: int) -> None:
        self._address = address
        self._engine = create_async_engine(address, pool_size=pool_size, hide_parameters=True)
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @classmethod
    async def open(
        cls, address: URL, *, pool_size: int, create: Callable[[Connection], None] = create_tables
    ) -> PostgresDatabase:
        """Connect and make the tables.

        Args:
            address: With the driver asyncpg.
            pool_size: Connections that are kept.
            create: Makes the tables, in a transaction of its own.

        Raises:
            StoreError: The database cannot be reached.
        """
        database = cls(address, pool_size=pool_size)

        def create_alone(connection: Connection) -> None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            create(connection)

        try:
            await database.write(create_alone)
        except BaseException:
            await database.close()
            raise
        return database

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a read-only transaction."""

        async def once() -> T:
            async with self._snapshots.connect() as connection:
                return await connection.run_sync(fn)

        return await self._persist(once)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction of its own."""

        async def once() -> T:
            async with self._engine.begin() as connection:
                return await connection.run_sync(fn)

        return await self._persist(once)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._engine.dispose()

    async def _persist(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do it, anew when Postgres broke it off by itself and so has kept nothing."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await once()
            except DBAPIError as error:
                broken_off = str(getattr(error.orig, "sqlstate", None)) in _BEGIN_ANEW
                if attempt == _ATTEMPTS or not broken_off:
                    raise refusal(error, self._address) from error
            except SQLAlchemyError as error:
                raise refusal(error, self._address) from error
            except OSError as error:
                where = self._address.render_as_string(hide_password=True)
                raise StoreError(f"database {where}: cannot be reached: {error}") from error
        raise AssertionError("unreachable")  # the last attempt returns or raises
