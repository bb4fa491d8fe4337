"""Changes are durable with one append, and done again after a crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive.power import CUTS, Cut, PowerDisk
from tests.archive.records import (
    FailingDisk,
    KilledError,
    StoppedClock,
    conversation,
    denied,
    full,
    killed,
    open_archive,
    tree,
)
from weft.archive import (
    Archive,
    ArchiveFullError,
    ArchiveLockedError,
    ArchiveReadOnlyError,
    LocalFileSystem,
)
from weft.archive.manifest import describe_conversation
from weft.archive.redo import DayRecord, Redo
from weft.archive.saving import Saver
from weft.archive.unsynced import FEWEST_FOR_WHOLE, Unsynced
from weft.archive.whole_sync import sync_whole

RECORDS = "logs/.weft/redo.bin"


def record(number: int) -> list[DayRecord]:
    entry, data = describe_conversation(conversation(number), "2025-10-20T12:00:00Z", "v1")
    return [
        DayRecord("logs/conversations/2025/10/01", [(entry, data)], [entry], ["gone"], b"before"),
        DayRecord("logs/conversations/2025/10/02", removals=["other"]),
    ]


def left_by_a_kill(root: Path) -> None:
    """An archive whose writer was killed after it had acknowledged two changes."""
    archive = open_archive(root)
    archive.save([conversation(1), conversation(2)])
    archive.save([conversation(1, turns=2)])
    archive.vault.abandon()


def test_records_are_read_as_they_were_appended(tmp_path: Path) -> None:
    redo = Redo(LocalFileSystem(), tmp_path)
    assert redo.read() == []
    redo.append(record(1))
    redo.append(record(2))
    again = Redo(LocalFileSystem(), tmp_path)
    assert again.read() == [record(1), record(2)]
    assert again.size == redo.size == (tmp_path / "redo.bin").stat().st_size


@pytest.mark.parametrize("cut", [1, 40, 71, 72, 100, -1])
def test_a_record_that_was_cut_off_and_what_follows_it_are_passed_over(tmp_path: Path, cut: int) -> None:
    redo = Redo(LocalFileSystem(), tmp_path)
    redo.append(record(1))
    first = redo.size
    redo.append(record(2))
    data = (tmp_path / "redo.bin").read_bytes()
    (tmp_path / "redo.bin").write_bytes(data[: first + cut] if cut > 0 else data[:cut])
    assert redo.read() == [record(1)]
    redo.clear()
    assert not (tmp_path / "redo.bin").exists()
    redo.append(record(3))
    assert redo.read() == [record(3)]


def test_a_changed_byte_ends_the_records(tmp_path: Path) -> None:
    redo = Redo(LocalFileSystem(), tmp_path)
    redo.append(record(1))
    redo.append(record(2))
    data = bytearray((tmp_path / "redo.bin").read_bytes())
    data[100] ^= 1
    (tmp_path / "redo.bin").write_bytes(data)
    assert redo.read() == []


def test_many_days_are_durable_with_one_sync(tmp_path: Path) -> None:
    disk = FailingDisk()
    many = [
        conversation(number, created_at=f"2025-{month:02}-{number:02}T10:00:00Z")
        for month in (5, 6)
        for number in range(1, 26)
    ]
    with open_archive(tmp_path, files=disk) as archive:
        archive.save(many[:1])
        before = len(disk.log)
        archive.save(many)
        assert [step for step in disk.log[before:] if "sync" in step or "append" in step] == [
            "append redo.bin"
        ]


def test_records_go_when_the_archive_is_closed(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)])
        assert (tmp_path / RECORDS).exists()
    assert not (tmp_path / RECORDS).exists()


def test_records_go_when_there_are_many(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        for number in range(3):
            archive.save([conversation(number, answer="a" * 12 * 1024 * 1024)])
        assert not (tmp_path / RECORDS).exists()
        archive.save([conversation(9)])
        assert (tmp_path / RECORDS).stat().st_size < 10_000


def test_what_was_deleted_is_in_no_record(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, answer="the secret of Mrs Miller")])
        assert archive.clean_old_logs(1).deleted_files == 1
        assert [path for path, data in tree(tmp_path).items() if b"Mrs Miller" in data] == []


def test_a_reader_puts_in_order_what_a_killed_writer_left(tmp_path: Path) -> None:
    left_by_a_kill(tmp_path)
    assert (tmp_path / RECORDS).exists()
    with open_archive(tmp_path, read_only=True) as archive:
        assert len(archive.get("conv-1").messages) == 2
        assert archive.verify().findings == []
    assert not (tmp_path / RECORDS).exists()


def test_a_reader_leaves_the_records_of_a_living_writer_alone(tmp_path: Path) -> None:
    with open_archive(tmp_path) as writer:
        writer.save([conversation(1)])
        records = (tmp_path / RECORDS).read_bytes()
        with open_archive(tmp_path, read_only=True) as reader:
            assert reader.get("conv-1").name == "Chat 1"
        assert (tmp_path / RECORDS).read_bytes() == records
        with pytest.raises(ArchiveLockedError):
            open_archive(tmp_path)


def test_a_reader_that_may_not_write_reads_what_is_there(tmp_path: Path) -> None:
    class Disk(FailingDisk):
        def _step(self, name: str, path: Path, half: Callable[[], None] | None = None) -> None:
            denied()

    left_by_a_kill(tmp_path)
    before = tree(tmp_path)
    with open_archive(tmp_path, read_only=True, files=Disk()) as archive:
        assert len(archive.get("conv-1").messages) == 2
    assert tree(tmp_path) == before


def test_records_are_done_again_on_top_of_the_manifest_that_they_began_with(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(number) for number in (1, 8, 15)])
    archive = open_archive(tmp_path)
    archive.save([conversation(1, turns=3), conversation(22)])
    archive.vault.abandon()
    folder = tmp_path / "logs/conversations/2025/10/02"
    (folder / "manifest.json").write_bytes(b"\0" * 100)
    for path in folder.glob("conversation_conv-22_*"):
        path.write_bytes(b"{")

    with open_archive(tmp_path) as again:
        found = {item.id: len(item.messages) for item in again.iter_conversations()}
        assert found == {"conv-1": 3, "conv-8": 1, "conv-15": 1, "conv-22": 1}
        assert again.verify().findings == []


def test_versions_of_the_source_survive_a_crash(tmp_path: Path) -> None:
    archive = open_archive(tmp_path)
    saver = Saver(archive.vault)
    saver.add(conversation(1), "v7")
    saver.flush()
    archive.vault.abandon()
    (tmp_path / "logs/conversations/2025/10/02/manifest.json").unlink()
    with open_archive(tmp_path) as again:
        assert [entry.source_version for _, entry in again.iter_entries()] == ["v7"]


@pytest.mark.parametrize(
    ("fail", "error"), [(full, ArchiveFullError), (denied, ArchiveReadOnlyError), (killed, KilledError)]
)
def test_a_change_whose_record_cannot_be_written_is_not_made(
    tmp_path: Path, fail: Callable[[], None], error: type[BaseException]
) -> None:
    class Disk(FailingDisk):
        is_broken = False

        def append(self, path: Path, data: bytes) -> None:
            if self.is_broken and path.name == "redo.bin":
                super().append(path, data[: len(data) // 2])
                fail()
            super().append(path, data)

    disk = Disk()
    with open_archive(tmp_path, files=disk) as archive:
        archive.save([conversation(1)])
        disk.is_broken = True
        with pytest.raises(error):
            archive.save([conversation(1, turns=5), conversation(2)])
        assert {item.id: len(item.messages) for item in archive.iter_conversations()} == {"conv-1": 1}
        disk.is_broken = False
        archive.save([conversation(1, turns=2)])
    with open_archive(tmp_path) as again:
        assert {item.id: len(item.messages) for item in again.iter_conversations()} == {"conv-1": 2}
        assert again.verify().findings == []


def test_few_files_are_synced_one_by_one_and_many_at_once(tmp_path: Path) -> None:
    class Disk(FailingDisk):
        def sync_whole(self, path: Path) -> bool:
            self._step("sync all below", path)
            return True

    disk = Disk()
    unsynced = Unsynced(disk, tmp_path)
    unsynced.contents = {tmp_path / "a", tmp_path / "b"}
    unsynced.note_new_folder(tmp_path / "x/y")
    unsynced.sync()
    assert disk.log == ["sync a", "sync b", f"sync {tmp_path.name}", "sync x", "sync y"]
    assert (unsynced.contents, unsynced.folders) == (set(), set())

    disk.log.clear()
    unsynced.contents = {tmp_path / str(number) for number in range(FEWEST_FOR_WHOLE)}
    unsynced.sync()
    assert disk.log == [f"sync all below {tmp_path.name}"]


def test_a_sync_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    def refuse() -> None:
        raise OSError(5, "Input/output error")

    disk = FailingDisk(2, refuse)
    unsynced = Unsynced(disk, tmp_path)
    unsynced.contents = {tmp_path / "a", tmp_path / "b"}
    with pytest.raises(OSError, match="Input/output"):
        unsynced.sync()
    assert unsynced.contents == {tmp_path / "a", tmp_path / "b"}
    unsynced.sync()
    assert unsynced.contents == set()


def test_a_file_system_of_another_machine_is_synced_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.archive.whole_sync._type_of", lambda device: "nfs4")
    assert sync_whole(tmp_path) is False


def test_the_whole_file_system_is_synced_where_the_system_can(tmp_path: Path) -> None:
    done = sync_whole(tmp_path)
    if not done:
        pytest.skip(f"syncfs is not to be had for {tmp_path} on {os.uname().sysname}")
    assert sync_whole(tmp_path)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_nothing_of_a_large_change_is_lost_between_its_record_and_its_files(tmp_path: Path, cut: Cut) -> None:
    disk = PowerDisk(tmp_path / "archive")
    disk.make_folder(disk.root)
    archive = Archive.open(disk.root, clock=StoppedClock(), file_system=disk)
    archive.save([conversation(number) for number in range(20)])
    left = disk.after(cut)
    archive.vault.abandon()
    with Archive.open(left.root, clock=StoppedClock(), file_system=left) as again:
        assert again.count().conversations == 20
        assert again.verify().findings == []
