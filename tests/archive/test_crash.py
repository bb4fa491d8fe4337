"""A process that is killed at any step loses nothing, tears nothing and doubles nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copytree

import pytest

from tests.archive.records import (
    FailingDisk,
    KilledError,
    StoppedClock,
    conversation,
    conversation_files,
    killed,
    open_archive,
    run,
    tree,
)
from weft.archive import Archive, RetentionRule

ROOT = Path(__file__).parents[2]
Deed = Callable[[Archive], None]


def prepare(root: Path) -> None:
    clock = StoppedClock()
    with open_archive(root, clock=clock) as archive:
        archive.save([conversation(number, answer="a" * 2000) for number in (0, 1, 7, 8, 15)])
        archive.save_runs([run(number) for number in (0, 1)])


def save_new(archive: Archive) -> None:
    archive.save([conversation(100), conversation(101)], "org-1")


def save_changed(archive: Archive) -> None:
    archive.save([conversation(1, turns=2), conversation(8, turns=3), conversation(50)])


def change_run(archive: Archive) -> None:
    archive.save_runs([run(1, status="failed"), run(60)])


def delete_some(archive: Archive) -> None:
    archive.apply_retention([RetentionRule(name="old", keep_days=18.2)], max_share=1)


def pack(archive: Archive) -> None:
    archive.compress_sealed_days()


def states(root: Path) -> dict[str, tuple[int, str]]:
    """Every conversation and run with the number of its turns, or its status."""
    with open_archive(root, read_only=True) as archive:
        found = {item.id: (len(item.messages), "") for item in archive.iter_conversations()}
        for _, entry in archive.iter_entries(kind="runs"):
            one = archive.find_run(entry.id)
            assert one is not None
            found[entry.id] = (0, str(one.fields["status"]))
        return found


@pytest.mark.parametrize("deed", [save_new, save_changed, change_run, delete_some, pack])
def test_a_kill_at_any_step_leaves_each_conversation_as_it_was_or_as_it_was_to_be(
    tmp_path: Path, deed: Deed
) -> None:
    prepare(tmp_path / "start")
    before = states(tmp_path / "start")
    copytree(tmp_path / "start", tmp_path / "whole")
    disk = FailingDisk()
    with open_archive(tmp_path / "whole", files=disk) as archive:
        first = disk.steps
        deed(archive)
        done = disk.steps
    after = states(tmp_path / "whole")
    assert done - first > 5

    for step in range(1, disk.steps + 1):
        root = tmp_path / f"step-{step}"
        copytree(tmp_path / "start", root)
        disk = FailingDisk(step, killed)
        with pytest.raises(KilledError):
            run_until_killed(root, disk, deed)

        seen = states(root)  # before anything was put in order, as a reader sees it
        assert_between(before, seen, after)
        with open_archive(root) as archive:
            report = archive.verify()
            assert report.findings == [], (step, disk.log)
        assert_between(before, states(root), after)
        assert one_file_each(root)
        with open_archive(root) as archive:
            deed(archive)
            assert archive.verify().findings == []
        assert states(root) == after


def run_until_killed(root: Path, disk: FailingDisk, deed: Deed) -> None:
    archive = open_archive(root, files=disk)
    try:
        deed(archive)
        archive.close()
    finally:
        archive.vault.abandon()


def assert_between(
    before: Mapping[str, object], seen: Mapping[str, object], after: Mapping[str, object]
) -> None:
    for id in {*before, *after, *seen}:
        assert seen.get(id) in (before.get(id), after.get(id)), id


def one_file_each(root: Path) -> bool:
    ids = [path.rpartition("/conversation_")[2].partition("_")[0] for path in conversation_files(root)]
    return len(ids) == len(set(ids))


def test_an_interrupted_call_leaves_the_open_archive_usable(tmp_path: Path) -> None:
    prepare(tmp_path)
    with open_archive(tmp_path) as archive:
        archive.save([conversation(2)])
    clean = FailingDisk()
    with open_archive(tmp_path, files=clean) as archive:
        first = clean.steps + 1
        # More turns than there will be steps: what is saved below has to be something new each time.
        archive.save([conversation(1, turns=90), conversation(2, turns=90)])
        last = clean.steps
    assert last - first > 8
    for step in range(first, last + 1):
        disk = FailingDisk(step, killed)
        with open_archive(tmp_path, files=disk) as archive:
            with pytest.raises(KilledError):
                archive.save([conversation(1, turns=step + 10), conversation(2, turns=step + 10)])
            archive.save([conversation(1, turns=step + 50)])
            assert len(archive.get("conv-1").messages) == step + 50
            assert archive.verify().findings == []


def test_what_was_acknowledged_before_a_real_kill_is_there(tmp_path: Path) -> None:
    code = "from tests.archive.victim import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told: dict[str, int] = {}
    for line in process.stdout:
        told.update(json.loads(line))
        if len(told) >= 40:
            os.kill(process.pid, signal.SIGKILL)
            break
    for line in process.stdout:
        if line.endswith("\n"):
            told.update(json.loads(line))
    process.stdout.close()
    assert process.wait(10) == -signal.SIGKILL

    with open_archive(tmp_path) as archive:
        found = {item.id: len(item.messages) for item in archive.iter_conversations()}
        assert archive.verify().findings == []
    assert {id: turns for id, turns in told.items() if found.get(id, 0) < turns} == {}
    assert one_file_each(tmp_path)
    assert [path for path in tree(tmp_path) if "/.tmp-" in path] == []
