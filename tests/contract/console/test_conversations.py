"""Conversations, messages and feedback at the console."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.console_caller import ConsoleCaller
from tests.contract.house import House
from weft.store import (
    Annotation,
    Conversation,
    Feedback,
    FeedbackSource,
    Rating,
    app_annotations,
    conversations,
    feedbacks,
)

pytestmark = pytest.mark.anyio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Talk:
    """A chatflow with two conversations: one of two messages and one of one."""

    caller: Caller
    path: str
    first: list[Any]
    """The answers of the first conversation."""
    second: Any


@pytest.fixture(scope="session")
async def talk(house: House) -> Talk:
    caller = await house.serve(apps.echo_flow(name="Talk"))
    one = await caller.said("one apple", user="ann")
    two = await caller.said("two pears", user="ann", conversation_id=one["conversation_id"])
    other = await caller.said("100% plums", user="ben")
    return Talk(caller, f"/apps/{caller.app_id}", [one, two], other)


async def listed(owner: ConsoleCaller, talk: Talk, **query: str | int) -> list[str]:
    """Ids of the conversations found."""
    page = (await owner.get(f"{talk.path}/chat-conversations", **query)).ok
    assert page["total"] == len(page["data"]), page
    return [item["id"] for item in page["data"]]


@pytest.mark.requirement("console-29")
async def test_a_conversation_shows_who_talked_and_how_it_went(owner: ConsoleCaller, talk: Talk) -> None:
    page = (await owner.get(f"{talk.path}/chat-conversations")).ok

    assert [page[key] for key in ("page", "limit", "total", "has_more")] == [1, 20, 2, False]
    item = page["data"][1]
    conversation_id = talk.first[0]["conversation_id"]
    assert item.pop("from_end_user_id") is not None
    assert [type(item.pop(name)) for name in ("created_at", "updated_at", "name")] == [int, int, str]
    assert item == {
        "id": conversation_id,
        "status": "normal",
        "from_source": "api",
        "from_end_user_session_id": "ann",
        "from_account_id": None,
        "from_account_name": None,
        "summary": "one apple",
        "read_at": None,
        "annotated": False,
        "model_config": {"model": None, "pre_prompt": None},
        "message_count": 2,
        "user_feedback_stats": {"like": 0, "dislike": 0},
        "admin_feedback_stats": {"like": 0, "dislike": 0},
        "status_count": {"success": 2, "failed": 0, "partial_success": 0, "paused": 0},
    }


async def test_failed_runs_are_counted(owner: ConsoleCaller, failing: Caller) -> None:
    before = (await owner.get(f"/apps/{failing.app_id}/chat-conversations")).ok["total"]
    await failing.chat("hi", user="unlucky")

    page = (await owner.get(f"/apps/{failing.app_id}/chat-conversations")).ok

    assert page["total"] == before + 1
    assert page["data"][0]["status_count"] == {"success": 0, "failed": 1, "partial_success": 0, "paused": 0}


@pytest.mark.requirement("console-30")
@pytest.mark.parametrize(
    ("keyword", "found"),
    [
        ("APPLE", [0]),
        ("you said: two", [0]),
        ("ben", [1]),
        ("0%", [1]),
        ("%", [1]),
        ("_", []),
        ("", [1, 0]),
        ("grape", []),
        ("\0", []),
    ],
)
async def test_a_keyword_is_looked_for_in_all_that_was_said(
    owner: ConsoleCaller, talk: Talk, keyword: str, found: list[int]
) -> None:
    ids = [talk.first[0]["conversation_id"], talk.second["conversation_id"]]
    said = (await talk.caller.messages(ids[0], user="ann"))[1]["answer"]
    keyword = keyword if keyword != "you said: two" else said.upper()

    assert await listed(owner, talk, keyword=keyword) == [ids[n] for n in found]


@pytest.mark.requirement("console-31", "console-32")
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"start": "2024-01-01 00:00", "end": "2023-01-01 00:00"}, "start must be earlier than or equal to"),
        ({"start": "yesterday"}, "Invalid start time format: "),
        ({"end": "2024-13-01 00:00"}, "Invalid end time format: "),
        ({"end": "0001-01-01 00:00:00"}, "Invalid end time format: "),
    ],
)
async def test_a_time_must_be_one(owner: ConsoleCaller, talk: Talk, query: dict[str, str], text: str) -> None:
    status, code, message = (await owner.get(f"{talk.path}/chat-conversations", **query)).error
    assert (status, code) == (400, "bad_request")
    assert message.startswith(text)


async def test_conversations_are_found_by_time_and_sorted(owner: ConsoleCaller, talk: Talk) -> None:
    now = datetime.now(UTC)
    ids = [talk.first[0]["conversation_id"], talk.second["conversation_id"]]
    ago, ahead = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (-1, 1))

    assert await listed(owner, talk, start=ago, end=f"{now:%Y-%m-%d %H:%M}") == ids[::-1]
    assert await listed(owner, talk, start=ahead) == []
    assert await listed(owner, talk, end=ago, sort_by="created_at") == []
    assert await listed(owner, talk, sort_by="created_at", start="", end="") == ids
    bad = await owner.get(f"{talk.path}/chat-conversations", sort_by="name")
    assert bad.error[:2] == (400, "invalid_param")


async def test_times_are_those_of_the_account(house: House, owner: ConsoleCaller, talk: Talk) -> None:
    now = datetime.now(UTC)
    tokyo = now + timedelta(hours=9)
    assert (await owner.post("/account/timezone", {"timezone": "Asia/Tokyo"})).ok["timezone"] == "Asia/Tokyo"
    try:
        assert len(await listed(owner, talk, start=f"{tokyo - timedelta(hours=1):%Y-%m-%d %H:%M}")) == 2
        assert await listed(owner, talk, end=f"{now:%Y-%m-%d %H:%M}") == []
        rows = (await owner.get(f"{talk.path}/statistics/daily-messages")).ok["data"]
        assert [row["date"] for row in rows] == [f"{tokyo:%Y-%m-%d}"]
    finally:
        await owner.post("/account/timezone", {"timezone": "UTC"})
    for wrong in ("x", "../etc/passwd", "", "Europe"):
        error = (await owner.post("/account/timezone", {"timezone": wrong})).error
        assert error == (400, "invalid_param", f"{wrong} is not a valid timezone.")


@pytest.mark.requirement("console-33")
async def test_conversations_with_annotations_are_found(
    house: House, owner: ConsoleCaller, talk: Talk
) -> None:
    now = house.runtime.clock.now()
    first, second = talk.first[0]["conversation_id"], talk.second["conversation_id"]
    assert await listed(owner, talk, annotation_status="annotated") == []
    marks = [
        Annotation(
            house.runtime.ids.new(),
            talk.caller.app_id,
            "q",
            "a",
            now,
            now,
            message_id=answer["message_id"],
            conversation_id=first,
        )
        for answer in talk.first
    ]
    for mark in marks:
        await house.runtime.store.write(
            lambda connection, mark=mark: app_annotations.insert(connection, mark)  # type: ignore[misc]
        )
    try:
        assert await listed(owner, talk, annotation_status="annotated") == [first]
        assert await listed(owner, talk, annotation_status="not_annotated") == [second]
        assert (await owner.get(f"{talk.path}/annotations/count")).ok == {"count": 2}
        item = (await owner.get(f"{talk.path}/chat-conversations", keyword="apple")).ok["data"][0]
        assert item["annotated"] is True
        message = (await owner.get(f"{talk.path}/messages/{talk.first[0]['message_id']}")).ok
        assert (message["annotation"]["question"], message["annotation"]["content"]) == ("q", "a")
    finally:
        for mark in marks:
            await house.runtime.store.write(
                lambda connection, mark=mark: app_annotations.remove(  # type: ignore[misc]
                    connection, mark.app_id, mark.id
                )
            )


@pytest.mark.requirement("console-34")
async def test_a_page_past_the_end_is_empty(owner: ConsoleCaller, talk: Talk) -> None:
    assert (await owner.get(f"{talk.path}/chat-conversations", page=999)).ok == {
        "page": 999,
        "limit": 20,
        "total": 2,
        "has_more": False,
        "data": [],
    }
    assert (await owner.get(f"{talk.path}/chat-conversations", limit=1)).ok["has_more"] is True


@pytest.mark.requirement("console-35")
async def test_a_workflow_app_has_no_conversations(owner: ConsoleCaller, work: Caller) -> None:
    for path in (
        "chat-conversations",
        f"chat-messages?conversation_id={UNKNOWN}",
        "completion-conversations",
    ):
        status, code, text = (await owner.get(f"/apps/{work.app_id}/{path}")).error
        assert (status, code) == (404, "app_not_found")
        assert text.startswith("App mode is not in the supported list: {")


async def test_a_conversation_counts_as_read_once_somebody_has_looked(
    owner: ConsoleCaller, talk: Talk
) -> None:
    path = f"{talk.path}/chat-conversations/{talk.second['conversation_id']}"

    first = (await owner.get(path)).ok
    again = (await owner.get(path)).ok

    assert isinstance(first["read_at"], int)
    assert again == first
    assert first["first_message"]["query"] == "100% plums"
    assert (first["introduction"], first["inputs"]) == ("", {})
    for other in (UNKNOWN, "x"):
        assert (await owner.get(f"{talk.path}/chat-conversations/{other}")).error == (
            404,
            "not_found",
            "Conversation Not Exists.",
        )


async def test_a_deleted_conversation_is_gone_for_everybody(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Forgetful"))
    said = await caller.said("hi")
    path = f"/apps/{caller.app_id}/chat-conversations/{said['conversation_id']}"

    assert (await owner.delete(path)).status == 204

    assert (await owner.delete(path)).error[:2] == (404, "not_found")
    assert (await owner.get(path)).status == 404
    assert await caller.conversations() == []


async def test_conversations_of_the_debugger_are_left_out(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Debugged"))
    now = house.runtime.clock.now()
    debugged = Conversation(
        house.runtime.ids.new(), caller.app_id, "x", "console", now, now, invoke_from="debugger"
    )
    await house.runtime.store.write(lambda connection: conversations.insert(connection, debugged))

    assert (await owner.get(f"/apps/{caller.app_id}/chat-conversations")).ok["total"] == 0


@pytest.mark.requirement("console-36", "console-37")
async def test_messages_are_read_backwards_page_by_page(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Long"))
    said = [await caller.said("m0")]
    cid = said[0]["conversation_id"]
    said += [await caller.said(f"m{n}", conversation_id=cid) for n in range(1, 25)]
    path = f"/apps/{caller.app_id}/chat-messages"

    newest = (await owner.get(path, conversation_id=cid, limit=10, page=2)).ok
    older = (await owner.get(path, conversation_id=cid, limit=10, first_id=newest["data"][0]["id"])).ok

    assert sorted(newest) == ["data", "has_more", "limit"]
    assert [m["query"] for m in newest["data"]] == [f"m{n}" for n in range(15, 25)]
    assert [m["query"] for m in older["data"]] == [f"m{n}" for n in range(5, 15)]
    assert (newest["has_more"], older["has_more"], newest["limit"]) == (True, True, 10)
    item = newest["data"][-1]
    assert (item["id"], item["answer"], item["message"]) == (said[-1]["message_id"], said[-1]["answer"], "")
    assert sorted(item) == sorted(
        [
            "id",
            "conversation_id",
            "inputs",
            "query",
            "message",
            "message_tokens",
            "answer",
            "answer_tokens",
            "provider_response_latency",
            "from_source",
            "from_end_user_id",
            "from_account_id",
            "feedbacks",
            "workflow_run_id",
            "annotation",
            "annotation_hit_history",
            "created_at",
            "agent_thoughts",
            "message_files",
            "metadata",
            "status",
            "error",
            "parent_message_id",
            "extra_contents",
        ]
    )
    assert item["message_tokens"] > 0
    assert (await owner.get(f"/apps/{caller.app_id}/messages/{item['id']}")).ok == item
    error = (await owner.get(path, conversation_id=cid, first_id=UNKNOWN)).error
    assert error == (404, "not_found", "First message not found")


@pytest.mark.requirement("console-38")
async def test_messages_of_nothing_are_not_found(owner: ConsoleCaller, talk: Talk) -> None:
    path = f"{talk.path}/chat-messages"
    assert (await owner.get(path, conversation_id=UNKNOWN)).error == (
        404,
        "not_found",
        "Conversation Not Exists.",
    )
    for query in ({}, {"conversation_id": "x"}, {"conversation_id": UNKNOWN, "limit": 101}):
        assert (await owner.get(path, **query)).error[:2] == (400, "invalid_param")
    for mid in (UNKNOWN, "x"):
        for end in (f"messages/{mid}", f"chat-messages/{mid}/suggested-questions"):
            assert (await owner.get(f"{talk.path}/{end}")).error == (404, "not_found", "Message Not Exists.")


async def test_questions_are_suggested_where_the_app_does_so(
    owner: ConsoleCaller, talk: Talk, flow: Caller
) -> None:
    said = await flow.said("hello", user="curious")
    reply = await owner.get(f"/apps/{flow.app_id}/chat-messages/{said['message_id']}/suggested-questions")
    assert isinstance(reply.ok["data"], list)
    mid = talk.second["message_id"]
    assert (await owner.get(f"{talk.path}/chat-messages/{mid}/suggested-questions")).ok == {"data": []}


@pytest.mark.requirement("console-39")
async def test_what_the_makers_think_is_theirs(owner: ConsoleCaller, talk: Talk) -> None:
    message, path = talk.second, f"{talk.path}/feedbacks"
    body = {"message_id": message["message_id"], "rating": "like", "content": "well done"}

    assert (await owner.post(path, body)).ok == {"result": "success"}
    assert (await owner.post(path, body)).ok == {"result": "success"}

    shown = (await owner.get(f"{talk.path}/messages/{message['message_id']}")).ok["feedbacks"]
    assert [(one["rating"], one["content"], one["from_source"]) for one in shown] == [
        ("like", "well done", "admin")
    ]
    assert shown[0]["from_account"]["email"] == "owner@b.c"
    theirs = await talk.caller.messages(message["conversation_id"], user="ben")
    assert theirs[0]["feedback"] is None
    item = (await owner.get(f"{talk.path}/chat-conversations", keyword="plums")).ok["data"][0]
    assert (item["admin_feedback_stats"], item["user_feedback_stats"]) == (
        {"like": 1, "dislike": 0},
        {"like": 0, "dislike": 0},
    )
    revoke = {"message_id": message["message_id"], "rating": None}
    assert (await owner.post(path, revoke)).ok == {"result": "success"}
    assert (await owner.post(path, revoke)).error[:2] == (400, "invalid_param")
    missing = await owner.post(path, {"message_id": UNKNOWN, "rating": "like"})
    assert missing.error == (404, "not_found", "Message Not Exists.")


@pytest.mark.requirement("console-40")
async def test_feedback_can_be_taken_along(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Rated"))
    said = await caller.said("=1+1")
    liked = await caller.said("x" * 600)
    path = f"/apps/{caller.app_id}/feedbacks"
    await owner.post(path, {"message_id": said["message_id"], "rating": "dislike", "content": "@SUM(1)"})
    await owner.post(path, {"message_id": liked["message_id"], "rating": "like"})

    reply = await owner.get(f"{path}/export", format="json")

    assert reply.headers["content-disposition"].startswith(
        f"attachment; filename=dify_feedback_export_{caller.app_id}_"
    )
    body = reply.ok
    assert sorted(body["export_info"]) == ["app_id", "data_source", "export_date", "total_records"]
    assert body["export_info"]["total_records"] == len(body["feedback_data"]) == 2
    newest, oldest = body["feedback_data"]
    assert len(newest["ai_response"]) == 503
    assert newest["ai_response"].endswith("...")
    assert (newest["feedback_rating"], newest["has_comment"]) == ("👍", "No")
    assert (oldest["user_query"], oldest["feedback_comment"], oldest["feedback_rating_raw"]) == (
        "=1+1",
        "@SUM(1)",
        "dislike",
    )
    table = await owner.get(f"{path}/export")
    assert table.headers["content-type"] == "text/csv; charset=utf-8-sig"
    rows = list(csv.DictReader(io.StringIO(table.body.decode())))
    assert list(rows[0]) == list(newest)
    assert (rows[1]["user_query"], rows[1]["feedback_comment"]) == ("'=1+1", "'@SUM(1)")


async def test_feedback_is_taken_along_by_source_rating_comment_and_day(
    house: House, owner: ConsoleCaller
) -> None:
    caller = await house.serve(apps.echo_flow(name="Judged"))
    said = await caller.said("hi")
    days = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2)]
    judgements: list[tuple[Rating, FeedbackSource, datetime, str | None]] = [
        ("like", "user", days[0], None),
        ("dislike", "admin", days[1], "hm"),
    ]
    given = [
        Feedback(
            house.runtime.ids.new(),
            caller.app_id,
            said["conversation_id"],
            said["message_id"],
            rating,
            source,
            day,
            day,
            content=content,
        )
        for rating, source, day, content in judgements
    ]
    for one in given:
        await house.runtime.store.write(
            lambda connection, one=one: feedbacks.put(connection, one)  # type: ignore[misc]
        )

    async def export(**query: str) -> list[str]:
        path = f"/apps/{caller.app_id}/feedbacks/export"
        rows = (await owner.get(path, format="json", **query)).ok["feedback_data"]
        return [row["feedback_source"] for row in rows]

    assert await export() == ["admin", "user"]
    assert await export(from_source="user") == ["user"]
    assert await export(rating="dislike") == ["admin"]
    assert await export(has_comment="true") == ["admin"]
    assert await export(has_comment="false") == ["user"]
    assert await export(start_date="2026-01-02") == ["admin"]
    assert await export(end_date="2026-01-01") == ["user"]
    assert await export(end_date="9999-12-31") == ["admin", "user"]
    bad = await owner.get(f"/apps/{caller.app_id}/feedbacks/export", start_date="01/02/2026")
    assert bad.error == (
        400,
        "invalid_param",
        "Parameter validation error: Invalid start_date format: 01/02/2026. Use YYYY-MM-DD",
    )
