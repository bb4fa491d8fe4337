from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from tests.archive.records import StoppedClock, conversation, open_archive, tree
from weft.archive import Bucket, BucketError
from weft.errors import ConfigError


def fill(root: Path, clock: StoppedClock) -> None:
    with open_archive(root, clock=clock) as archive:
        archive.save([conversation(number, answer=f"{number} words " * 900) for number in range(40)])
        archive.save([conversation(1), conversation(2, created_at="2025-10-19T00:00:00Z")], "org-1")
        archive.compress_sealed_days()


def test_sealed_days_are_copied_read_back_and_make_an_archive(tmp_path: Path) -> None:
    clock = StoppedClock()
    fill(tmp_path / "archive", clock)
    (tmp_path / "bucket").mkdir()
    bucket = Bucket(LocalStore(tmp_path / "bucket"), "/backup/one/")
    with open_archive(tmp_path / "archive", clock=clock) as archive:
        first = archive.copy_to_bucket(bucket)
        again = archive.copy_to_bucket(bucket)
        assert (first.days, first.files, first.damaged) == (8, 41, [])
        assert (again.days, again.unchanged_days, again.files) == (0, 8, 0)
        copies = tree(tmp_path / "bucket/backup/one", "logs/conversations")
        assert copies == {
            path: data
            for path, data in tree(tmp_path / "archive", "logs/conversations").items()
            if "10/19" not in path
        }
        with open_archive(tmp_path / "bucket/backup/one", read_only=True) as copy:
            assert copy.verify().findings == []
            assert copy.get("conv-7").fields == archive.get("conv-7").fields
            with open_archive(tmp_path / "restored") as restored:
                assert restored.import_archive(copy).written == 41


def test_a_changed_day_is_brought_up_to_date(tmp_path: Path) -> None:
    clock = StoppedClock()
    store = MemoryStore()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1), conversation(8), conversation(2)])
        archive.copy_to_bucket(Bucket(store))
        clock.advance(hours=1)
        archive.save([conversation(1, turns=2)])
        done = archive.copy_to_bucket(Bucket(store))
        assert (done.days, done.unchanged_days, done.files, done.removed) == (1, 1, 1, 1)
        names = {row["path"] for row in obstore.list(store).collect() if "conversation_" in row["path"]}
        assert names == {path for path in tree(tmp_path) if "/conversation_" in path}


def test_a_damaged_file_does_not_make_a_complete_day(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_archive(tmp_path) as archive:
        path = archive.save([conversation(1), conversation(8)]).paths["conv-1"]
        (tmp_path / path).write_bytes(b"x")
        assert archive.copy_to_bucket(Bucket(store)).damaged == [path]
        assert Bucket(store).find("logs/conversations/2025/10/02/manifest.json") is None


def test_an_object_that_does_not_come_back_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bucket, "find", lambda self, path: b"something else")
    with pytest.raises(BucketError, match="does not give back what was put into it"):
        Bucket(MemoryStore()).put("a", b"b")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        Bucket.open("what://ever")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running.start()
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
        running.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_endpoint_of_s3_keeps_an_archive(tmp_path: Path, s3: str) -> None:
    options = {
        "endpoint": s3,
        "access_key_id": "test",
        "secret_access_key": "test",
        "region": "us-east-1",
        "allow_http": "true",
    }
    make_bucket(s3)
    bucket = Bucket.open("s3://keep/prefix", options)
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1), conversation(8)], "Org/1")
        done = archive.copy_to_bucket(bucket)
        assert (done.days, done.files) == (1, 2)
        assert archive.copy_to_bucket(bucket).unchanged_days == 1
        manifest = bucket.find("logs/conversations/%4frg%2f1/2025/10/02/manifest.json")
        assert manifest is not None
        assert json.loads(manifest)["totals"]["files"] == 2
    wrong = Bucket.open("s3://absent", options)
    with pytest.raises(
        BucketError, match=r"^a: the bucket does not take it: there is no such bucket; make it"
    ):
        wrong.put("a", b"b")


def make_bucket(endpoint: str) -> None:
    import urllib.request

    request = urllib.request.Request(f"{endpoint}/keep", method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
