"""Databases for stored sessions: a SQLite file, or a database in a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from weft.sessions import SessionStore, open_session_store
from weft.testing.clock import FrozenClock

_NAME = "weft_sessions_test"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): the requirements that a test shows")


async def _execute(url: str, *statements: str) -> None:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


@pytest.fixture(scope="session")
def postgres_sessions(postgres_server: str) -> str:
    """The address of a Postgres database of these tests' own."""
    drop = f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)"
    asyncio.run(_execute(postgres_server, drop, f"CREATE DATABASE {_NAME}"))
    return postgres_server.replace("/postgres?", f"/{_NAME}?")


@pytest.fixture
def postgres_place(postgres_sessions: str) -> str:
    """The same without tables."""
    tables = "weft_session_runs, weft_sessions, weft_sessions_meta"
    drops = (f"DROP TABLE IF EXISTS {tables}", "DROP SCHEMA IF EXISTS ai CASCADE")
    asyncio.run(_execute(postgres_sessions, *drops))
    return postgres_sessions


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where sessions may lie; there are no tables yet."""
    if backend == "sqlite":
        return str(tmp_path / "sessions.db")
    return str(request.getfixturevalue("postgres_place"))


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(place: str, clock: FrozenClock) -> Iterator[SessionStore]:
    with open_session_store(place, clock=clock) as opened:
        yield opened
