"""Folders that a killed process has made are as safe as those that were made in peace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archive.power import CUTS, PowerDisk
from tests.archive.records import KilledError, StoppedClock, conversation
from weft.archive import Archive, LocalFileSystem


class Flushing(LocalFileSystem):
    """Knows which names were flushed; is killed at one of the flushes.

    Args:
        flushed: Names by folder, shared by all processes.
        killed_at: Number of the flush before which it ends; 0 is none.
    """

    def __init__(self, flushed: dict[Path, set[str]], killed_at: int = 0) -> None:
        self.flushes = 0
        self._flushed = flushed
        self._killed_at = killed_at

    def sync_folder(self, path: Path) -> None:
        self.flushes += 1
        if self.flushes == self._killed_at:
            raise KilledError
        super().sync_folder(path)
        self._flushed[path] = set(os.listdir(path))


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_folder_that_a_killed_process_made_is_flushed_by_the_next(tmp_path: Path, killed_at: int) -> None:
    flushed: dict[Path, set[str]] = {}
    wanted = tmp_path / "a" / "b"
    with pytest.raises(KilledError):
        Flushing(flushed, killed_at).make_folder(wanted)
    Flushing(flushed).make_folder(wanted)
    assert all(path.name in flushed.get(path.parent, ()) for path in (wanted.parent, wanted))


def test_a_folder_above_that_nobody_may_look_into_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: LocalFileSystem, path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "there").mkdir()
    monkeypatch.setattr(LocalFileSystem, "sync_folder", refuse)
    LocalFileSystem().make_folder(tmp_path / "there")
    with pytest.raises(PermissionError):
        LocalFileSystem().make_folder(tmp_path / "new")


def test_what_is_saved_after_a_kill_while_the_archive_was_made_survives_the_power(tmp_path: Path) -> None:
    step = 0
    is_through = False
    while not is_through:
        step += 1
        disk = PowerDisk(tmp_path / str(step) / "archive")
        disk.make_folder(disk.root)
        is_through = not _killed(disk, step)
        # The next process sees all that the killed one did; none of it was brought to the disk in between.
        disk.before_step = lambda step: None
        with Archive.open(disk.root, clock=StoppedClock(), file_system=disk) as archive:
            archive.save([conversation(1)])
            left = disk.after(CUTS[0])
        with Archive.open(left.root, clock=StoppedClock(), file_system=left) as archive:
            assert archive.get("conv-1").messages, step
            assert archive.verify().findings == []
    assert step > 10


def _killed(disk: PowerDisk, at: int) -> bool:
    """Make an archive, and be killed before that step; false when there are not so many."""
    steps = 0

    def count(step: str) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            raise KilledError

    disk.before_step = count
    archive = None
    try:
        archive = Archive.open(disk.root, clock=StoppedClock(), file_system=disk)
        archive.save([conversation(2)])
    except KilledError:
        return True
    finally:
        disk.before_step = lambda step: None
        if archive is not None:
            archive.vault.abandon()
    return False
