from __future__ import annotations

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
