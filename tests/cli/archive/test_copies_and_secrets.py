from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.archive.attached import PICTURE, FileSource, Web, file, sha, with_files
from tests.archive.records import record
from tests.cli.archive.conftest import Command
from weft.archive import Archive

KEY = "correct horse battery staple, and more of it"


def test_an_archive_is_copied_lost_and_restored(weft_archive: Command, exports: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/bucket"
    weft_archive("pull", "--folder", exports, "--organization-id", "Org/1")
    code, out, err = weft_archive("copy", "--to", url, "--pack-after-days", "7")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("3 files packed, ")
    assert out.splitlines()[1].startswith("3 days copied, 0 unchanged; 3 files, ")
    assert json.loads(weft_archive("copy", "--to", url, "--json")[1])["copied"]["unchanged_days"] == 3
    new = tmp_path / "new"
    assert weft_archive("restore", "--from", url, "--archive", new)[:2] == (
        0,
        "3 written, 0 unchanged, 0 failed\n",
    )
    assert weft_archive("verify", "--archive", new)[0] == 0
    code, _, err = weft_archive("restore", "--from", url, "--into-store")
    assert (code, "goes with no other place" in err) == (2, True)
    assert weft_archive("restore", "--from", f"file://{tmp_path}/empty", "--archive", new)[0] == 1
    assert weft_archive("copy")[0] == 2


def test_what_was_masked_is_revealed_with_the_key_and_noted(
    weft_archive: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "one.json"
    said.write_text(json.dumps(record(1, answer="ask ann@example.com")))
    monkeypatch.setenv("WEFT_ARCHIVE_REDACT", "true")
    assert weft_archive("reveal", "conv-1", "--reason", "r")[0] == 2
    monkeypatch.setenv("WEFT_ARCHIVE_REDACT_KEY", KEY)
    weft_archive("pull", "--folder", said)
    shown = json.loads(weft_archive("show", "conv-1", "--json")[1])["messages"][0]["answer"]
    assert shown.startswith("ask [EMAIL:")
    token = shown.removeprefix("ask ")
    assert weft_archive("reveal", token, "--reason", "case 7") == (0, "ann@example.com\n", "")
    assert "ask ann@example.com" in weft_archive("reveal", "conv-1", "--reason", "case 8")[1]
    found = json.loads(weft_archive("reveal", "conv-1", "--reason", "case 9", "--json")[1])
    assert found["texts"] == {token: "ann@example.com"}
    with Archive.open(tmp_path / "data" / "archive", read_only=True) as archive:
        assert [line.reason for line in archive.iter_audit_lines()] == [
            "case 7 (of conv-1)",
            "case 8",
            "case 9",
        ]
    monkeypatch.setenv("WEFT_ARCHIVE_REDACT_KEY", "x" * 32)
    code, _, err = weft_archive("reveal", token, "--reason", "r")
    assert (code, "not the one that this archive's secrets were written with" in err) == (1, True)


def test_a_shown_conversation_says_where_its_files_are(weft_archive: Command, tmp_path: Path) -> None:
    source = FileSource(with_files(1, file("f1", "a.png"), file("f2", "b.png")))
    source.files = {"f1": PICTURE}
    with Archive.open(tmp_path / "data" / "archive", file_rules=Web().rules()) as archive:
        archive.pull(source)
    lines = weft_archive("show", "conv-1")[1].splitlines()
    digest = sha(PICTURE)
    assert f"  a.png, 5.0 KiB: logs/files/{digest[:2]}/{digest[2:4]}/{digest}" in lines
    assert "  b.png: not kept (gone)" in lines


def test_masked_texts_come_back_from_a_bucket_with_their_key_or_are_named(
    weft_archive: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, url, new = tmp_path / "one.json", f"file://{tmp_path}/bucket", tmp_path / "new"
    said.write_text(json.dumps(record(1, answer="ask ann@example.com")))
    monkeypatch.setenv("WEFT_ARCHIVE_REDACT", "true")
    monkeypatch.setenv("WEFT_ARCHIVE_REDACT_KEY", KEY)
    weft_archive("pull", "--folder", said)
    assert weft_archive("copy", "--to", url)[0] == 0
    assert weft_archive("restore", "--from", url, "--archive", new)[0] == 0
    assert "ask ann@" in weft_archive("reveal", "conv-1", "--archive", new, "--reason", "r")[1]

    monkeypatch.setenv("WEFT_ARCHIVE_REDACT_KEY", "x" * 32)
    code, out, _ = weft_archive("restore", "--from", url, "--archive", tmp_path / "other")
    assert (code, "written with another key" in out) == (1, True)
    code, out, _ = weft_archive("reveal", "conv-1", "--archive", tmp_path / "other", "--reason", "r")
    assert (code, "ann@" in out, "1 texts are not kept here" in out) == (0, False, True)

    for path in sorted((tmp_path / "bucket").rglob("secrets/**/*.json")):
        path.unlink()
    code, out, _ = weft_archive("restore", "--from", url, "--archive", tmp_path / "third")
    assert (code, "1 have masked texts that cannot be revealed" in out) == (0, True)


def test_a_copy_of_an_archive_of_today_says_why_it_is_empty(weft_archive: Command, tmp_path: Path) -> None:
    said = tmp_path / "now.json"
    said.write_text(json.dumps(record(1, created_at=datetime.now(UTC).isoformat())))
    weft_archive("pull", "--folder", said)
    code, out, _ = weft_archive("copy", "--to", f"file://{tmp_path}/bucket")
    assert (code, "a day is copied when it is over" in out) == (0, True)


def test_the_key_of_an_app_needs_its_id(weft_archive: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_API_KEY", "app-0123456789abcdef")
    code, _, err = weft_archive("pull", "--url", "http://127.0.0.1:9/v1")
    assert (code, "give --app-id; it stands in the address of the app's page" in err) == (2, True)
