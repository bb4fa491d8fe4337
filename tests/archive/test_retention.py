from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.archive.records import NOW, StoppedClock, conversation, conversation_files, open_archive, run
from weft.archive import Archive, Conversation, DamagedFileError, Hold, RetentionError, RetentionRule
from weft.errors import InvalidRequestError, NotFoundError


def days_old(number: int, days: float, **fields: object) -> Conversation:
    at = (NOW - timedelta(days=days)).isoformat()
    message = {"id": "m", "query": "q", "answer": "a", "created_at": at}
    return conversation(number, messages=[message], updated_at=at, **fields)


def kept(archive: Archive) -> list[str]:
    return sorted(found.id for found in archive.iter_conversations())


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    disliked = {"id": "m", "query": "q", "answer": "a", "feedback": {"rating": "dislike"}}
    with open_archive(tmp_path) as archive:
        archive.save(
            [
                days_old(1, 5),
                days_old(2, 15),
                days_old(3, 15, app_id="app-b"),
                days_old(4, 15, from_source="whatsapp"),
                conversation(5, messages=[disliked]),
                days_old(6, 3, from_source="whatsapp"),
            ]
        )
        archive.save([days_old(7, 15)], "org-1")
        rules = [
            RetentionRule(name="bad answers", keep_days=None, rating="dislike"),
            RetentionRule(name="app b", keep_days=30, app_id="app-b"),
            RetentionRule(name="whatsapp", keep_days=4, from_source="whatsapp"),
            RetentionRule(name="org 1", keep_days=20, organization_id="org-1"),
            RetentionRule(name="others", keep_days=10),
        ]
        plan = archive.preview_retention(rules)
        assert [(found.entry.id, found.rule) for found in plan.candidates] == [
            ("conv-2", "others"),
            ("conv-4", "whatsapp"),
        ]
        assert (plan.total, plan.share, kept(archive)[0]) == (7, 2 / 7, "conv-1")
        report = archive.apply_retention(rules, max_share=0.5)
        assert (report.deleted, report.deleted_bytes) == (2, plan.size_bytes)
        assert kept(archive) == ["conv-1", "conv-3", "conv-5", "conv-6", "conv-7"]
        assert archive.verify().findings == []


def test_activity_counts_and_not_the_day_of_creation(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(1, 2, created_at="2020-01-01T00:00:00Z"), days_old(2, 8)])
        assert archive.clean_old_logs(7).deleted_files == 1
        assert kept(archive) == ["conv-1"]


def test_more_than_the_share_is_refused_and_nothing_is_deleted(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(number, 15) for number in range(3)] + [days_old(9, 1)])
        with pytest.raises(RetentionError, match=r"delete 3 of 4 conversations, more than the share 0\.2"):
            archive.apply_retention([RetentionRule(name="r", keep_days=10)])
        assert len(kept(archive)) == 4


def test_what_is_on_hold_stays_until_it_is_released(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(1, 15), days_old(2, 15, app_id="app-b"), days_old(3, 15)])
        archive.place_hold(Hold(id="case-1", reason="law suit", app_id="app-b"))
        archive.place_hold(Hold(id="case-2", reason="law suit", conversation_id="conv-3"))
        with pytest.raises(InvalidRequestError, match="'case-2' exists"):
            archive.place_hold(Hold(id="case-2", reason="again"))
        assert archive.clean_old_logs(10).deleted_files == 1
        assert kept(archive) == ["conv-2", "conv-3"]
        archive.release_hold("case-2")
        with pytest.raises(NotFoundError, match="known: case-1"):
            archive.release_hold("case-2")
        assert archive.clean_old_logs(10).deleted_files == 1
        assert kept(archive) == ["conv-2"]
        assert [(line.action, line.id) for line in archive.iter_audit_lines()] == [
            ("hold", "case-1"),
            ("hold", "case-2"),
            ("delete", "conv-1"),
            ("release", "case-2"),
            ("delete", "conv-3"),
        ]


def test_damaged_holds_stop_every_deletion(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(1, 15)])
        archive.place_hold(Hold(id="h", reason="r"))
        path = tmp_path / "logs/.weft/holds.json"
        path.write_bytes(path.read_bytes().replace(b'"h"', b'"x"'))
        with pytest.raises(DamagedFileError, match="holds"):
            archive.clean_old_logs(1)


@pytest.mark.parametrize("packed", [False, True])
def test_what_cannot_be_proven_is_not_deleted(tmp_path: Path, packed: bool) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([days_old(1, 15), days_old(2, 15), days_old(8, 15)])
        if packed:
            archive.compress_sealed_days()
        path = next(path for path in conversation_files(tmp_path) if "conv-1_" in path)
        content = bytearray((tmp_path / path).read_bytes())
        content[20] ^= 1
        (tmp_path / path).write_bytes(content)
        report = archive.apply_retention([RetentionRule(name="r", keep_days=10)], max_share=1)
        assert (report.deleted, report.damaged) == (2, [path])
        assert (tmp_path / path).read_bytes() == content


def test_runs_go_with_their_conversation_and_empty_folders_go_too(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(1, 15), days_old(2, 1)])
        archive.save_runs([run(1), run(2), run(3, conversation_id="conv-1")])
        report = archive.apply_retention([RetentionRule(name="r", keep_days=10)], max_share=1)
        assert (report.deleted, report.deleted_runs) == (1, 2)
        assert archive.find_run("run-1") is None
        assert archive.find_run("run-2") is not None
        assert archive.verify().findings == []
    assert not (tmp_path / "logs/conversations/2025/10/02").exists()


def test_every_deletion_is_in_the_audit_log_with_what_was_read_back(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        path = archive.save([days_old(1, 15)], "org-1").paths["conv-1"]
        _, entry = next(archive.iter_entries())
        archive.clean_old_logs(10, "org-1")
        (line,) = archive.iter_audit_lines()
    assert (line.path, line.sha256, line.organization_id) == (path, entry.sha256, "org-1")
    assert (line.at, line.reason) == ("2025-10-20T12:00:00Z", "retention rule 'older than 10 days'")


@pytest.mark.parametrize("harm", ["drop first", "drop last", "change", "swap"])
def test_a_changed_audit_log_is_found_out(tmp_path: Path, harm: str) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([days_old(number, 15) for number in range(3)])
        archive.clean_old_logs(10)
        path = tmp_path / "logs/.weft/audit.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        changed = {
            "drop first": lines[1:],
            "drop last": lines[:-1],
            "change": [lines[0].replace(b"delete", b"create"), *lines[1:]],
            "swap": [lines[1], lines[0], lines[2]],
        }
        path.write_bytes(b"".join(changed[harm]))
        assert [finding.code for finding in archive.verify().findings] == ["damaged-audit"]
        with pytest.raises(DamagedFileError, match=r"audit\.jsonl"):
            list(archive.iter_audit_lines())
    json.loads(lines[0])
