from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Weft


@pytest.fixture(scope="session")
def bytecode(pytestconfig: pytest.Config) -> Path:
    """Compiled modules that all commands share, those of the next session too; a start without takes long."""
    return pytestconfig.rootpath / ".pytest_cache" / "weft-bytecode"


@pytest.fixture
def weft(tmp_path: Path, bytecode: Path) -> Weft:
    """The command, in an empty folder, with a data folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Weft(folder, tmp_path / "data", bytecode)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For commands in this process: logging belongs to the whole of it, so it is put back."""
    root, ours = logging.getLogger(), logging.getLogger("weft")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before[0], before[1], before[2]
    logging.captureWarnings(False)
