"""Disks that are really full and folders that really may not be written, met on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.archive.records import record
from weft.cli import main

BOUND = 60.0
Weft = Callable[..., subprocess.CompletedProcess[str]]
NOBODY = 65534
ORDINARY = ("setpriv", "--inh-caps", "-all", "--bounding-set", "-all")
"""Takes away what lets root pass by permissions; the user keeps its id, and so its interpreter."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root may mount a file system")
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "weft-test", str(place)], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounting.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def weft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weft:
    """Runs `weft archive`; as a process of its own with other words before it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))

    def run(*words: object, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        call = ["archive", *(str(word) for word in words)]
        if before:
            return subprocess.run(
                [*before, sys.executable, "-m", "weft", *call],
                capture_output=True,
                text=True,
                timeout=BOUND,
                check=False,
            )
        capsys.readouterr()
        code = main(call)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(call, code, told.out, told.err)

    return run


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """Sixty conversations of 20 kilobytes; no disk of a mebibyte holds them."""
    path = tmp_path / "exports.jsonl"
    lines = [json.dumps(record(number, answer="parcel " * 3000)) for number in range(60)]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o644)
    return path


def grow(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_a_pull_into_a_full_disk_says_so_and_goes_on_when_there_is_room(
    small_disk: Path, weft: Weft, exports: Path
) -> None:
    archive = small_disk / "archive"
    first = weft("pull", "--folder", exports, "--archive", archive)
    assert (first.returncode, first.stdout) == (1, "")
    assert "No space left on device; make room on the disk and run it again" in first.stderr
    assert first.stderr.count("\n") <= 2
    looked = weft("verify", "--archive", archive)
    assert looked.returncode == 0, looked
    kept = json.loads(weft("summary", "--archive", archive, "--json").stdout)["total_files"]
    assert 0 <= kept < 60
    again = weft("pull", "--folder", exports, "--archive", archive)
    assert (again.returncode, "make room on the disk" in again.stderr) == (1, True)
    grow(small_disk, "32m")
    last = weft("pull", "--folder", exports, "--archive", archive, "--json")
    assert last.returncode == 0, last
    result = json.loads(last.stdout)["results"][0]
    assert (result["written"] + result["unchanged"], result["failed"]) == (60, 0)
    assert weft("verify", "--archive", archive).returncode == 0
    found = json.loads(weft("search", "parcel", "--archive", archive, "--limit", 200, "--json").stdout)
    assert len(found["data"]) == 60


def test_an_export_to_a_full_disk_says_so_and_leaves_no_half_file_of_that_name(
    small_disk: Path, weft: Weft, exports: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    for format in ("json", "jsonl", "csv", "html", "markdown"):
        file = small_disk / f"all.{format}"
        (small_disk / "filler").write_bytes(bytes(1_000_000))
        told = weft("export", file, "--format", format, "--archive", archive)
        assert (told.returncode, told.stdout) == (1, ""), (format, told)
        assert "No space left on device; make room on the disk" in told.stderr, (format, told)
        assert not file.exists(), format
        assert sorted(path.name for path in small_disk.iterdir()) == ["filler"], format
    (small_disk / "filler").unlink()
    grow(small_disk, "32m")
    told = weft("export", small_disk / "all.json", "--archive", archive)
    assert told.returncode == 0
    assert json.loads((small_disk / "all.json").read_text())["count"] == 60


def test_an_export_to_a_full_standard_output_says_so(weft: Weft, exports: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [sys.executable, "-m", "weft", "archive", "export", "-", "--archive", str(archive)],
            env={**os.environ, "WEFT_DATA": str(tmp_path / "data")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=BOUND,
            check=False,
        )
    assert told.returncode == 1
    assert "No space left on device" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_index_that_finds_no_room_says_so_and_is_made_when_there_is(
    small_disk: Path, weft: Weft, exports: Path
) -> None:
    archive = small_disk / "archive"
    lines = exports.read_text().splitlines(keepends=True)
    exports.write_text("".join(lines[:20]))
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    for name in ("search.db", "search.db-wal", "search.db-shm"):
        (archive / "logs/.weft" / name).unlink(missing_ok=True)
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(max(free.f_bavail * free.f_frsize - 40_960, 0)))
    told = weft("search", "parcel", "--archive", archive)
    assert (told.returncode, told.stdout) == (1, ""), told
    assert "make room on the disk and run it again" in told.stderr
    assert weft("verify", "--archive", archive).returncode == 0
    filler.unlink()
    told = weft("search", "parcel", "--archive", archive, "--json")
    assert (told.returncode, len(json.loads(told.stdout)["data"])) == (0, 20)


def test_a_deletion_needs_little_room_and_when_there_is_none_deletes_nothing(
    small_disk: Path, weft: Weft, exports: Path
) -> None:
    archive = small_disk / "archive"
    lines = exports.read_text().splitlines(keepends=True)
    exports.write_text("".join(lines[:20]))
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize))
    told = weft("clean", "--days", 30, "--trust-clock", "--archive", archive)
    assert (told.returncode, "make room on the disk" in told.stderr) == (1, True), told
    assert json.loads(weft("summary", "--archive", archive, "--json").stdout)["total_files"] == 20
    filler.unlink()
    assert weft("clean", "--days", 30, "--trust-clock", "--archive", archive).returncode == 0
    assert json.loads(weft("summary", "--archive", archive, "--json").stdout)["total_files"] == 0


def test_a_tree_that_is_mounted_for_reading_is_read_and_not_written(
    small_disk: Path, weft: Weft, exports: Path
) -> None:
    archive = small_disk / "archive"
    lines = exports.read_text().splitlines(keepends=True)
    exports.write_text("".join(lines[:10]))
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    only_read(weft, archive, exports, ())


def test_a_tree_of_somebody_else_is_read_and_not_written(weft: Weft, exports: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    lines = exports.read_text().splitlines(keepends=True)
    exports.write_text("".join(lines[:10]))
    assert weft("pull", "--folder", exports, "--archive", archive).returncode == 0
    if os.geteuid() != 0 or subprocess.run([*ORDINARY, "true"], check=False).returncode != 0:
        pytest.skip("only root can give files away and then be an ordinary user")
    for path in (archive, *archive.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o755 if path.is_dir() else 0o644)
    only_read(weft, archive, exports, ORDINARY)
    (archive / "logs/.weft/catalogue.json").chmod(0o600)
    told = weft("summary", "--archive", archive, before=ORDINARY)
    assert (told.returncode, told.stdout) == (1, ""), told
    assert "catalogue.json: Permission denied" in told.stderr
    assert "Traceback" not in told.stderr


def only_read(weft: Weft, archive: Path, exports: Path, before: Sequence[str]) -> None:
    """What reads works; what writes is refused with a word about what to do, and changes nothing."""
    content = {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    readings: list[tuple[object, ...]] = [
        ("summary",),
        ("verify",),
        ("search", "parcel"),
        ("show", "conv-1"),
        ("stats",),
        ("holds",),
        ("export", "-"),
        ("clean", "--days", 30, "--dry-run"),
    ]
    for words in readings[:: 3 if before else 1]:
        told = weft(*words, "--archive", archive, before=before)
        assert (told.returncode, told.stderr) == (0, ""), (words, told)
    writings: list[tuple[object, ...]] = [
        ("pull", "--folder", exports),
        ("import", exports),
        ("clean", "--days", 30, "--trust-clock"),
        ("holds", "--place", "case"),
        ("verify", "--rotate"),
    ]
    for words in writings[:: 2 if before else 1]:
        told = weft(*words, "--archive", archive, before=before)
        assert (told.returncode, told.stdout) == (1, ""), (words, told)
        assert "give this user write access to the archive" in told.stderr, (words, told)
        assert "Traceback" not in told.stderr, words
    assert {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()} == content
