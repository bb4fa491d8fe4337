from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runs.house import House
from weft.store import Store, migrate, open_store
from weft.testing.clock import FrozenClock


@pytest.fixture(scope="session")
async def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that has all tables and no rows."""
    path = tmp_path_factory.mktemp("runs") / "empty.db"
    await migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(empty_database: Path, tmp_path: Path) -> str:
    shutil.copy(empty_database, tmp_path / "weft.db")
    return f"sqlite:///{tmp_path / 'weft.db'}"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url, clock=FrozenClock(), readers=1) as store:
        yield store


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    house = House(store)
    yield house
    await house.runner.close(1)
