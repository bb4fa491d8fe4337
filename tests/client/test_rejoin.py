"""Streams that break off and are joined again, and runs that wait for people."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.client.fake import Chunks, MakeClient, frames, refused, said, streamed
from tests.client.test_events import END, FINISHED, STARTED, piece
from weft import errors, wire
from weft.client import AsyncClient, AsyncEventStream, FormReply

pytestmark = pytest.mark.anyio

COMMON: dict[str, object] = {"task_id": "t1", "message_id": "m1", "conversation_id": "c1", "created_at": 5}
BROKEN = httpx2.RemoteProtocolError("peer closed connection")


def node(event: str, id: str, **data: object) -> dict[str, object]:
    status = {"status": "succeeded"} if event == "node_finished" else {}
    return {
        **COMMON,
        "event": event,
        "workflow_run_id": "r1",
        "data": {"id": id, "node_id": f"n{id}", **status, **data},
    }


FORM = {
    "form_id": "f1",
    "node_id": "n1",
    "node_title": "Ask",
    "form_content": "Who?",
    "inputs": [],
    "actions": [{"id": "ok", "title": "OK"}],
    "form_token": "tok",
}
ASKED = {**COMMON, "event": "human_input_required", "workflow_run_id": "r1", "data": FORM}
PAUSED = {
    **COMMON,
    "event": "workflow_paused",
    "workflow_run_id": "r1",
    "data": {"workflow_run_id": "r1", "paused_nodes": ["n1"], "status": "paused", "created_at": 7},
}
RESUMED = {
    **COMMON,
    "event": "workflow_started",
    "workflow_run_id": "r1",
    "data": {"id": "r1", "reason": "resumption"},
}


async def events_of(stream: AsyncEventStream) -> list[str]:
    return [event.event async for event in stream]


def make_quiet(make: MakeClient, *answers: Any) -> tuple[AsyncClient, Any, list[float]]:
    waits: list[float] = []
    client, fake = make(*answers, waits=waits)
    return client, fake, waits


async def test_a_stream_that_breaks_off_is_joined_again_without_telling_anything_twice(
    make: MakeClient,
) -> None:
    first = [STARTED, node("node_started", "1"), node("node_finished", "1"), piece("Hel")]
    replay = [STARTED, node("node_started", "1"), node("node_finished", "1"), node("node_started", "2")]
    kept = {"limit": 20, "has_more": False, "data": [{"id": "m1", "answer": "Hello world"}]}
    client, fake, waits = make_quiet(
        make,
        streamed(Chunks(frames(*first), BROKEN)),
        streamed(Chunks(frames(*replay, piece("world"), END, FINISHED))),
        said(kept),
    )
    stream = client.stream_chat_messages("hi", user="u1", reconnects=1)
    assert await events_of(stream) == [
        "workflow_started",
        "node_started",
        "node_finished",
        "message",
        "node_started",
        "message",
        "message_end",
        "workflow_finished",
        "message_replace",
    ]
    assert stream.result.answer == "Hello world"
    assert len(stream.result.node_events) == 3
    assert [(asked.url, asked.query) for asked in fake.asked[1:]] == [
        ("http://dify.test/v1/workflow/r1/events", {"user": "u1", "include_state_snapshot": "true"}),
        ("http://dify.test/v1/messages", {"conversation_id": "c1", "user": "u1", "limit": "20"}),
    ]
    assert waits == [1.0]


async def test_a_run_that_ended_meanwhile_gives_its_whole_answer(make: MakeClient) -> None:
    kept = {"limit": 20, "has_more": False, "data": [{"id": "m1", "answer": "Hello world"}]}
    client, _, _ = make_quiet(
        make,
        streamed(Chunks(frames(STARTED, piece("Hel")))),
        streamed(Chunks(frames(FINISHED))),
        said(kept),
    )
    result = await client.stream_chat_messages("hi", user="u1", reconnects=1).collect()
    assert (result.answer, result.status) == ("Hello world", "succeeded")


async def test_nothing_is_replaced_when_nothing_was_missed(make: MakeClient) -> None:
    kept = {"limit": 20, "has_more": False, "data": [{"id": "m1", "answer": "Hello"}]}
    client, _, _ = make_quiet(
        make,
        streamed(Chunks(frames(STARTED, piece("Hel")), BROKEN)),
        streamed(Chunks(frames(piece("lo"), END, FINISHED))),
        said(kept),
    )
    stream = client.stream_chat_messages("hi", user="u1", reconnects=1)
    assert "message_replace" not in await events_of(stream)
    assert stream.result.answer == "Hello"


async def test_joining_is_tried_as_often_as_was_asked(make: MakeClient) -> None:
    client, fake, waits = make_quiet(
        make,
        streamed(Chunks(frames(STARTED, piece("Hel")), BROKEN)),
        httpx2.ConnectError("refused"),
        httpx2.ConnectError("refused"),
    )
    with pytest.raises(errors.StreamBrokenError, match="peer closed connection") as caught:
        await client.stream_chat_messages("hi", user="u1", reconnects=2).collect()
    assert (caught.value.answer, len(fake.asked), waits) == ("Hel", 3, [1.0, 1.0])


async def test_a_server_that_cannot_be_joined_leaves_the_stream_broken(make: MakeClient) -> None:
    client, fake, _ = make_quiet(
        make, streamed(Chunks(frames(STARTED, piece("Hel")), BROKEN)), refused(404, "not_found")
    )
    with pytest.raises(errors.StreamBrokenError, match="peer closed connection"):
        await client.stream_chat_messages("hi", user="u1", reconnects=5).collect()
    assert len(fake.asked) == 2


async def test_a_stream_that_broke_off_before_its_run_began_is_not_joined(make: MakeClient) -> None:
    client, fake, _ = make_quiet(make, streamed(Chunks([b": hello\n\n"], BROKEN)))
    with pytest.raises(errors.StreamBrokenError):
        await client.stream_chat_messages("hi", user="u1", reconnects=5).collect()
    assert len(fake.asked) == 1


async def test_a_stream_of_a_workflow_app_is_joined_too(make: MakeClient) -> None:
    client, fake, _ = make_quiet(
        make, streamed(Chunks(frames(STARTED), BROKEN)), streamed(Chunks(frames(FINISHED)))
    )
    result = await client.stream_workflow({}, user="u1", reconnects=1).collect()
    assert (result.status, len(fake.asked)) == ("succeeded", 2)


async def test_the_events_of_a_run_can_be_joined_by_its_id(make: MakeClient) -> None:
    client, fake, _ = make_quiet(make, streamed(Chunks(frames(FINISHED))))
    result = await client.resume_events("r1", user="u1", has_message=False).collect()
    assert result.status == "succeeded"
    (asked,) = fake.asked
    assert (asked.method, asked.url, asked.query) == (
        "GET",
        "http://dify.test/v1/workflow/r1/events",
        {"user": "u1"},
    )


async def test_a_paused_run_is_joined_before_its_form_is_submitted(make: MakeClient) -> None:
    client, fake, _ = make_quiet(
        make,
        streamed(Chunks(frames(STARTED, piece("Wait. "), ASKED, PAUSED))),
        streamed(Chunks(frames(RESUMED, piece("Done."), END, FINISHED))),
        said({}),
        said({"limit": 20, "has_more": False, "data": [{"id": "m1", "answer": "Wait. Done."}]}),
    )
    stream = client.stream_chat_messages("hi", user="u1")
    result = await stream.collect()
    assert (result.status, result.finished) == ("paused", None)
    await stream.resume()
    await client.submit_form("tok", "ok", user="u1")
    assert (await stream.collect()).answer == "Wait. Done."
    assert result.pause is None
    assert result.status == "succeeded"
    assert fake.asked[1].query == {"user": "u1", "continue_on_pause": "true"}


async def test_a_stream_that_does_not_wait_cannot_be_resumed(make: MakeClient) -> None:
    client, _, _ = make_quiet(make, streamed(Chunks(frames(STARTED, END, FINISHED))))
    stream = client.stream_chat_messages("hi", user="u1")
    await stream.collect()
    with pytest.raises(errors.InvalidRequestError, match="no run waits"):
        await stream.resume()


async def test_every_form_of_a_run_is_filled_in(make: MakeClient) -> None:
    again = {**ASKED, "data": {**FORM, "form_id": "f2", "form_token": "tok2"}}
    paused_again = {**PAUSED, "data": {**PAUSED["data"], "created_at": 9}}  # type: ignore[dict-item]  # a dict
    client, fake, _ = make_quiet(
        make,
        streamed(Chunks(frames(STARTED, ASKED, PAUSED))),
        streamed(Chunks(frames(RESUMED, again, paused_again, RESUMED, piece("Done."), END, FINISHED))),
        said({}),
        said({}),
        said({"limit": 20, "has_more": False, "data": [{"id": "m1", "answer": "Done."}]}),
    )
    seen: list[str] = []

    def fill(form: wire.FormDefinition) -> FormReply:
        seen.append(form.form_id)
        return FormReply("ok", {"name": "A"})

    result = await client.chat_with_forms("hi", fill, user="u1")
    assert (result.answer, result.status, seen) == ("Done.", "succeeded", ["f1", "f2"])
    assert [asked.url.removeprefix("http://dify.test/v1") for asked in fake.asked] == [
        "/chat-messages",
        "/workflow/r1/events",
        "/form/human_input/tok",
        "/form/human_input/tok2",
        "/messages",
    ]


async def test_a_form_that_is_filled_in_elsewhere_is_an_error(make: MakeClient) -> None:
    mailed = {**ASKED, "data": {**FORM, "form_token": None}}
    client, _, _ = make_quiet(
        make, streamed(Chunks(frames(STARTED, mailed, PAUSED))), streamed(Chunks(frames(RESUMED)))
    )
    with pytest.raises(errors.InvalidRequestError, match="the form of 'Ask' cannot be submitted here"):
        await client.chat_with_forms("hi", lambda form: FormReply("ok"), user="u1")


async def test_without_a_form_nothing_is_filled_in(make: MakeClient) -> None:
    client, fake, _ = make_quiet(make, streamed(Chunks(frames(STARTED, piece("Hi"), END, FINISHED))))
    result = await client.chat_with_forms("hi", lambda form: FormReply("ok"), user="u1")
    assert (result.answer, len(fake.asked)) == ("Hi", 1)


@pytest.mark.parametrize(
    ("last", "error"),
    [("completed", None), ("error", errors.RunError), ("processing", errors.TransportError)],
)
async def test_a_job_is_waited_for(make: MakeClient, last: str, error: type[Exception] | None) -> None:
    def status(text: str) -> httpx2.Response:
        return said({"job_id": "j1", "job_status": text, "error_msg": "no model" if text == "error" else ""})

    client, fake, waits = make_quiet(
        make, status("waiting"), status("processing"), status(last), status(last)
    )
    if error is None:
        done = await client.wait_for_annotation_reply("enable", "j1", timeout=1.0)
        assert (done.job_status, waits) == ("completed", [0.5, 0.5])
    else:
        with pytest.raises(error, match="no model" if last == "error" else "not done after 1 seconds"):
            await client.wait_for_annotation_reply("enable", "j1", timeout=1.0)
    assert fake.asked[0].url == "http://dify.test/v1/apps/annotation-reply/enable/status/j1"
