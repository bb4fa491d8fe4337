from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from weft.cli.failure import BadCallError
from weft.cli.ready_file import remove_ready_file, write_ready_file


def test_the_file_is_whole_private_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("old")
    path.chmod(0o644)
    write_ready_file(path, {"url": "http://127.0.0.1:1", "name": "é"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"url": "http://127.0.0.1:1", "name": "é"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["ready.json"]


def test_a_reader_never_sees_a_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ready.json"
    seen: list[bool] = []
    replace = os.replace

    def watch(source: str, target: Path) -> None:
        seen.append(path.exists())
        assert json.loads(Path(source).read_text()) == {"a": 1}
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_ready_file(path, {"a": 1})
    assert (seen, path.exists()) == ([False], True)


def test_a_file_that_cannot_be_put_there_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "ready.json").mkdir()
    with pytest.raises(BadCallError, match=r"ready\.json: Is a directory; name another file"):
        write_ready_file(tmp_path / "ready.json", {})
    assert os.listdir(tmp_path) == ["ready.json"]


def test_removing_what_is_not_there_is_fine(tmp_path: Path) -> None:
    remove_ready_file(tmp_path / "ready.json")
    assert os.listdir(tmp_path) == []
