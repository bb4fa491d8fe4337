from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from weft.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_an_example_runs_and_finds_what_it_expects(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")


def test_every_example_app_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    apps = [str(path) for path in sorted((EXAMPLES / "apps").glob("*.yml"))]
    assert len(apps) >= 3
    assert main(["check", *apps]) == 0, capsys.readouterr().out
