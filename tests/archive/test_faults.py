"""A disk that is full, or refuses: a clear error, and nothing that was acknowledged is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive.records import FailingDisk, StoppedClock, conversation, denied, full, open_archive, tree
from weft.archive import ArchiveFullError, ArchiveReadOnlyError, Hold, RetentionError, RetentionRule
from weft.errors import ArchiveError


@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        (full, ArchiveFullError, "No space left on device; make room"),
        (denied, ArchiveReadOnlyError, "Permission denied; give this user write access"),
    ],
)
def test_a_save_that_the_disk_refuses_at_any_step_loses_nothing(
    tmp_path: Path, fail: Callable[[], None], error: type[ArchiveError], message: str
) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1), conversation(2)])
    clean = FailingDisk()
    open_archive(tmp_path, files=clean).close()
    turns = 1
    for step in range(clean.steps + 1, clean.steps + 40):
        disk = FailingDisk(step, fail)
        archive = open_archive(tmp_path, files=disk)
        turns += 1
        caught: ArchiveError | None = None
        try:
            archive.save([conversation(1, turns=turns), conversation(8, turns=turns)])
        except error as refused:
            caught = refused
        assert caught is None or message in str(caught)
        assert len(archive.get("conv-1").messages) in ((turns - 1, turns) if caught else (turns,))
        assert archive.get("conv-2").name == "Chat 2"
        archive.save([conversation(1, turns=turns), conversation(8, turns=turns)])
        try:
            archive.close()
        except error:
            assert disk.steps >= step
        with open_archive(tmp_path) as again:
            assert len(again.get("conv-1").messages) == turns
            assert again.count().conversations == 3
            assert again.verify().findings == []
        if disk.steps < step:
            return
    pytest.fail("there was no end to the steps")


def test_a_tree_that_nobody_may_write_to_is_still_read(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)])
    before = tree(tmp_path)
    with pytest.raises(ArchiveReadOnlyError, match="read_only=True"):
        open_archive(tmp_path / "new", files=FailingDisk(1, denied))
    with open_archive(tmp_path, files=FailingDisk(1, denied), read_only=True) as archive:
        assert archive.get("conv-1").name == "Chat 1"
        assert archive.verify(rotate=True).findings == []
        assert archive.get_logs_summary().total_files == 1
    assert tree(tmp_path) == before


def test_a_deletion_that_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    disk = FailingDisk()
    with open_archive(tmp_path, files=disk) as archive:
        archive.save([conversation(1)])
        disk.at, disk._fail = disk.steps + 1, full
        with pytest.raises(ArchiveFullError, match="audit"):
            archive.clean_old_logs(1)
        assert archive.count().conversations == 1
        assert archive.clean_old_logs(1).deleted_files == 1
        assert [line.id for line in archive.iter_audit_lines()] == ["conv-1"]


def test_a_hold_that_cannot_be_written_is_not_in_force(tmp_path: Path) -> None:
    disk = FailingDisk()
    with open_archive(tmp_path, files=disk) as archive:
        disk.at, disk._fail = disk.steps + 1, full
        with pytest.raises(ArchiveFullError):
            archive.place_hold(Hold(id="h", reason="case 1"))
        assert archive.list_holds() == []


def test_a_clock_that_jumps_ahead_deletes_nothing(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
        clock.advance(days=4000)
        with pytest.raises(RetentionError, match="the clock says 2036-10-02"):
            archive.clean_old_logs(30)
        assert archive.count().conversations == 1
        assert archive.clean_old_logs(30, trust_clock=True).deleted_files == 1


def test_a_clock_that_jumps_back_deletes_nothing(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
        clock.advance(days=-4000)
        report = archive.apply_retention([RetentionRule(name="r", keep_days=0)], max_share=1)
        assert report.deleted == 0
