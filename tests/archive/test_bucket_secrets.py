"""What redaction masked goes into the bucket encrypted and comes back; its key goes nowhere."""

from __future__ import annotations

from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from tests.archive.test_reveal import KEY, TOKEN, answer, open_with_key, said
from weft.archive import Archive, Bucket
from weft.errors import NotFoundError

PLAIN = ("ann@example.com", "ben@example.com")
SECRETS = "logs/.weft/secrets/"


def objects(store: MemoryStore, part: str = "") -> dict[str, bytes]:
    return {
        row["path"]: bytes(obstore.get(store, row["path"]).bytes())
        for row in obstore.list(store).collect()
        if part in row["path"]
    }


def filled(root: Path, store: MemoryStore, *numbers: int) -> None:
    with open_with_key(root) as archive:
        archive.save([said(number) for number in numbers])
        archive.copy_to_bucket(Bucket(store), 0)


def revealed(archive: Archive, number: int = 1) -> tuple[str, int]:
    """What was said, and how many texts stay hidden."""
    found = archive.reveal(f"conv-{number}", reason="r")
    assert found.conversation is not None
    return str(found.conversation.messages[0]["answer"]), len(found.hidden)


WHOLE = ("Write to ann@example.com or ben@example.com, ann@example.com!", 0)


def test_secrets_go_along_encrypted_and_their_key_does_not(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_with_key(tmp_path) as archive:
        archive.save([said(1), said(2)])
        first = archive.copy_to_bucket(Bucket(store), 0)
        again = archive.copy_to_bucket(Bucket(store), 0)
    assert (first.secrets, first.secrets_left, first.damaged) == (2, "", [])
    assert (again.secrets, again.bytes) == (0, 0)
    assert len(objects(store, SECRETS)) == 3
    everything = b"".join(objects(store).values())
    assert not any(text.encode() in everything for text in (KEY, *PLAIN))


@pytest.mark.parametrize("key", [KEY, None])
def test_whoever_has_bucket_and_key_can_reveal(tmp_path: Path, key: str | None) -> None:
    store = MemoryStore()
    filled(tmp_path / "one", store, 1, 2)
    with open_with_key(tmp_path / "two", key) as archive:
        done = archive.restore_from_bucket(Bucket(store))
        assert (done.written, done.failed, done.masked) == (2, [], 0)
        assert archive.restore_from_bucket(Bucket(store)).failed == []
        if key is not None:
            assert revealed(archive) == WHOLE
            archive.save([said(8)])
    with open_with_key(tmp_path / "two") as archive:
        assert [revealed(archive, number) for number in (1, 2)] == [WHOLE, WHOLE]
        assert archive.verify().findings == []
        assert archive.copy_to_bucket(Bucket(store), 0).secrets_left == ""


def test_two_archives_of_one_key_can_be_brought_together(tmp_path: Path) -> None:
    store = MemoryStore()
    filled(tmp_path / "one", store, 1)
    with open_with_key(tmp_path / "two") as archive:
        archive.save([said(2)])
        left = archive.copy_to_bucket(Bucket(store), 0)
        assert (left.secrets, "restore from it first" in left.secrets_left) == (0, True)
        assert archive.restore_from_bucket(Bucket(store)).failed == []
        assert [revealed(archive, number) for number in (1, 2)] == [WHOLE, WHOLE]
        assert archive.verify().findings == []
    with open_with_key(tmp_path / "three") as archive:
        # What the other archive did to the bucket has not made its secrets unreadable.
        archive.restore_from_bucket(Bucket(store))
        assert revealed(archive) == WHOLE
    with open_with_key(tmp_path / "two", None) as archive:
        (failure,) = archive.restore_from_bucket(Bucket(store)).failed
        assert "set archive.redact_key and restore again" in failure.reason


def test_another_key_restores_all_but_the_secrets_and_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    filled(tmp_path / "one", store, 1)
    with open_with_key(tmp_path / "two", "x" * 40) as archive:
        done = archive.restore_from_bucket(Bucket(store))
        assert (done.written, [failure.id for failure in done.failed]) == (1, [f"{SECRETS}key.json"])
        assert "written with another key than archive.redact_key" in done.failed[0].reason
        text, hidden = revealed(archive)
        assert (TOKEN.sub("-", text), hidden) == ("Write to - or -, -!", 2)
        assert archive.verify().findings == []


def test_a_copy_without_secrets_says_at_once_and_later_that_nothing_can_be_revealed(tmp_path: Path) -> None:
    store = MemoryStore()
    filled(tmp_path / "one", store, 1, 2)
    for path in objects(store, SECRETS):
        obstore.delete(store, path)
    with open_with_key(tmp_path / "two") as archive:
        archive_done = archive.restore_from_bucket(Bucket(store))
        assert (archive_done.written, archive_done.failed, archive_done.masked) == (2, [], 2)
        token = TOKEN.findall(answer(archive))[0]
        with pytest.raises(NotFoundError, match="restored from a copy that has none"):
            archive.reveal(token, reason="r")
        assert revealed(archive)[1] == 2


def test_deleting_a_conversation_takes_its_secrets_from_the_bucket_and_losing_it_does_not(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    filled(tmp_path / "one", store, 1, 6)
    with open_with_key(tmp_path / "lost") as archive:
        archive.copy_to_bucket(Bucket(store), 0)
        assert len(objects(store, SECRETS)) == 3
    with open_with_key(tmp_path / "one") as archive:
        archive.clean_old_logs(15)
        archive.copy_to_bucket(Bucket(store), 0)
        assert len(objects(store, SECRETS)) == 2
        archive.clean_old_logs(1)
        archive.copy_to_bucket(Bucket(store), 0)
    assert list(objects(store, SECRETS)) == [f"{SECRETS}key.json"]
    assert list(objects(store, "/conversation_")) == []


def test_damaged_secrets_are_named_and_not_copied(tmp_path: Path) -> None:
    store = MemoryStore()
    with open_with_key(tmp_path) as archive:
        archive.save([said(1), said(2)])
        (path, _) = archive.vault.secrets.paths()
        path.write_bytes(path.read_bytes().replace(b"conv-", b"cnov-"))
        done = archive.copy_to_bucket(Bucket(store), 0)
        assert (done.secrets, done.damaged) == (1, [path.relative_to(tmp_path).as_posix()])
        archive.copy_to_bucket(Bucket(store), 0)
