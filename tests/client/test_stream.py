from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.client.fake import Chunks, MakeClient, frames, refused, said, streamed
from tests.client.test_events import END, ERROR, FINISHED, NODE_FINISHED, STARTED, piece
from weft import errors, wire
from weft.client import error_reply

pytestmark = pytest.mark.anyio

EVENTS = [STARTED, piece("Hello "), piece("world"), NODE_FINISHED, END, FINISHED]


async def test_events_arrive_in_order_and_the_connection_is_given_back(make: MakeClient) -> None:
    chunks = Chunks(frames(*EVENTS))
    client, fake = make(streamed(chunks))
    seen = []
    async with client.stream_chat_messages("hi", user="u1", inputs={"a": 1}) as stream:
        async for event in stream:
            seen.append(event.event)
    assert seen == [event["event"] for event in EVENTS]
    assert (stream.result.answer, chunks.closed) == ("Hello world", 1)
    (asked,) = fake.asked
    assert (asked.method, asked.url) == ("POST", "http://dify.test/v1/chat-messages")
    assert asked.headers["accept"] == "text/event-stream"
    assert asked.body == {
        "query": "hi",
        "user": "u1",
        "inputs": {"a": 1},
        "auto_generate_name": True,
        "response_mode": "streaming",
    }


async def test_a_stream_can_be_collected_in_one_call(make: MakeClient) -> None:
    everything = b"".join(frames(*EVENTS))
    chunks = Chunks([everything[:50], everything[50:51], everything[51:]])
    client, _ = make(streamed(chunks))
    result = await client.stream_chat_messages("hi", user="u1").collect()
    assert (result.answer, result.status, chunks.closed) == ("Hello world", "succeeded", 1)


async def test_nothing_is_sent_before_the_stream_is_read(make: MakeClient) -> None:
    client, fake = make()
    client.stream_chat_messages("hi", user="u1")
    with pytest.raises(errors.InvalidRequestError, match="query is required"):
        client.stream_chat_messages("", user="u1")
    assert fake.asked == []


async def test_leaving_early_closes_the_connection_and_reads_no_further(make: MakeClient) -> None:
    chunks = Chunks(frames(*EVENTS))
    client, fake = make(streamed(chunks))
    async with client.stream_chat_messages("hi", user="u1") as stream:
        async for event in stream:
            if isinstance(event, wire.MessageEvent):
                break
    assert (chunks.given_out, chunks.closed, len(fake.asked)) == (2, 1, 1)
    assert [event async for event in stream] == []


async def test_leaving_early_stops_the_run_on_request(make: MakeClient) -> None:
    client, fake = make(streamed(Chunks(frames(*EVENTS))), said({"result": "success"}))
    async with client.stream_chat_messages("hi", user="u1", stop_on_exit=True) as stream:
        async for _ in stream:
            break
    assert [(asked.url, asked.body) for asked in fake.asked[1:]] == [
        ("http://dify.test/v1/chat-messages/t1/stop", {"user": "u1"})
    ]


async def test_a_stream_read_to_its_end_is_not_stopped(make: MakeClient) -> None:
    client, fake = make(streamed(Chunks(frames(*EVENTS))))
    async with client.stream_chat_messages("hi", user="u1", stop_on_exit=True) as stream:
        await stream.collect()
    assert len(fake.asked) == 1


async def test_a_run_can_be_stopped_from_its_stream(make: MakeClient) -> None:
    client, fake = make(streamed(Chunks(frames(*EVENTS))), said({"result": "success"}))
    async with client.stream_workflow({"x": 1}, user="u1") as stream:
        assert await stream.stop() is False
        async for _ in stream:
            assert await stream.stop() is True
            break
    assert [asked.url for asked in fake.asked] == [
        "http://dify.test/v1/workflows/run",
        "http://dify.test/v1/workflows/tasks/t1/stop",
    ]


async def test_a_workflow_app_is_streamed_without_a_message(make: MakeClient) -> None:
    client, fake = make(streamed(Chunks(frames(STARTED, FINISHED))))
    result = await client.stream_workflow(user="u1", workflow_id="w1").collect()
    assert (result.outputs, fake.asked[0].url) == ({"answer": "ab"}, "http://dify.test/v1/workflows/w1/run")


async def test_an_error_event_closes_the_connection_and_keeps_the_answer(make: MakeClient) -> None:
    chunks = Chunks(frames(STARTED, piece("Hel"), ERROR, piece("never")))
    client, _ = make(streamed(chunks))
    stream = client.stream_chat_messages("hi", user="u1")
    with pytest.raises(errors.RunError) as caught:
        await stream.collect()
    reply = error_reply(caught.value)
    assert reply is not None
    assert (reply.answer, stream.result.answer, chunks.closed) == ("Hel", "Hel", 1)
    assert [event async for event in stream] == []


async def test_a_connection_that_breaks_keeps_the_answer(make: MakeClient) -> None:
    chunks = Chunks(frames(STARTED, piece("Hel")), httpx2.RemoteProtocolError("peer closed connection"))
    client, _ = make(streamed(chunks))
    with pytest.raises(errors.StreamBrokenError, match="peer closed connection") as caught:
        await client.stream_chat_messages("hi", user="u1").collect()
    assert (caught.value.answer, chunks.closed) == ("Hel", 1)


async def test_an_error_before_the_stream_is_an_ordinary_error(make: MakeClient) -> None:
    client, _ = make(refused(404, "not_found", "Conversation Not Exists."))
    with pytest.raises(errors.NotFoundError, match="Conversation Not Exists"):
        async with client.stream_chat_messages("hi", user="u1"):
            pass


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_an_answer_that_is_no_stream_is_a_server_error(make: MakeClient, content_type: str) -> None:
    chunks = Chunks([b"<html>login</html>"])
    client, _ = make(streamed(chunks, content_type))
    with pytest.raises(errors.ServerError, match=f"{content_type} instead of an event stream") as caught:
        await client.stream_chat_messages("hi", user="u1").collect()
    assert (caught.value.code, chunks.closed) == ("unknown", 1)


async def test_a_reader_that_is_cancelled_gives_the_connection_back(make: MakeClient) -> None:
    chunks = Chunks(frames(*EVENTS), asyncio.CancelledError())  # type: ignore[arg-type]  # stands for the loop's
    client, _ = make(streamed(chunks))
    chunks.pieces = chunks.pieces[:2]
    with pytest.raises(asyncio.CancelledError):
        await client.stream_chat_messages("hi", user="u1").collect()
    assert chunks.closed == 1
