from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.archive.records import record
from weft.cli import main


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): the requirements that a test shows")


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder with three conversations of two apps."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for number, app in ((1, "app-a"), (2, "app-a"), (3, "app-b")):
        text = json.dumps(record(number, app_id=app, answer=f"Parcel {number} is on its way"))
        (folder / f"{number}.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def weft_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `weft archive` with a data folder of its own: exit code, standard output, standard error."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))

    def run(*words: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["archive", *(str(word) for word in words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run
