from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.client.fake import KEY, MakeClient, refused, said
from weft import errors, wire
from weft.client import AsyncClient, Timeouts

pytestmark = pytest.mark.anyio

V1 = "http://dify.test/v1"
CONVERSATION = {"id": "c1", "name": "N", "inputs": {}, "status": "normal", "created_at": 5, "updated_at": 6}
VARIABLE = {"id": "v1", "name": "topic", "value_type": "string", "value": "x"}
ANSWER = {
    "event": "message",
    "task_id": "t1",
    "id": "m1",
    "message_id": "m1",
    "conversation_id": "c1",
    "answer": "hello",
    "created_at": 5,
}
RUN = {"id": "r1", "status": "succeeded"}
UUID = "01234567-89ab-4def-8123-456789abcdef"

Operation = Callable[[AsyncClient], Awaitable[Any]]
CASES: dict[str, tuple[Operation, str, str, dict[str, str], object, object, object]] = {
    "chat_messages": (
        lambda c: c.chat_messages("hi", user="u1"),
        "POST",
        "/chat-messages",
        {},
        {"query": "hi", "user": "u1", "inputs": {}, "auto_generate_name": True, "response_mode": "blocking"},
        ANSWER,
        wire.ChatAnswer.from_dict(ANSWER),
    ),
    "chat_messages, everything given": (
        lambda c: c.chat_messages(
            "hi",
            user="u1",
            inputs={"city": "Rome"},
            conversation_id=UUID,
            files=[wire.FileInput.local(UUID, "image"), {"transfer_method": "remote_url", "url": "http://x"}],
            auto_generate_name=False,
            workflow_id=UUID,
        ),
        "POST",
        "/chat-messages",
        {},
        {
            "query": "hi",
            "user": "u1",
            "inputs": {"city": "Rome"},
            "conversation_id": UUID,
            "files": [
                {"type": "image", "transfer_method": "local_file", "upload_file_id": UUID},
                {"transfer_method": "remote_url", "url": "http://x"},
            ],
            "auto_generate_name": False,
            "workflow_id": UUID,
            "response_mode": "blocking",
        },
        ANSWER,
        wire.ChatAnswer.from_dict(ANSWER),
    ),
    "stop": (
        lambda c: c.stop("t/1", user="u1"),
        "POST",
        "/chat-messages/t%2F1/stop",
        {},
        {"user": "u1"},
        {"result": "success"},
        None,
    ),
    "messages": (
        lambda c: c.messages("c1", user="u1", first_id="m2", limit=5),
        "GET",
        "/messages",
        {"conversation_id": "c1", "user": "u1", "first_id": "m2", "limit": "5"},
        None,
        {"limit": 5, "has_more": False, "data": [{"id": "m1"}]},
        wire.MessagePage(limit=5, data=[wire.Message(id="m1")]),
    ),
    "conversations": (
        lambda c: c.conversations(user="ü 1&", sort_by="created_at"),
        "GET",
        "/conversations",
        {"user": "ü 1&", "limit": "20", "sort_by": "created_at"},
        None,
        {"limit": 20, "has_more": True, "data": [CONVERSATION]},
        wire.ConversationPage(has_more=True, data=[wire.Conversation.from_dict(CONVERSATION)]),
    ),
    "rename_conversation": (
        lambda c: c.rename_conversation("c1", "N", user="u1"),
        "POST",
        "/conversations/c1/name",
        {},
        {"name": "N", "user": "u1", "auto_generate": False},
        CONVERSATION,
        wire.Conversation.from_dict(CONVERSATION),
    ),
    "delete_conversation": (
        lambda c: c.delete_conversation("c1"),
        "DELETE",
        "/conversations/c1",
        {},
        {},
        None,
        None,
    ),
    "conversation_variables": (
        lambda c: c.conversation_variables("c1", user="u1", variable_name="top"),
        "GET",
        "/conversations/c1/variables",
        {"user": "u1", "limit": "20", "variable_name": "top"},
        None,
        {"limit": 20, "has_more": False, "data": [VARIABLE]},
        wire.VariablePage(data=[wire.ConversationVariable.from_dict(VARIABLE)]),
    ),
    "update_conversation_variable": (
        lambda c: c.update_conversation_variable("c1", "v1", None, user="u1"),
        "PUT",
        "/conversations/c1/variables/v1",
        {},
        {"value": None, "user": "u1"},
        VARIABLE,
        wire.ConversationVariable.from_dict(VARIABLE),
    ),
    "info": (lambda c: c.info(), "GET", "/info", {}, None, {"name": "A"}, wire.AppInfo(name="A")),
    "parameters": (lambda c: c.parameters(), "GET", "/parameters", {}, None, {}, wire.AppParameters()),
    "meta": (
        lambda c: c.meta(),
        "GET",
        "/meta",
        {},
        None,
        {"tool_icons": {"a": "http://x", "b": {"background": "#fff", "content": "B"}}},
        wire.AppMeta(tool_icons={"a": "http://x", "b": wire.ToolIcon(background="#fff", content="B")}),
    ),
    "site": (lambda c: c.site(), "GET", "/site", {}, None, {"title": "T"}, wire.Site(title="T")),
    "workflow_run": (
        lambda c: c.workflow_run("r1"),
        "GET",
        "/workflows/run/r1",
        {},
        None,
        RUN,
        wire.RunDetail.from_dict(RUN),
    ),
    "workflow_logs": (
        lambda c: c.workflow_logs(
            page=2,
            keyword="k",
            status="failed",
            created_before=datetime(2024, 5, 1, 12),  # naive on purpose
            created_after=datetime(2024, 5, 1, tzinfo=UTC),
            end_user_session_id="u1",
            account="a@b.c",
        ),
        "GET",
        "/workflows/logs",
        {
            "page": "2",
            "limit": "20",
            "keyword": "k",
            "status": "failed",
            "created_at__before": "2024-05-01T12:00:00Z",
            "created_at__after": "2024-05-01T00:00:00Z",
            "created_by_end_user_session_id": "u1",
            "created_by_account": "a@b.c",
        },
        None,
        {"page": 2, "limit": 20, "total": 21, "has_more": False, "data": [{"id": "l1", "workflow_run": RUN}]},
        wire.WorkflowLogPage(
            page=2,
            total=21,
            data=[wire.WorkflowLog(id="l1", workflow_run=wire.RunSummary.from_dict(RUN))],
        ),
    ),
    "run_workflow": (
        lambda c: c.run_workflow({"x": 1}, user="u1"),
        "POST",
        "/workflows/run",
        {},
        {"user": "u1", "inputs": {"x": 1}, "response_mode": "blocking"},
        {"task_id": "t1", "workflow_run_id": "r1", "data": {"id": "r1", "status": "failed", "error": "boom"}},
        wire.WorkflowAnswer(
            task_id="t1",
            workflow_run_id="r1",
            data=wire.WorkflowResult(id="r1", status=wire.RunStatus.FAILED, error="boom"),
        ),
    ),
    "run_workflow, one version": (
        lambda c: c.run_workflow(user="u1", workflow_id="w1"),
        "POST",
        "/workflows/w1/run",
        {},
        {"user": "u1", "inputs": {}, "response_mode": "blocking"},
        {"task_id": "t1", "workflow_run_id": "r1", "data": RUN},
        wire.WorkflowAnswer(task_id="t1", workflow_run_id="r1", data=wire.WorkflowResult.from_dict(RUN)),
    ),
    "completion_messages": (
        lambda c: c.completion_messages({"query": "hi"}, user="u1"),
        "POST",
        "/completion-messages",
        {},
        {"user": "u1", "inputs": {"query": "hi"}, "response_mode": "blocking"},
        ANSWER,
        wire.ChatAnswer.from_dict(ANSWER),
    ),
    "stop_completion": (
        lambda c: c.stop_completion("t1", user="u1"),
        "POST",
        "/completion-messages/t1/stop",
        {},
        {"user": "u1"},
        {"result": "success"},
        None,
    ),
    "suggested_questions": (
        lambda c: c.suggested_questions("m1", user="u1"),
        "GET",
        "/messages/m1/suggested",
        {"user": "u1"},
        None,
        {"result": "success", "data": ["And then?"]},
        ["And then?"],
    ),
    "feedback": (
        lambda c: c.feedback("m1", "like", user="u1", content="good"),
        "POST",
        "/messages/m1/feedbacks",
        {},
        {"rating": "like", "content": "good", "user": "u1"},
        {"result": "success"},
        None,
    ),
    "feedback, taken back": (
        lambda c: c.feedback("m1", None, user="u1"),
        "POST",
        "/messages/m1/feedbacks",
        {},
        {"rating": None, "user": "u1"},
        {"result": "success"},
        None,
    ),
    "app_feedbacks": (
        lambda c: c.app_feedbacks(page=2),
        "GET",
        "/app/feedbacks",
        {"page": "2", "limit": "20"},
        None,
        {"data": [{"id": "f1", "rating": "like"}]},
        wire.FeedbackList(data=[wire.Feedback(id="f1", rating="like")]),
    ),
    "end_user": (
        lambda c: c.end_user("e1"),
        "GET",
        "/end-users/e1",
        {},
        None,
        {"id": "e1", "session_id": "u1"},
        wire.EndUser(id="e1", session_id="u1"),
    ),
    "upload_file": (
        lambda c: c.upload_file(b"abc", filename="ü.txt", user="u1"),
        "POST",
        "/files/upload",
        {},
        {"user": "u1", "file": ("ü.txt", "text/plain", b"abc")},
        {"id": "f1", "name": "ü.txt", "size": 3},
        wire.FileUpload(id="f1", name="ü.txt", size=3),
    ),
    "audio_to_text": (
        lambda c: c.audio_to_text(b"abc", filename="a.mp3", mime_type="audio/mp3"),
        "POST",
        "/audio-to-text",
        {},
        {"file": ("a.mp3", "audio/mp3", b"abc")},
        {"text": "hello"},
        wire.AudioToTextAnswer(text="hello"),
    ),
    "annotations": (
        lambda c: c.annotations(keyword="q"),
        "GET",
        "/apps/annotations",
        {"page": "1", "limit": "20", "keyword": "q"},
        None,
        {"data": [{"id": "a1"}], "has_more": False, "limit": 20, "total": 1, "page": 1},
        wire.AnnotationPage(total=1, data=[wire.Annotation(id="a1")]),
    ),
    "create_annotation": (
        lambda c: c.create_annotation("q", "a"),
        "POST",
        "/apps/annotations",
        {},
        {"question": "q", "answer": "a"},
        {"id": "a1", "question": "q", "answer": "a"},
        wire.Annotation(id="a1", question="q", answer="a"),
    ),
    "update_annotation": (
        lambda c: c.update_annotation("a1", "q", "b"),
        "PUT",
        "/apps/annotations/a1",
        {},
        {"question": "q", "answer": "b"},
        {"id": "a1", "question": "q", "answer": "b"},
        wire.Annotation(id="a1", question="q", answer="b"),
    ),
    "delete_annotation": (
        lambda c: c.delete_annotation("a1"),
        "DELETE",
        "/apps/annotations/a1",
        {},
        None,
        None,
        None,
    ),
    "enable_annotation_reply": (
        lambda c: c.enable_annotation_reply(
            score_threshold=0.9, embedding_provider_name="p", embedding_model_name="m"
        ),
        "POST",
        "/apps/annotation-reply/enable",
        {},
        {"score_threshold": 0.9, "embedding_provider_name": "p", "embedding_model_name": "m"},
        {"job_id": "j1", "job_status": "waiting"},
        wire.AnnotationReplyJob(job_id="j1", job_status="waiting"),
    ),
    "disable_annotation_reply": (
        lambda c: c.disable_annotation_reply(),
        "POST",
        "/apps/annotation-reply/disable",
        {},
        {"score_threshold": 1.0, "embedding_provider_name": "", "embedding_model_name": ""},
        {"job_id": "j1", "job_status": "waiting"},
        wire.AnnotationReplyJob(job_id="j1", job_status="waiting"),
    ),
    "annotation_reply_job": (
        lambda c: c.annotation_reply_job("enable", "j1"),
        "GET",
        "/apps/annotation-reply/enable/status/j1",
        {},
        None,
        {"job_id": "j1", "job_status": "processing", "error_msg": ""},
        wire.AnnotationReplyJobStatus(job_id="j1", job_status="processing", error_msg=""),
    ),
    "get_form": (
        lambda c: c.get_form("tok"),
        "GET",
        "/form/human_input/tok",
        {},
        None,
        {"form_content": "Who?", "inputs": [], "user_actions": [{"id": "ok"}]},
        wire.HumanInputForm(form_content="Who?", inputs=[], user_actions=[wire.FormAction(id="ok")]),
    ),
    "submit_form": (
        lambda c: c.submit_form("tok", "ok", {"name": "A"}, user="u1"),
        "POST",
        "/form/human_input/tok",
        {},
        {"user": "u1", "inputs": {"name": "A"}, "action": "ok"},
        {},
        None,
    ),
    "stop_workflow": (
        lambda c: c.stop_workflow("t1", user="u1"),
        "POST",
        "/workflows/tasks/t1/stop",
        {},
        {"user": "u1"},
        {"result": "success"},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_an_operation_asks_as_documented_and_returns_its_model(make: MakeClient, case: str) -> None:
    operation, method, path, query, body, answer, expected = CASES[case]
    client, fake = make(httpx2.Response(204) if answer is None else said(answer))
    result = await operation(client)
    (asked,) = fake.asked
    assert (asked.method, asked.url, asked.query, asked.body) == (method, V1 + path, query, body)
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    kind = asked.headers.get("content-type")
    if isinstance(body, dict) and "file" in body:
        assert kind is not None
        assert kind.startswith("multipart/form-data; boundary=")
    else:
        assert kind == (None if body is None else "application/json")
    assert result == expected


async def test_an_answer_to_a_message_may_take_as_long_as_a_run(make: MakeClient) -> None:
    timeouts = Timeouts(connect=1, write=2, read=3, run=4, pool=5)
    client, fake = make(said(ANSWER), said({"name": "A"}), timeouts=timeouts)
    await client.chat_messages("hi", user="u1")
    await client.info()
    assert [asked.timeout for asked in fake.asked] == [
        {"connect": 1, "read": 4, "write": 2, "pool": 5},
        {"connect": 1, "read": 3, "write": 2, "pool": 5},
    ]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda c: c.chat_messages("", user="u1"), "query is required"),
        (lambda c: c.chat_messages("hi", user=""), "Arg user must be provided."),
        (
            lambda c: c.chat_messages("hi", user="u1", conversation_id="x"),
            "conversation_id must be a valid UUID",
        ),
        (lambda c: c.rename_conversation("c1"), "name is required when auto_generate is false"),
        (lambda c: c.delete_conversation(".."), "'..' cannot be an id; give the id of the thing you mean"),
    ],
)
async def test_a_request_that_would_be_refused_is_not_sent(
    make: MakeClient, operation: Operation, message: str
) -> None:
    client, fake = make()
    with pytest.raises(errors.InvalidRequestError) as caught:
        await operation(client)
    assert (str(caught.value), fake.asked) == (message, [])


async def test_an_error_is_raised_in_its_class(make: MakeClient) -> None:
    client, _ = make(refused(404, "not_found", "Conversation Not Exists."))
    with pytest.raises(errors.NotFoundError, match=r"^Conversation Not Exists\.$"):
        await client.messages("c1", user="u2")


async def test_a_key_that_a_server_echoes_is_masked(make: MakeClient) -> None:
    client, _ = make(httpx2.Response(500, text=f"<pre>Authorization: Bearer {KEY}</pre>"))
    with pytest.raises(errors.ServerError) as caught:
        await client.info()
    assert vars(caught.value)["body"] == "<pre>Authorization: Bearer ***</pre>"


def page(*ids: str, more: bool) -> httpx2.Response:
    return said({"limit": 2, "has_more": more, "data": [{"id": id} for id in ids]})


async def test_all_conversations_follow_the_last_id(make: MakeClient) -> None:
    client, fake = make(page("a", "b", more=True), page("c", more=False))
    assert [c.id async for c in client.iter_conversations(user="u1", limit=2)] == ["a", "b", "c"]
    common = {"user": "u1", "limit": "2", "sort_by": "-updated_at"}
    assert [asked.query for asked in fake.asked] == [common, {**common, "last_id": "b"}]


async def test_all_variables_follow_the_last_id(make: MakeClient) -> None:
    client, fake = make(page("a", "b", more=True), page("c", more=False))
    assert [v.id async for v in client.iter_conversation_variables("c1", limit=2)] == ["a", "b", "c"]
    assert [asked.query for asked in fake.asked] == [{"limit": "2"}, {"limit": "2", "last_id": "b"}]


@pytest.mark.parametrize(
    ("order", "ids"), [("asc", ["a", "b", "c", "d", "e"]), ("desc", ["e", "d", "c", "b", "a"])]
)
async def test_all_messages_follow_the_first_id(make: MakeClient, order: Any, ids: list[str]) -> None:
    client, fake = make(page("d", "e", more=True), page("b", "c", more=True), page("a", more=False))
    assert [m.id async for m in client.iter_messages("c1", user="u1", limit=2, order=order)] == ids
    assert [asked.query.get("first_id") for asked in fake.asked] == [None, "d", "b"]


async def test_newest_messages_come_before_older_pages_are_asked_for(make: MakeClient) -> None:
    client, fake = make(page("d", "e", more=True))
    async for message in client.iter_messages("c1", order="desc"):
        assert message.id == "e"
        break
    assert len(fake.asked) == 1


async def test_walking_stops_when_a_server_repeats_itself_or_sends_nothing(make: MakeClient) -> None:
    client, fake = make(page("a", more=True), page("a", more=True), page(more=True))
    assert [c.id async for c in client.iter_conversations()] == ["a"]
    assert [c.id async for c in client.iter_conversations()] == []
    assert len(fake.asked) == 3


async def test_all_log_entries_are_given_once_although_pages_shift(make: MakeClient) -> None:
    def logs(*ids: str, more: bool) -> httpx2.Response:
        data = [{"id": id, "workflow_run": RUN} for id in ids]
        return said({"page": 1, "limit": 2, "total": 9, "has_more": more, "data": data})

    client, fake = make(logs("e", "d", more=True), logs("d", "c", more=True), logs("b", more=False))
    assert [log.id async for log in client.iter_workflow_logs(limit=2, status="failed")] == [
        "e",
        "d",
        "c",
        "b",
    ]
    common = {"limit": "2", "status": "failed"}
    assert [asked.query for asked in fake.asked] == [{**common, "page": str(n)} for n in (1, 2, 3)]


async def test_a_client_closes_with_its_context(make: MakeClient) -> None:
    client, _ = make(said({"name": "A"}))
    async with client as entered:
        assert (await entered.info()).name == "A"
    with pytest.raises(RuntimeError, match="closed"):
        await client.info()
