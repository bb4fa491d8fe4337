from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.archive.records import (
    NOW,
    StoppedClock,
    conversation,
    conversation_files,
    open_archive,
    record,
    run,
    tree,
)
from weft.archive import (
    ArchiveLockedError,
    ArchiveReadOnlyError,
    ArchiveVersionError,
    Conversation,
    Count,
    DamagedFileError,
    Query,
    Saved,
)
from weft.archive.json_text import seal
from weft.errors import InvalidRequestError, NotFoundError


def test_a_conversation_is_a_file_in_the_guides_format(tmp_path: Path) -> None:
    given = {**record(1), "created_at": 1759401000, "mood": "good", "messages": record(1)["messages"]}
    with open_archive(tmp_path) as archive:
        saved = archive.save([Conversation.parse(given)])
    path = "logs/conversations/2025/10/02/conversation_conv-1_20251020T120000000000Z.json"
    assert saved.paths == {"conv-1": path}
    assert list(conversation_files(tmp_path)) == [path]
    text = (tmp_path / path).read_text()
    assert json.loads(text) == {
        "conversation_id": "conv-1",
        "app_id": "app-a",
        "name": "Chat 1",
        "status": "normal",
        "from_source": "api",
        "created_at": "2025-10-02T10:30:00Z",
        "updated_at": "2025-10-02T10:30:00Z",
        "dialogue_count": 1,
        "mood": "good",
        "messages": [
            {
                "id": "msg-1-0",
                "conversation_id": "conv-1",
                "query": "Question 0 of 1?",
                "answer": "Hello!",
                "created_at": "2025-10-02T10:30:00Z",
                "message_tokens": 3,
                "answer_tokens": 5,
                "provider_response_latency": 1.25,
                "from_source": "api",
                "from_end_user_id": "user-1",
            }
        ],
        "logged_at": "2025-10-20T12:00:00Z",
    }
    assert list(json.loads(text))[:3] == ["conversation_id", "app_id", "name"]
    assert text.endswith("}\n")


def test_the_manifest_has_a_row_with_checksum_and_counts(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, turns=2), conversation(8)])
    files = conversation_files(tmp_path)
    manifest = json.loads((tmp_path / "logs/conversations/2025/10/02/manifest.json").read_text())
    assert [row["id"] for row in manifest["files"]] == ["conv-1", "conv-8"]
    row = manifest["files"][0]
    assert (row["sequence"], row["messages"], row["message_tokens"], row["answer_tokens"]) == (1, 2, 6, 10)
    assert row["size"] == len(files[f"logs/conversations/2025/10/02/{row['file']}"])
    assert manifest["totals"]["files"] == 2
    assert manifest["apps"]["app-a"]["messages"] == 3


def test_the_same_content_writes_nothing(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
    before = tree(tmp_path)
    clock.advance(days=1)
    with open_archive(tmp_path, clock=clock) as archive:
        saved = archive.save([Conversation.parse(dict(reversed(record(1).items())))])
    assert (saved.written, saved.unchanged) == (0, 1)
    assert tree(tmp_path) == before


def test_a_changed_conversation_takes_the_place_of_its_file(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
        clock.advance(hours=1)
        archive.save([conversation(1, turns=2)])
        assert len(archive.get("conv-1").messages) == 2
    assert [path.rpartition("_")[2] for path in conversation_files(tmp_path)] == [
        "20251020T130000000000Z.json"
    ]


@pytest.mark.parametrize("back", [timedelta(0), timedelta(days=400)])
def test_a_later_version_has_a_later_name_whatever_the_clock_says(tmp_path: Path, back: timedelta) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
        clock.instant -= back
        archive.save([conversation(1, turns=2)])
        archive.save([conversation(1, turns=3)])
        assert len(archive.get("conv-1").messages) == 3
    assert [path.rpartition("_")[2] for path in conversation_files(tmp_path)] == [
        "20251020T120000000002Z.json"
    ]


def test_a_conversation_stays_in_its_day_when_the_source_changes_its_mind(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)])
        archive.save([conversation(1, created_at="2025-01-01T00:00:00Z", name="Moved")])
        found = archive.get("conv-1")
        assert (found.name, found.fields["created_at"]) == ("Moved", "2025-10-02T10:30:00Z")
        assert archive.count() == Count(1, 1, 1)


def test_organisations_are_apart(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)], "Org/../1")
        archive.save([conversation(1, name="Other")], "org-2")
        archive.save([conversation(1, name="None's")])
        assert archive.get("conv-1", "Org/../1").name == "Chat 1"
        assert archive.get("conv-1", "org-2").name == "Other"
        assert archive.get("conv-1").name == "None's"
        with pytest.raises(NotFoundError, match="there is no conversation 'conv-1'"):
            archive.get("conv-1", "org-3")
        assert archive.count().conversations == 3
        assert archive.count(Query(organization_id="org-2")).conversations == 1
    assert {path.split("/")[2] for path in conversation_files(tmp_path)} == {
        "2025",
        "%4frg%2f%2e%2e%2f1",
        "org-2",
    }


def test_what_cannot_be_stored_is_named_and_the_others_are_stored(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        saved = archive.save([conversation(1), conversation(2, conversation_id="x" * 300), conversation(3)])
    assert (saved.written, [failure.id for failure in saved.failed]) == (2, ["x" * 300])
    assert "no file can be named after it" in saved.failed[0].reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conversation_id": None}, "no conversation_id"),
        ({"created_at": None, "messages": []}, "created_at"),
        ({"created_at": "yesterday"}, "not an instant"),
        ({"created_at": 10**20}, "not an instant"),
        ({"messages": {}}, "messages must be a list"),
        ({"messages": ["hi"]}, "message 1 is not an object"),
        ({"app_id": 5}, "app_id must be text"),
        ({"dialogue_count": -1}, "dialogue_count must be a whole number"),
    ],
)
def test_a_record_of_the_wrong_shape_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        Conversation.parse({**record(1), **change})


def test_what_json_cannot_hold_is_mended_and_not_lost(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, answer="half \ud800 pair", big=2**80, bell="\x07")])
        found = archive.get("conv-1")
    assert found.messages[0]["answer"] == "half ? pair"
    assert (found.fields["big"], found.fields["bell"]) == (2**80, "\x07")


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    with open_archive(tmp_path), pytest.raises(ArchiveLockedError, match=r"process \d+ on .* writes"):
        open_archive(tmp_path)
    open_archive(tmp_path).close()


def test_readers_see_each_state_beside_a_writer(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as writer:
        reader = open_archive(tmp_path, read_only=True)
        for turns in (1, 2, 3):
            clock.advance(minutes=1)
            writer.save([conversation(1, turns=turns), conversation(turns + 20)])
            assert len(reader.get("conv-1").messages) == turns
            assert reader.count() == writer.count()
            assert reader.get_logs_summary() == writer.get_logs_summary()
        with pytest.raises(ArchiveReadOnlyError, match="open for reading only"):
            reader.save([conversation(2)])


def test_a_reader_with_an_old_row_gets_the_present_version(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as writer:
        writer.save([conversation(1)])
        reader = open_archive(tmp_path, read_only=True)
        rows = reader.iter_entries()
        day, entry = next(rows)
        clock.advance(minutes=1)
        writer.save([conversation(1, turns=2)])
        assert json.loads(reader.vault.read(day, entry))["dialogue_count"] == 2


def test_threads_share_an_archive(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        saved: list[Saved] = []
        threads = [
            threading.Thread(target=lambda n=n: saved.append(archive.save(map(conversation, (n, n + 7)))))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert archive.count().conversations == len({*range(8), *range(7, 15)})
        assert sum(one.written for one in saved) == 15
        assert archive.verify().findings == []


def test_an_archive_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    open_archive(tmp_path).close()
    (tmp_path / "logs/.weft/format.json").write_bytes(seal({"format": 2, "name": "weft-archive"}))
    for read_only in (False, True):
        with pytest.raises(ArchiveVersionError, match="upgrade Weft"):
            open_archive(tmp_path, read_only=read_only)


def test_the_catalogue_is_made_again_when_it_is_gone(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(number) for number in range(10)])
        before = archive.rows()
    (tmp_path / "logs/.weft/catalogue.json").unlink()
    assert open_archive(tmp_path, read_only=True).rows() == before
    with open_archive(tmp_path) as archive:
        assert archive.rows() == before
        assert archive.verify().findings == []


def test_a_damaged_file_is_never_given_out(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        path = tmp_path / archive.save([conversation(1)]).paths["conv-1"]
        path.write_bytes(path.read_bytes().replace(b"Hello", b"Hullo"))
        with pytest.raises(DamagedFileError, match="not what was written"):
            archive.get("conv-1")


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a") as archive:
        path = tmp_path / "a" / archive.save([conversation(1)]).paths["conv-1"]
        path.rename(tmp_path / "elsewhere.json")
        path.symlink_to(tmp_path / "elsewhere.json")
        assert [finding.code for finding in archive.verify().findings] == ["unreadable"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query(), {0, 1, 2, 3}),
        (Query(start=date(2025, 10, 2), end=date(2025, 10, 3)), {1, 2}),
        (Query(start=datetime(2025, 10, 2, 10, 30, tzinfo=UTC)), {1, 2, 3}),
        (Query(start=datetime(2025, 10, 2, 10, 30, 0, 1, tzinfo=UTC)), {2, 3}),
        (Query(end=datetime(2025, 10, 2, 10, 30, tzinfo=UTC)), {0, 1}),
        (Query(app_ids=frozenset({"app-b"})), {3}),
        (Query(from_sources=frozenset({"whatsapp"})), {2}),
        (Query(rating="like"), {1}),
        (Query(rating="none"), {0, 2, 3}),
        (Query(end_user_id="user-1"), {0, 1, 2, 3}),
        (Query(conversation_ids=frozenset({"conv-2", "conv-9"})), {2}),
    ],
)
def test_a_query_selects_by_rows_alone(tmp_path: Path, query: Query, numbers: set[int]) -> None:
    liked = record(1)
    messages = liked["messages"]
    assert isinstance(messages, list)
    messages[0]["feedback"] = {"rating": "like"}
    with open_archive(tmp_path) as archive:
        archive.save(
            [
                conversation(0),
                Conversation.parse(liked),
                conversation(2, from_source="whatsapp"),
                conversation(3, app_id="app-b"),
            ]
        )
        assert {found.id for found in archive.iter_conversations(query)} == {f"conv-{n}" for n in numbers}
        assert archive.count(query).conversations == len(numbers)


def test_runs_lie_beside_conversations(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save_runs([run(1)], "org-1")
        again = archive.save_runs([run(1)], "org-1")
        changed = archive.save_runs([run(1, status="failed")], "org-1")
        found = archive.find_run("run-1", "org-1")
        assert found is not None
        assert found.fields["status"] == "failed"
        assert archive.verify().findings == []
    assert (again.unchanged, changed.written) == (1, 1)
    assert changed.paths == {"run-1": "logs/runs/org-1/2025/10/02/run_run-1.json"}


def test_large_conversations_are_stored_whole(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, turns=10_000), conversation(2, answer="x" * 20_000_000)])
        assert len(archive.get("conv-1").messages) == 10_000
        assert archive.get("conv-2").messages[0]["answer"] == "x" * 20_000_000
        assert archive.count() == Count(2, 10_001, 10_001)
        assert sum(len(chunk) for chunk in archive.export("jsonl")) > 20_000_000


def test_the_last_activity_is_that_of_the_latest_message() -> None:
    assert conversation(0, turns=3).last_activity == datetime(2025, 10, 1, 10, 32, tzinfo=UTC)
    assert conversation(0, updated_at=NOW.isoformat()).last_activity == NOW
