"""Bringing a database to the tables of this program.

The steps are Alembic revisions in ``migrations/versions``. Alembic takes longer to import than
everything else here, so it is left alone while the database is up to date.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from weft.errors import MigrationError
from weft.store import sqlite
from weft.store.store import refusal, sqlstate

HEAD = "0003"
"""The newest revision; a test compares it with the files."""

_LOCK = 0x57656674
"""Key of the advisory lock that makes processes migrate one after another."""
_STARTING_UP = "57P03"
"""SQLSTATE of a Postgres that takes no connections yet."""


async def migrate(url: URL, *, busy_timeout: float) -> None:
    """Create or upgrade the tables; nothing happens when they are up to date.

    All steps are one transaction, and of several processes that start at once one takes them.

    Args:
        url: Address of the database, driver included.
        busy_timeout: Seconds to wait for another process that writes (SQLite).

    Raises:
        MigrationError: The database is newer than this program, or is no database of ours.
        OSError: Postgres cannot be reached.
    """
    where = f"database {url.render_as_string(hide_password=True)}"
    try:
        if url.get_backend_name() == "sqlite":
            await asyncio.to_thread(_migrate_sqlite, Path(url.database or ""), busy_timeout)
        else:
            await _migrate_postgres(url)
    except SQLAlchemyError as error:
        if sqlstate(error) == _STARTING_UP:
            raise ConnectionError(str(refusal(error, "Postgres"))) from error
        raise MigrationError(f"{refusal(error, where)}; is this a database of Weft's?") from error


def _migrate_sqlite(path: Path, busy_timeout: float) -> None:
    sqlite.prepare_file(path)
    reading = sqlite.engine(path, busy_timeout, begin=None)
    with reading.connect() as connection:
        # Without effect on a database that has tables; `compact` makes those so when it is alone with them.
        connection.exec_driver_sql("PRAGMA auto_vacuum = INCREMENTAL")
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        if revision(connection) == HEAD:
            return
    with sqlite.engine(path, busy_timeout, begin="BEGIN IMMEDIATE").begin() as connection:
        upgrade(connection)


async def _migrate_postgres(url: URL) -> None:
    from weft.store import postgres  # SQLAlchemy's asyncio half is as slow to import as the rest of it

    engine = postgres.engine(url)
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(revision) == HEAD:
                return
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; `None` for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return cast("str | None", connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def is_current(connection: Connection) -> bool:
    """Whether the tables are those of this program."""
    return revision(connection) == HEAD


def upgrade(connection: Connection) -> None:
    """Take all steps that are missing, inside the caller's transaction.

    Raises:
        MigrationError: The database is at a revision that this program does not know.
    """
    found = revision(connection)
    if found == HEAD:
        return
    from weft.store import migrations  # here, because Alembic is slow to import and rarely needed

    if found is not None and found not in migrations.known():
        raise MigrationError(
            f"the database is at revision {found!r} and this program knows revisions up to {HEAD!r}: "
            "a newer Weft has written it, or it belongs to another program; "
            "upgrade Weft or choose another database"
        )
    migrations.upgrade(connection)
