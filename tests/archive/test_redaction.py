from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.archive.records import StoppedClock, conversation, open_archive, record, run, tree
from weft.archive import STANDARD_RULES, Conversation, RedactionRule, Redactor, RunRecord
from weft.archive.folder_source import FolderSource
from weft.errors import ConfigError

REDACTOR = Redactor()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to Ann.Lee+x@mail.example.co.uk today", "write to [EMAIL] today"),
        ("jürgen@müller.de", "[EMAIL]"),
        ("card 4111 1111 1111 1111 12/27", "card [CARD] 12/27"),
        ("4111-1111-1111-1111", "[CARD]"),
        ("5500005555555559 and 340000000000009", "[CARD] and [CARD]"),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        ("IBAN DE89 3704 0044 0532 0130 00 OK THEN", "IBAN [IBAN] OK THEN"),
        ("gb29nwbk60161331926819", "[IBAN]"),
        ("DE00370400440532013000", "DE00370400440532013000"),
        ("call +49 (30) 901820-0 or (212) 555-1234", "call [PHONE] or [PHONE]"),
        ("0049 30 901820, 212-555-1234, 030 901820", "[PHONE], [PHONE], [PHONE]"),
        ("sk-abcdefghijklmnopqrstuvwx", "[KEY]"),
        ("app-AbCdEfGhIjKlMnOpQrSt", "[KEY]"),
        ("Authorization: Bearer abc.def-ghi_jkl~mno", "Authorization: [KEY]"),
        ("AKIAIOSFODNN7EXAMPLE ghp_" + "a1" * 18, "[KEY] [KEY]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc+/=\n-----END RSA PRIVATE KEY-----", "[KEY]"),
        ("at 2025-10-15T10:30:00Z in 2025-10-15", "at 2025-10-15T10:30:00Z in 2025-10-15"),
        ("018f2b6e-7c3a-7000-8000-123456789012", "018f2b6e-7c3a-7000-8000-123456789012"),
        ("version 1.2.3, 100 000 users, 3.14159", "version 1.2.3, 100 000 users, 3.14159"),
    ],
)
def test_what_identifies_somebody_is_taken_out_and_the_rest_stays(text: str, clean: str) -> None:
    assert REDACTOR.text(text) == clean


def secret() -> dict[str, object]:
    return {
        **record(1, answer="mail me: ann@example.com"),
        "name": "Chat with ann@example.com",
        "inputs": {"ann@example.com": ["ann@example.com"], "card": 4111111111111111},
        "updated_at": "2025-10-02T11:00:00Z",
        "from_end_user_id": "ann@example.com",
    }


def test_nothing_of_it_reaches_the_disk_on_any_path_in(tmp_path: Path) -> None:
    with open_archive(tmp_path / "plain") as plain:
        plain.save([Conversation.parse(secret())])
        plain.save_runs([RunRecord.parse({**run(1).fields, "node_executions": [{"out": "ann@example.com"}]})])
        (tmp_path / "export").mkdir()
        plain.export_to_file("jsonl", tmp_path / "export" / "out.jsonl")
        for name in ("save", "import", "folder", "pull"):
            with open_archive(tmp_path / name, clock=StoppedClock(), redactor=REDACTOR) as archive:
                if name == "save":
                    archive.save(plain.iter_conversations())
                    found = plain.find_run("run-1")
                    assert found is not None
                    archive.save_runs([found])
                elif name == "import":
                    archive.import_archive(plain)
                elif name == "folder":
                    archive.import_folder(tmp_path / "export")
                else:
                    archive.pull(FolderSource(tmp_path / "export"))
                assert archive.count().conversations == 1
                stored = archive.get("conv-1")
                assert stored.messages[0]["answer"] == "mail me: [EMAIL]"
                assert stored.fields["inputs"] == {"[EMAIL]": ["[EMAIL]"], "card": "[CARD]"}
            for data in tree(tmp_path / name).values():
                assert b"ann@" not in data
                assert b"4111111111111111" not in data


def test_the_reason_of_a_failure_is_redacted_too(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"conversation_id": "c", "created_at": "ann@example.com"}')
    with open_archive(tmp_path / "archive", redactor=REDACTOR) as archive:
        (app,) = archive.pull(FolderSource(tmp_path / "in.jsonl")).apps
        assert "'[EMAIL]' is not an instant" in app.failed[0].reason
    assert [path for path, data in tree(tmp_path / "archive").items() if b"ann@" in data] == []


def test_redacting_twice_changes_nothing(tmp_path: Path) -> None:
    with open_archive(tmp_path, redactor=REDACTOR) as archive:
        archive.save([Conversation.parse(secret())])
        assert archive.save(archive.iter_conversations()).unchanged == 1


def test_rules_of_your_own_are_added(tmp_path: Path) -> None:
    redactor = Redactor([*STANDARD_RULES, RedactionRule.custom("staff", r"\bE\d{5}\b")])
    with open_archive(tmp_path, redactor=redactor) as archive:
        archive.save([conversation(1, answer="ask E12345 or a@b.cc")])
        assert archive.get("conv-1").messages[0]["answer"] == "ask [STAFF] or [EMAIL]"


@pytest.mark.parametrize(("pattern", "message"), [("(", "no regular expression"), ("x*", "empty text")])
def test_a_rule_that_cannot_work_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RedactionRule.custom("mine", pattern)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "1 ",
        "4 ",
        "a@",
        "a.",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "DE89",
        "+1",
        "a@b.",
        "0049 ",
        "a-",
    ],
)
def test_a_long_text_takes_time_in_proportion(piece: str) -> None:
    began = time.process_time()
    REDACTOR.text(piece * (300_000 // len(piece)))
    assert time.process_time() - began < 5
