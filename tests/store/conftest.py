"""The databases that every test here runs on, and a store in each."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store.rows import START, Rows
from weft.store import (
    App,
    Connection,
    EndUser,
    Store,
    apps,
    end_users,
    migrate,
    open_store,
    postgres,
    workspaces,
)
from weft.store.opening import database_url
from weft.store.tables import metadata


class FrozenClock:
    """A clock that stands still and counts how often somebody slept on it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


class PostgresDatabase:
    """A database and a connection to it that stays open."""

    def __init__(self, url: str, connection: AsyncConnection) -> None:
        self.url = url
        self._connection = connection

    async def execute(self, *statements: str) -> None:
        for statement in statements:
            await self._connection.exec_driver_sql(statement)

    async def emptied(self, folder: Path) -> str:
        """The address of this database, in which no rows are left."""
        await self.execute("CALL forget_all()")
        return self.url

    async def create(self, name: str) -> str:
        """The address of another database on the same server, new and empty."""
        await self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[PostgresDatabase]:
    engine = postgres.engine(database_url(url))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield PostgresDatabase(url, connection)
    await engine.dispose()


@pytest.fixture(scope="session")
async def postgres_maintenance(postgres_server: str) -> AsyncIterator[PostgresDatabase]:
    """The database from which others are made."""
    async with connect(postgres_server) as database:
        yield database


@pytest.fixture(scope="session")
async def postgres_database(postgres_maintenance: PostgresDatabase) -> AsyncIterator[PostgresDatabase]:
    """The database that tests share; it has all tables."""
    url = await postgres_maintenance.create("weft_test")
    await migrate(url)
    async with connect(url) as database:
        await database.execute(
            "CREATE PROCEDURE forget_all() LANGUAGE sql AS $$ "
            + " ".join(f"DELETE FROM {table.name};" for table in reversed(metadata.sorted_tables))
            # Once more: triggers write them while others are emptied.
            + " DELETE FROM run_changes; DELETE FROM search_queue; DELETE FROM search_texts;"
            + " $$"
        )
        yield database


class SqliteDatabase:
    """A file to copy."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def emptied(self, folder: Path) -> str:
        """The address of a copy in that folder."""
        shutil.copy(self._path, folder / "weft.db")
        return f"sqlite:///{folder / 'weft.db'}"


@pytest.fixture(scope="session")
async def sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabase:
    """A database that has all tables and no rows."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    await migrate(f"sqlite:///{path}")
    return SqliteDatabase(path)


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def template(backend: str, request: pytest.FixtureRequest) -> SqliteDatabase | PostgresDatabase:
    """What `url` is made from."""
    found: SqliteDatabase | PostgresDatabase = request.getfixturevalue(f"{backend}_database")
    return found


@pytest.fixture
async def url(template: SqliteDatabase | PostgresDatabase, tmp_path: Path) -> str:
    """The address of a database with tables and without rows; its tables are to be left alone."""
    return await template.emptied(tmp_path)


@pytest.fixture
def server(backend: str, request: pytest.FixtureRequest) -> PostgresDatabase | None:
    """Where databases can be made; `None` for SQLite."""
    return None if backend == "sqlite" else request.getfixturevalue("postgres_maintenance")


@pytest.fixture
async def empty_url(server: PostgresDatabase | None, tmp_path: Path) -> str:
    """The address of a database of this test's own, without tables."""
    return f"sqlite:///{tmp_path / 'weft.db'}" if server is None else await server.create("weft_empty")


@pytest.fixture
async def store(url: str, clock: FrozenClock) -> AsyncIterator[Store]:
    async with open_store(url, clock=clock) as store:
        yield store


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def app(store: Store, rows: Rows) -> App:
    """An app that is stored, in a workspace that is."""
    app = rows.app()

    def create(connection: Connection) -> None:
        workspaces.find_or_create(connection, rows.workspace)
        apps.create(connection, app)

    await store.write(create)
    return app


@pytest.fixture
async def end_user(store: Store, rows: Rows, app: App) -> EndUser:
    """An end user of `app` that is stored."""
    return await store.write(lambda connection: end_users.find_or_create(connection, rows.end_user(app)))
