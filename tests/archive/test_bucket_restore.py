"""An archive restored straight from its copy, in memory and from a real endpoint of S3."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, sha, with_files
from tests.archive.records import StoppedClock, conversation, open_archive, run, tree
from tests.archive.test_bucket import make_bucket
from weft.archive import Archive, AsyncArchive, Bucket, Query
from weft.errors import ArchiveError

KINDS = ("logs/conversations", "logs/runs", "logs/files")


def fill(archive: Archive) -> None:
    """Two organisations, runs, packed days with a dictionary, attached files."""
    archive.save([conversation(number, answer=f"{number} words " * 900) for number in range(40)])
    archive.save([conversation(1)], "Org/1")
    archive.save_runs([run(1), run(2)])
    source = FileSource(with_files(50, file("f1"), file("f2")))
    source.files = {"f1": PICTURE, "f2": LETTER}
    source.organization_id = "Org/1"
    archive.file_rules = Web().rules()
    archive.pull(source)
    archive.compress_sealed_days()


def content(root: Path) -> dict[str, bytes]:
    """What was said, whether packed or not, and the attached files."""
    with open_archive(root, read_only=True) as archive:
        said: dict[str, bytes] = {}
        for kind in ("conversations", "runs"):
            for day, entry in archive.iter_entries(kind=kind):
                said[f"{day.path}/{entry.plain_file}"] = archive.vault.read(day, entry)
    return said | tree(root, "logs/files")


def test_every_byte_comes_back_from_a_bucket(tmp_path: Path) -> None:
    bucket = Bucket(MemoryStore(), "weft")
    with open_archive(tmp_path / "one") as archive:
        fill(archive)
        copied = archive.copy_to_bucket(bucket, 0)
        assert (copied.damaged, copied.removed) == ([], 0)
        assert archive.copy_to_bucket(bucket, 0).files == 0
    with open_archive(tmp_path / "two") as archive:
        done = archive.restore_from_bucket(bucket)
        assert (done.written, done.unchanged, done.failed) == (44, 0, [])
        assert archive.restore_from_bucket(bucket).written == 0
        assert archive.verify().findings == []
    assert content(tmp_path / "two") == content(tmp_path / "one")
    with open_archive(tmp_path / "three") as archive:
        assert archive.restore_from_bucket(bucket, Query(organization_id="Org/1")).written == 2
        assert sorted(tree(tmp_path / "three", "logs/files").values()) == sorted([PICTURE, LETTER])


@pytest.mark.anyio
async def test_the_asynchronous_archive_restores_too(tmp_path: Path) -> None:
    bucket = Bucket(MemoryStore())
    with open_archive(tmp_path / "one") as archive:
        archive.save([conversation(1)])
        archive.copy_to_bucket(bucket, 0)
    async with await AsyncArchive.open(tmp_path / "two") as other:
        assert (await other.restore_from_bucket(bucket)).written == 1


def paths(store: MemoryStore, part: str) -> list[str]:
    return sorted(row["path"] for row in obstore.list(store).collect() if part in row["path"])


def test_what_is_damaged_in_the_bucket_is_named_and_the_rest_is_restored(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_archive(tmp_path / "one") as archive:
        archive.save([conversation(number) for number in range(5)])
        source = FileSource(with_files(6, file("f1")))
        source.files = {"f1": PICTURE}
        archive.file_rules = Web().rules()
        archive.pull(source)
        archive.copy_to_bucket(Bucket(store), 0)
    first, second, third = paths(store, "/conversation_")[:3]
    manifest = third.rpartition("/")[0] + "/manifest.json"
    obstore.put(store, first, bytes(obstore.get(store, first).bytes()).replace(b"Hello", b"Hallo"))
    obstore.delete(store, second)
    obstore.put(store, manifest, bytes(obstore.get(store, manifest).bytes()).replace(b"app-a", b"app-b", 1))
    (picture,) = paths(store, "logs/files/")
    obstore.put(store, picture, b"x" + PICTURE[1:])
    with open_archive(tmp_path / "two") as archive:
        done = archive.restore_from_bucket(Bucket(store))
        assert done.written == 3
        assert sorted(failure.id for failure in done.failed) == sorted([first, second, manifest, "conv-6"])
        assert archive.verify().findings == []  # a file that did not come along is noted as absent


def test_a_day_that_was_not_copied_to_its_end_is_named(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_archive(tmp_path / "one") as archive:
        archive.save([conversation(1)])
        archive.copy_to_bucket(Bucket(store), 0)
    obstore.delete(store, "logs/conversations/2025/10/02/manifest.json")
    with open_archive(tmp_path / "two") as archive:
        (failure,) = archive.restore_from_bucket(Bucket(store)).failed
        assert failure.reason == "it is absent: the day was never copied to its end"


def test_a_bucket_without_an_archive_is_refused(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive, pytest.raises(ArchiveError, match="no archive in the bucket"):
        archive.restore_from_bucket(Bucket(MemoryStore()))


def test_what_was_deleted_here_is_deleted_there_and_what_was_lost_here_is_not(tmp_path: Path) -> None:
    store, clock = MemoryStore(), StoppedClock()
    bucket = Bucket(store)
    with open_archive(tmp_path / "one", clock=clock) as archive:
        source = FileSource(with_files(1, file("f1")), with_files(6, file("f2"), file("f3")))
        source.files = {"f1": PICTURE, "f2": PICTURE, "f3": LETTER}
        archive.file_rules = Web().rules()
        archive.pull(source)
        archive.copy_to_bucket(bucket, 0)
        archive.compress_sealed_days()
        archive.clean_old_logs(15)
        done = archive.copy_to_bucket(bucket, 0)
        assert (done.removed_days, len(paths(store, "/conversation_"))) == (1, 1)
        assert len(paths(store, "logs/files/")) == 2
        archive.clean_old_logs(1)
        assert archive.copy_to_bucket(bucket, 0).removed_days == 1
        assert [*paths(store, "/conversations/"), *paths(store, "logs/files/")] == []
    with open_archive(tmp_path / "two", clock=clock) as archive:
        archive.save([conversation(1)])
        archive.copy_to_bucket(bucket, 0)
    with open_archive(tmp_path / "lost", clock=clock) as archive:
        assert archive.copy_to_bucket(bucket, 0).removed_days == 0
        assert archive.restore_from_bucket(bucket).written == 1


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running.start()
        host, port = running.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield f"http://{host}:{port}"
        running.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_endpoint_of_s3_gives_an_archive_back(tmp_path: Path, s3: str) -> None:
    make_bucket(s3)
    bucket = Bucket.open("s3://keep/some/prefix")
    with open_archive(tmp_path / "one") as archive:
        fill(archive)
        archive.copy_to_bucket(bucket, 0)
    with open_archive(tmp_path / "two") as archive:
        done = archive.restore_from_bucket(Bucket.open("s3://keep/some/prefix"))
        assert (done.written, done.failed) == (44, [])
        assert archive.verify().findings == []
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert sha(PICTURE) in "".join(tree(tmp_path / "two", "logs/files"))
