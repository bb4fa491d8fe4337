"""The five operations of the guide, with its field names."""

from __future__ import annotations

import asyncio
import inspect
import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from tests.archive.fake_source import FakeSource
from tests.archive.records import StoppedClock, conversation, open_archive
from weft.archive import Archive, AsyncArchive, Query, SaveFilters, ScheduledApp, Source
from weft.errors import InvalidRequestError, UnauthorizedError


def as_json(value: object) -> object:
    return json.loads(msgspec.json.encode(value))


def test_saving_answers_with_the_guides_fields(tmp_path: Path) -> None:
    source = FakeSource({"a": {1: 1, 2: 1, 3: 1}})

    def broken(app: str, id: str) -> None:
        if id == "conv-3":
            raise ValueError("broken")

    source.before_load = broken
    with open_archive(tmp_path) as archive:
        result = archive.save_conversations_with_messages(source, organization_id="org-123")
    path = "logs/conversations/org-123/2025/10/{}/conversation_conv-{}_20251020T120000000000Z.json"
    assert as_json(result) == {
        "success": True,
        "message": "Conversation logs saved successfully",
        "total_conversations": 3,
        "saved_count": 2,
        "failed_count": 1,
        "file_paths": [path.format("02", 1), path.format("03", 2)],
    }


def test_filters_choose_what_is_saved(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(1, 6), 1)})
    filters = msgspec.json.decode(
        b'{"start_date":"2025-10-03T00:00:00Z","end_date":"2025-10-04T23:59:59Z","from_source":"api"}',
        type=SaveFilters,
    )
    with open_archive(tmp_path) as archive:
        for _ in range(2):
            result = archive.save_conversations_with_messages(source, filters)
            assert (result.saved_count, len(result.file_paths)) == (2, 2)
        assert {found.id for found in archive.iter_conversations()} == {"conv-2", "conv-3"}
        with pytest.raises(InvalidRequestError, match="start_date: 'x' is not an instant"):
            archive.save_conversations_with_messages(source, SaveFilters(start_date="x"))


def test_the_summary_has_the_guides_fields(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1), conversation(2)])
        saved = archive.save([conversation(1)], "org-1")
        everything, one = archive.get_logs_summary(), archive.get_logs_summary("org-1")
    assert as_json(one) == {
        "success": True,
        "total_files": 1,
        "total_size_bytes": saved.bytes_written,
        "directories": ["logs/conversations/org-1/2025/10/02"],
    }
    assert everything.total_files == 3
    assert everything.directories == [
        "logs/conversations/2025/10/02",
        "logs/conversations/2025/10/03",
        "logs/conversations/org-1/2025/10/02",
    ]


def test_a_range_of_days_includes_both_ends(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(number) for number in range(7)])
        found = archive.export_logs_for_date_range(date(2025, 10, 2), date(2025, 10, 4))
    assert (found.success, found.count) == (True, 3)
    assert [item["conversation_id"] for item in found.conversations] == ["conv-1", "conv-2", "conv-3"]
    assert {"app_id", "name", "messages", "logged_at"} <= set(found.conversations[0])


def test_cleaning_answers_with_the_guides_fields(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        size = archive.save([conversation(0), conversation(6)]).bytes_written // 2
        result = archive.clean_old_logs(15)
        assert as_json(result) == {
            "success": True,
            "message": "Deleted logs older than 15 days",
            "deleted_files": 1,
            "deleted_size_bytes": size,
        }


def test_scheduled_saves_go_through_all_apps(tmp_path: Path) -> None:
    apps = [
        ScheduledApp(
            dify_api_url="https://x/v1", app_id=name, api_key="secret", organization_id=f"org-{name}"
        )
        for name in ("a", "b", "c")
    ]

    def open_source(app: ScheduledApp) -> Source:
        if app.app_id == "b":
            raise UnauthorizedError("the key is unknown")
        return FakeSource({app.app_id: {1: 1}})

    with open_archive(tmp_path) as archive:
        results = archive.save_scheduled(apps, open_source, SaveFilters(start_date="2025-10-01T00:00:00Z"))
        assert [(one.app_id, one.success, one.saved_count, one.message) for one in results] == [
            ("a", True, 1, "Conversation logs saved successfully"),
            ("b", False, 0, "UnauthorizedError: the key is unknown"),
            ("c", True, 1, "Conversation logs saved successfully"),
        ]
        assert archive.count(Query(organization_id="org-c")).conversations == 1
    assert "secret" not in repr(apps)


def test_both_faces_have_the_same_methods() -> None:
    own = {"call"}
    names = {name for name in vars(Archive) if not name.startswith("_")}
    assert {name for name in vars(AsyncArchive) if not name.startswith("_")} == names | own
    for name in names:
        one, other = getattr(Archive, name), getattr(AsyncArchive, name)
        if not callable(one):
            continue
        mine, its = inspect.signature(one).parameters, inspect.signature(other).parameters
        assert [(p.name, p.kind, p.default) for p in mine.values()] == [
            (p.name, p.kind, p.default) for p in its.values()
        ], name


@pytest.mark.anyio
async def test_the_asynchronous_face_does_the_same(tmp_path: Path) -> None:
    source = FakeSource({"a": {1: 1, 2: 1}})
    async with await AsyncArchive.open(tmp_path, clock=StoppedClock()) as archive:
        result = await archive.save_conversations_with_messages(source, organization_id="org-1")
        assert result.saved_count == 2
        await archive.save([conversation(9)])
        counts = await asyncio.gather(*(archive.count() for _ in range(30)))
        assert {count.conversations for count in counts} == {3}
        assert [found.id async for found in archive.iter_conversations()] == ["conv-9", "conv-1", "conv-2"]
        export = await archive.export("jsonl")
        lines = b"".join([chunk async for chunk in export]).splitlines()
        assert (len(lines), export.totals.conversations) == (4, 3)
        other = await AsyncArchive.open(tmp_path / "other", clock=StoppedClock())
        assert (await other.import_archive(archive)).written == 5
        await other.close()
        assert (await archive.verify()).findings == []
        assert (await archive.clean_old_logs(0.5)).deleted_files == 3
        assert [line.action async for line in archive.iter_audit_lines()] == ["delete"] * 5
