from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.archive.records import (
    FailingDisk,
    StoppedClock,
    conversation,
    killed_at_each_step,
    run,
    tree,
)
from weft.archive import (
    Archive,
    ArchiveReadOnlyError,
    AsyncArchive,
    Conversation,
    DamagedFileError,
    Redactor,
    RunRecord,
    WrongKeyError,
)
from weft.errors import ConfigError, InvalidRequestError, NotFoundError

KEY = "correct horse battery staple, and more of it"
TOKEN = re.compile(r"\[EMAIL:[a-p]{20}\]")


def open_with_key(
    root: Path,
    key: str | None = KEY,
    *,
    stable: bool = False,
    read_only: bool = False,
    files: FailingDisk | None = None,
) -> Archive:
    return Archive.open(
        root,
        clock=StoppedClock(),
        redactor=Redactor(),
        secret_key=key,
        stable_tokens=stable,
        read_only=read_only,
        file_system=files or FailingDisk(),
    )


def said(
    number: int, answer: str = "Write to ann@example.com or ben@example.com, ann@example.com!"
) -> Conversation:
    return conversation(number, answer=answer)


def answer(archive: Archive, number: int = 1) -> str:
    return str(archive.get(f"conv-{number}").messages[0]["answer"])


def secrets(root: Path) -> list[str]:
    return [name for name in tree(root, "logs/.weft") if "/secrets/" in name and "key.json" not in name]


def test_a_text_becomes_a_token_and_is_revealed_with_the_key(tmp_path: Path) -> None:
    with open_with_key(tmp_path) as archive:
        archive.save([said(1)])
        first, second, third = TOKEN.findall(answer(archive))
        assert (first == third, first == second) == (True, False)
        assert answer(archive) == f"Write to {first} or {second}, {first}!"
        assert archive.reveal(first, reason="case 1").texts == {first: "ann@example.com"}
        whole = archive.reveal("conv-1", reason="case 2")
        assert whole.conversation is not None
        assert whole.conversation.messages[0]["answer"] == said(1).messages[0]["answer"]
        assert whole.hidden == ()
        lines = [(line.action, line.id, line.reason) for line in archive.iter_audit_lines()]
        assert lines == [
            ("reveal", first, "case 1 (of conv-1)"),
            ("reveal", "conv-1", "case 2"),
        ]
        archive.save_runs([RunRecord.parse({**run(1).fields, "outputs": {"to": "ann@example.com"}})])
        stored = archive.find_run("run-1")
        assert stored is not None
        assert stored.fields["outputs"] == {"to": first}
        assert archive.verify().findings == []
    everything = b"".join(tree(tmp_path).values())
    assert b"ann@example.com" not in everything
    assert KEY.encode() not in everything


def test_the_same_conversation_again_writes_nothing(tmp_path: Path) -> None:
    with open_with_key(tmp_path) as archive:
        archive.save([said(1)])
        before = tree(tmp_path)
        assert archive.save([said(1)]).unchanged == 1
    after = tree(tmp_path)
    passing = ("journal", "catalogue", "redo")
    assert {name: after.get(name) for name in before if not any(one in name for one in passing)} == {
        name: data for name, data in before.items() if not any(one in name for one in passing)
    }


def test_tokens_tell_conversations_apart_unless_joins_are_wanted(tmp_path: Path) -> None:
    for stable in (False, True):
        with open_with_key(tmp_path / str(stable), stable=stable) as archive:
            archive.save([said(1), said(2)], "org-1")
            one, two = (
                TOKEN.findall(str(archive.get(f"conv-{number}", "org-1").messages[0]["answer"]))
                for number in (1, 2)
            )
            assert (one == two) is stable
            assert set(archive.reveal(two[0], "org-1", reason="r").texts.values()) == {"ann@example.com"}


def test_without_the_key_it_is_plain_redaction_and_nothing_is_revealed(tmp_path: Path) -> None:
    with open_with_key(tmp_path, None) as archive:
        archive.save([said(1)])
        assert answer(archive) == "Write to [EMAIL] or [EMAIL], [EMAIL]!"
        assert secrets(tmp_path) == []
        with pytest.raises(ConfigError, match="without the key"):
            archive.reveal("conv-1", reason="r")
    with open_with_key(tmp_path) as archive:
        archive.save([said(2)])
        token = TOKEN.findall(answer(archive, 2))[0]
        assert archive.reveal("conv-1", reason="r").texts == {}
    with open_with_key(tmp_path, None) as archive:
        archive.save([said(3)])
        assert token in answer(archive, 2)
        assert archive.verify().findings == []


def test_another_key_a_short_key_and_no_reason_are_clear_errors(tmp_path: Path) -> None:
    with open_with_key(tmp_path) as archive:
        archive.save([said(1)])
        with pytest.raises(InvalidRequestError, match="say why"):
            archive.reveal("conv-1", reason="")
        with pytest.raises(NotFoundError, match="no conversation 'conv-9'"):
            archive.reveal("conv-9", reason="r")
        with pytest.raises(NotFoundError, match="nothing is kept"):
            archive.reveal("[EMAIL:aaaaaaaaaaaaaaaaaaaa]", reason="r")
        assert list(archive.iter_audit_lines()) == []
    with pytest.raises(WrongKeyError, match="not the one that this archive's secrets were written with"):
        open_with_key(tmp_path, "x" * 40)
    with pytest.raises(ConfigError, match="32 characters"):
        open_with_key(tmp_path, "short")
    with open_with_key(tmp_path, read_only=True) as archive, pytest.raises(ArchiveReadOnlyError):
        archive.reveal("conv-1", reason="r")


def test_deleting_a_conversation_deletes_its_secrets(tmp_path: Path) -> None:
    with open_with_key(tmp_path) as archive:
        archive.save([said(1), said(6)])
        archive.save_runs([RunRecord.parse({**run(1).fields, "outputs": {"to": "ann@example.com"}})])
        token = TOKEN.findall(answer(archive))[0]
        assert len(secrets(tmp_path)) == 3
        archive.clean_old_logs(15)
        assert len(secrets(tmp_path)) == 1
        with pytest.raises(NotFoundError, match="nothing is kept"):
            archive.reveal(token, reason="r")
        archive.clean_old_logs(0)
        assert secrets(tmp_path) == []
        assert archive.verify().findings == []


def test_secrets_that_were_changed_swapped_or_left_over_are_named(tmp_path: Path) -> None:
    with open_with_key(tmp_path) as archive:
        archive.save([said(1), said(2)])
        token = TOKEN.findall(answer(archive))[0]
    one, two = secrets(tmp_path)
    first, second = (tmp_path / name for name in (one, two))
    kept = first.read_bytes(), second.read_bytes()
    first.write_bytes(kept[1])
    second.write_bytes(kept[0])
    with open_with_key(tmp_path) as archive:
        assert {(found.code, found.path) for found in archive.verify().findings} == {
            ("damaged-secrets", one),
            ("damaged-secrets", two),
        }
    first.write_bytes(kept[0].replace(b'"secrets":{', b'"secrets":{ ', 1))
    second.write_bytes(kept[1])
    with open_with_key(tmp_path) as archive:
        assert [found.path for found in archive.verify().findings] == [one]
        with pytest.raises(DamagedFileError):
            archive.reveal(token, reason="r")
    first.write_bytes(kept[0])
    (tmp_path / "logs/.weft/secrets/key.json").unlink()
    with pytest.raises(DamagedFileError, match=r"key\.json"):
        open_with_key(tmp_path)
    with open_with_key(tmp_path, None) as archive:
        assert [(found.code, found.path) for found in archive.verify().findings] == [
            ("missing-file", "logs/.weft/secrets/key.json")
        ]


def test_a_kill_at_any_step_leaves_no_secret_without_its_conversation(tmp_path: Path) -> None:
    with open_with_key(tmp_path / "start") as archive:
        archive.save([said(1)])

    def do(archive: Archive) -> None:
        archive.save([said(2), said(1, "now cid@example.com")])
        archive.clean_old_logs(17.5)

    opened = killed_at_each_step(
        tmp_path / "start", lambda root, disk: open_with_key(root, files=disk), do, least=20
    )
    for root, disk in opened:
        with open_with_key(root) as archive:
            assert archive.verify().findings == [], disk.log[-3:]
            for found in list(archive.iter_conversations()):
                whole = archive.reveal(found.id, reason="r")
                # Of a conversation that is being deleted the secrets go first.
                assert whole.hidden == () or found.id == "conv-1"


@pytest.mark.anyio
async def test_the_asynchronous_archive_reveals_too(tmp_path: Path) -> None:
    opened = await AsyncArchive.open(tmp_path, redactor=Redactor(), secret_key=KEY, stable_tokens=True)
    async with opened as archive:
        await archive.save([said(1)])
        found = await archive.reveal("conv-1", reason="r")
        assert sorted(found.texts.values()) == ["ann@example.com", "ben@example.com"]
