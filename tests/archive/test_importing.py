from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from tests.archive.records import (
    StoppedClock,
    conversation,
    conversation_files,
    open_archive,
    record,
    run,
    tree,
)
from weft.archive import Archive, Query


@pytest.fixture
def origin(tmp_path: Path) -> Archive:
    clock = StoppedClock()
    archive = open_archive(tmp_path / "origin", clock=clock)
    archive.save([conversation(number, turns=2, mood=["x", {"b": 1, "a": 2}]) for number in range(10)])
    clock.advance(seconds=1.5)
    archive.save([conversation(1, name="ü \u2028"), conversation(3)], "Org 1")
    archive.save_runs([run(1), run(2)])
    return archive


def test_another_archive_comes_in_byte_for_byte_and_only_once(origin: Archive, tmp_path: Path) -> None:
    clock = StoppedClock()
    clock.advance(days=100)
    with open_archive(tmp_path / "new", clock=clock) as archive:
        first = archive.import_archive(origin)
        assert (first.written, first.unchanged, first.failed) == (14, 0, [])
    for part in ("logs/conversations", "logs/runs"):
        assert tree(tmp_path / "new", part) == tree(tmp_path / "origin", part)
    before = tree(tmp_path / "new")
    with open_archive(tmp_path / "new", clock=clock) as archive:
        again = archive.import_archive(origin)
        assert (again.written, again.unchanged) == (0, 14)
    assert tree(tmp_path / "new") == before


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_an_export_comes_in_byte_for_byte_and_only_once(origin: Archive, tmp_path: Path, format: str) -> None:
    (tmp_path / "out").mkdir()
    origin.export_to_file(format, tmp_path / "out" / f"all.{format}")
    for expected in ((12, 0), (0, 12)):
        with open_archive(tmp_path / "new") as archive:
            done = archive.import_folder(tmp_path / "out")
        assert (done.written, done.unchanged, done.failed) == (*expected, [])
        assert conversation_files(tmp_path / "new") == conversation_files(tmp_path / "origin")


def test_a_packed_archive_comes_in_unpacked(origin: Archive, tmp_path: Path) -> None:
    files = conversation_files(tmp_path / "origin")
    origin.compress_sealed_days()
    with open_archive(tmp_path / "new") as archive:
        archive.import_archive(origin, Query(organization_id="Org 1"))
    assert conversation_files(tmp_path / "new") == {
        path: data for path, data in files.items() if "%4frg" in path
    }


def test_an_older_version_does_not_take_the_place_of_a_later_one(origin: Archive, tmp_path: Path) -> None:
    clock = StoppedClock()
    clock.advance(days=1)
    with open_archive(tmp_path / "new", clock=clock) as archive:
        archive.save([conversation(1, turns=7)])
        archive.import_archive(origin)
        assert len(archive.get("conv-1").messages) == 7
        assert archive.count().conversations == 12


def test_what_is_broken_is_named_and_the_rest_comes_in(origin: Archive, tmp_path: Path) -> None:
    path = next(path for path in conversation_files(tmp_path / "origin") if "conv-5_" in path)
    (tmp_path / "origin" / path).write_bytes(b"")
    folder = tmp_path / "folder"
    folder.mkdir()
    lines = ['{"conversation_id": "x"}', "not json", "", json.dumps(record(70)), "[1]"]
    (folder / "a.jsonl").write_text("\n".join(lines))
    (folder / "b.json").write_text("{")
    (folder / "c.json.zst").write_bytes(zstandard.compress(json.dumps([record(71), 5]).encode()))
    (folder / "c2.json.zst").write_bytes(b"not packed at all")
    (folder / "c3.jsonl.zst").write_bytes(zstandard.compress(json.dumps(record(72)).encode() + b"\n")[:-3])
    (folder / "d.txt").write_text("ignored")
    (folder / "e.json").write_text(json.dumps({"run_id": "r", "created_at": 1759401000}))
    with open_archive(tmp_path / "new") as archive:
        one = archive.import_archive(origin)
        two = archive.import_folder(folder, "org-9")
        assert [failure.id for failure in one.failed] == [path]
        assert (one.written, two.written) == (13, 3)
        broken = [failure for failure in two.failed if "c2" in failure.id or "c3" in failure.id]
        assert ["unpack" in failure.reason for failure in broken][:1] == [True]
        assert [failure.id for failure in two.failed if failure not in broken] == [
            "a.jsonl, record 1",
            "a.jsonl, record 2",
            "a.jsonl, record 5",
            "b.json, record 1",
            "c.json.zst, record 2",
        ]
        assert archive.get("conv-71", "org-9").name == "Chat 71"
        assert archive.find_run("r", "org-9") is not None
