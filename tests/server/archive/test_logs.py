from __future__ import annotations

import json
import re

import pytest

from tests.server.archive.desk import KEY, URL, Desk
from weft.archive import Archive

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("archive-1", "archive-2", "archive-3")
async def test_a_save_answers_with_the_guides_fields_and_files_lie_where_it_says(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    body = (await desk.save(organization_id="org-1")).ok
    assert sorted(body) == [
        "failed_count",
        "file_paths",
        "message",
        "saved_count",
        "success",
        "total_conversations",
    ]
    assert (body["success"], body["message"]) == (True, "Conversation logs saved successfully")
    assert (body["total_conversations"], body["saved_count"], body["failed_count"]) == (2, 2, 0)
    assert body["file_paths"] == desk.files()
    first, second = body["file_paths"]
    shape = r"logs/conversations/org-1/2025/10/0%d/conversation_conv-%d_20251020T\d{12}Z\.json"
    assert re.fullmatch(shape % (2, 1), first)
    assert re.fullmatch(shape % (3, 2), second)


@pytest.mark.requirement("archive-4")
async def test_without_an_organisation_the_year_comes_first(desk: Desk) -> None:
    desk.upstream.put(1)
    (path,) = (await desk.save()).ok["file_paths"]
    assert path.startswith("logs/conversations/2025/10/02/conversation_conv-1_")


@pytest.mark.requirement("archive-5")
async def test_a_save_keeps_to_its_filters(desk: Desk) -> None:
    desk.upstream.put(1, 2, 3)
    desk.upstream.put(4, from_source="whatsapp")
    filters = {"start_date": "2025-10-03T00:00:00Z", "end_date": "2025-10-04T23:59:59Z"}
    body = (await desk.save(filters=filters)).ok
    assert body["saved_count"] == 2
    assert [path.split("/")[-1].split("_")[1] for path in desk.files()] == ["conv-2", "conv-3"]
    assert (await desk.save(filters={"from_source": "whatsapp"})).ok["saved_count"] == 1


@pytest.mark.requirement("archive-6")
async def test_a_conversation_that_cannot_be_had_is_counted(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    (desk.upstream.folder / "app-a" / "broken.json").write_text('{"no": "id"}')
    body = (await desk.save()).ok
    assert (body["total_conversations"], body["saved_count"], body["failed_count"]) == (3, 2, 1)


@pytest.mark.requirement("archive-7", "archive-8")
async def test_a_file_has_the_guides_fields_in_its_order(desk: Desk) -> None:
    desk.upstream.put(1)
    (path,) = (await desk.save()).ok["file_paths"]
    content = json.loads((desk.root / path).read_bytes())
    assert list(content) == [
        "conversation_id",
        "app_id",
        "name",
        "status",
        "from_source",
        "created_at",
        "updated_at",
        "dialogue_count",
        "messages",
        "logged_at",
    ]
    assert list(content["messages"][0]) == [
        "id",
        "conversation_id",
        "query",
        "answer",
        "created_at",
        "message_tokens",
        "answer_tokens",
        "provider_response_latency",
        "from_source",
        "from_end_user_id",
    ]


@pytest.mark.requirement("archive-9")
async def test_the_same_again_writes_nothing_and_counts_as_saved(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    first = (await desk.save()).ok
    again = (await desk.save()).ok
    assert again == first
    assert len(desk.files()) == 2


@pytest.mark.requirement("archive-10", "archive-11")
async def test_a_summary_counts_files_and_names_days(desk: Desk) -> None:
    empty = {"success": True, "total_files": 0, "total_size_bytes": 0, "directories": []}
    assert (await desk.get(action="summary")).ok == empty
    desk.upstream.put(1, 2)
    desk.upstream.put(8, app="app-b")
    await desk.save(organization_id="org-1")
    await desk.save("app-b", organization_id="org-2")
    sizes = {path: (desk.root / path).stat().st_size for path in desk.files()}
    assert (await desk.get(action="summary")).ok == {
        "success": True,
        "total_files": 3,
        "total_size_bytes": sum(sizes.values()),
        "directories": [
            "logs/conversations/org-1/2025/10/02",
            "logs/conversations/org-1/2025/10/03",
            "logs/conversations/org-2/2025/10/02",
        ],
    }
    assert (await desk.get(action="summary", organization_id="org-2")).ok["total_files"] == 1


@pytest.mark.requirement("archive-12", "archive-13", "archive-14")
async def test_an_export_holds_a_range_of_days_both_included(desk: Desk) -> None:
    desk.upstream.put(1, 2, 3, 4)
    desk.upstream.put(9, app="app-b")
    await desk.save(organization_id="org-1")
    await desk.save("app-b", organization_id="org-2")
    asked = {"action": "export", "start_date": "2025-10-03", "end_date": "2025-10-04"}
    body = (await desk.get(**asked)).ok
    assert (body["success"], body["count"]) == (True, 3)
    assert [one["conversation_id"] for one in body["conversations"]] == ["conv-2", "conv-3", "conv-9"]
    assert body["conversations"][0]["logged_at"].startswith("2025-10-20T")
    assert body["conversations"][0]["messages"][0]["query"] == "Question 0 of 2?"
    one = (await desk.get(**asked, organization_id="org-2")).ok
    assert [one["conversation_id"] for one in one["conversations"]] == ["conv-9"]
    lines = await desk.get(**asked, format="jsonl")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert len(lines.body.splitlines()) == 4


@pytest.mark.requirement("archive-15", "archive-16")
async def test_cleaning_deletes_what_is_older(desk: Desk) -> None:
    desk.upstream.put(1, 6)
    desk.upstream.put(8, app="app-b")
    await desk.save(organization_id="org-1")
    await desk.save("app-b", organization_id="org-2")
    asked: dict[str, str | int] = {"days_to_keep": 15, "organization_id": "org-1"}
    size = (desk.root / desk.files()[0]).stat().st_size
    preview = (await desk.call("DELETE", query={**asked, "dry_run": "true"})).ok
    assert (preview["deleted_files"], preview["total"], len(desk.files())) == (1, 2, 3)
    assert (await desk.call("DELETE", query=asked)).ok == {
        "success": True,
        "message": "Deleted logs older than 15 days",
        "deleted_files": 1,
        "deleted_size_bytes": size,
    }
    assert [path.split("/")[2] for path in desk.files()] == ["org-1", "org-2"]


@pytest.mark.requirement("archive-17")
async def test_a_bad_key_of_one_app_stops_no_other(desk: Desk) -> None:
    desk.upstream.put(1)
    desk.upstream.put(2, app="app-b")
    app = {"dify_api_url": URL, "app_id": "app-a", "api_key": "app-wrong", "organization_id": "org-1"}
    good = {"dify_api_url": URL, "app_id": "app-b", "api_key": KEY, "organization_id": "org-2"}
    filters = {"start_date": "2025-10-01T00:00:00Z"}
    body = (await desk.call("POST", "/scheduled", {"apps": [app, good], "filters": filters})).ok
    assert (body["success"], body["message"]) == (False, "1 of 2 apps failed")
    told = [
        (one["app_id"], one["organization_id"], one["success"], one["saved_count"]) for one in body["results"]
    ]
    assert told == [("app-a", "org-1", False, 0), ("app-b", "org-2", True, 1)]
    assert body["results"][0]["message"] == "UnauthorizedError: Access token is invalid"


@pytest.mark.requirement("archive-22")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/scheduled"),
        ("GET", "/search"),
        ("GET", "/statistics"),
        ("GET", "/tail"),
        ("GET", "/conversations/x"),
        ("GET", "/holds"),
        ("POST", "/holds"),
        ("DELETE", "/holds/x"),
        ("POST", "/verify"),
        ("POST", "/import"),
        ("GET", "/jobs"),
        ("GET", "/jobs/x"),
        ("POST", "/jobs/x/cancel"),
        ("GET", "/schedules"),
        ("PUT", "/schedules/x"),
        ("DELETE", "/schedules/x"),
    ],
)
async def test_every_call_needs_a_token(idle: Desk, method: str, path: str) -> None:
    for token in ("", "weft-wrong", "app-wrong"):
        reply = await idle.call(method, path, {} if method in ("POST", "PUT") else None, token=token)
        assert reply.status == 401, (method, path, token, reply.body)


@pytest.mark.requirement("archive-23", "archive-24")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "action: is missing; known: summary, export"),
        ({"action": "purge"}, "action: 'purge' is unknown; known: summary, export"),
        ({"action": "summary", "rating": "bad"}, "rating: 'bad' is unknown; known: like, dislike, none"),
        ({"action": "summary", "start_date": "soon"}, "start_date: 'soon' is not a date"),
        ({"action": "summary", "format": "doc"}, "format: 'doc' is unknown; known: "),
        (
            {"action": "export", "end_date": "2025-10-01"},
            "start_date: is missing; give a day such as 2025-10-01",
        ),
        (
            {"action": "export", "start_date": "soon", "end_date": "2025-10-01"},
            "start_date: 'soon' is not a date; give a day such as 2025-10-15, or 2025-10-15T10:30:00Z",
        ),
        (
            {"action": "export", "start_date": "2025-10-02", "end_date": "2025-10-01"},
            "end_date: is before start_date",
        ),
        (
            {"action": "export", "start_date": "2025-10-01", "end_date": "2025-10-01", "format": "doc"},
            "format: 'doc' is unknown; known: ",
        ),
    ],
)
async def test_what_a_query_says_wrong_is_named(idle: Desk, query: dict[str, str], said: str) -> None:
    status, code, message = (await idle.get(**query)).error
    assert (status, code) == (400, "invalid_param")
    assert message.startswith(said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dify_api_url": URL, "app_id": "a"}, "api_key: is missing"),
        ({"api_key": KEY}, "dify_api_url: is missing"),
        ({"dify_api_url": "file:///etc", "api_key": KEY}, "dify_api_url: is not an address"),
        ({"dify_api_url": 5, "api_key": KEY}, "dify_api_url: has to be a text"),
        ({"dify_api_url": URL, "api_key": KEY, "filters": []}, "filters: has to be an object"),
        ({"dify_api_url": URL, "api_key": KEY, "filters": {"until": "x"}}, "filters.until: is unknown"),
        (
            {"dify_api_url": URL, "api_key": KEY, "filters": {"start_date": "x"}},
            "start_date: 'x' is not an instant",
        ),
        ({"source": "shop"}, "source: the settings have no source 'shop'; known: own"),
        ({"source": "shop", "api_key": KEY}, "source: stands for an address and a key"),
        ({"dify_api_url": URL, "api_key": KEY, "background": "yes"}, "background: is neither true nor false"),
    ],
)
async def test_what_a_body_says_wrong_is_named(idle: Desk, body: dict[str, object], said: str) -> None:
    status, code, message = (await idle.call("POST", "", body)).error
    assert (status, code) == (400, "invalid_param")
    assert message.startswith(said)


async def test_a_source_that_refuses_is_the_callers_to_mend_and_not_a_bad_token(desk: Desk) -> None:
    desk.upstream.put(1)
    reply = await desk.save(api_key="app-wrong")
    assert reply.error == (400, "source_failed", "UnauthorizedError: Access token is invalid")


@pytest.mark.parametrize("days", ["soon", "-1", "nan", "40000"])
async def test_days_that_are_none_are_refused(idle: Desk, days: str) -> None:
    reply = await idle.call("DELETE", query={"days_to_keep": days})
    assert (reply.status, "days" in reply.error[2]) == (400, True)


async def test_cleaning_without_days_keeps_to_the_setting_or_is_refused(idle: Desk) -> None:
    assert (await idle.call("DELETE")).error[2] == (
        "days_to_keep: is missing, and archive.retention_days is not set"
    )


@pytest.mark.requirement("archive-25")
async def test_an_upstream_key_is_stored_nowhere(desk: Desk) -> None:
    desk.upstream.put(1)
    await desk.save()
    job = (await desk.save(background=True)).json["job"]
    await desk.ended(job["id"])
    data = desk.root.parent
    holding = [path for path in data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == []
    assert desk.upstream.asked[0].api_key == KEY


@pytest.mark.requirement("archive-27")
@pytest.mark.parametrize("id", ["../../etc", "..", "a/b", "/root", "2025", "..\\up", "con", "%2e%2e"])
async def test_no_organisation_leads_out_of_the_archive(desk: Desk, id: str) -> None:
    desk.upstream.put(1, conversation_id=f"../../{id}")
    body = (await desk.save(organization_id=id)).ok
    (path,) = body["file_paths"]
    assert path.startswith("logs/conversations/")
    assert ".." not in path
    assert (desk.root / path).resolve().is_relative_to(desk.root.resolve())
    assert len(path.split("/")) == 7
    found = (
        await desk.get("/conversations/" + "..%2F..%2F" + id.replace("%", "%25"), organization_id=id)
    ).status
    assert found in (200, 404)
    assert not (desk.root.parent.parent / "etc").exists()


async def test_an_archive_that_another_process_writes_to_is_a_conflict(desk: Desk) -> None:
    with Archive.open(desk.root):
        status, code, _ = (await desk.save()).error
    assert (status, code) == (409, "archive_locked")
    assert (await desk.get(action="summary")).status == 200


async def test_a_wrong_method_is_told_the_right_ones(idle: Desk) -> None:
    reply = await idle.call("PATCH", "", {})
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (405, {"POST", "GET", "DELETE", "HEAD"})
