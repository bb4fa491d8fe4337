from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.archive.desk import Desk, open_desk


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): the requirements that a test shows")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A server whose sources are folders."""
    async with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A server for a module's tests that leave nothing behind."""
    async with open_desk(tmp_path_factory.mktemp("idle")) as opened:
        yield opened
