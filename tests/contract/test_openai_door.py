"""Apps as models, called with OpenAI's own client, unchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from tests.contract import apps
from tests.contract.actor import Actor, Gate, raising
from tests.contract.caller import BOUND, Caller, is_id
from tests.contract.house import House, open_house
from weft.errors import RateLimitedError
from weft.providers import ChatRequest
from weft.runs import ReplySettings

pytestmark = pytest.mark.anyio

HEADER = "x-weft-conversation-id"


def client_of(caller: Caller, key: str | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key or caller.key, base_url=caller.url, max_retries=0, timeout=BOUND)


@pytest.fixture
async def client(flow: Caller) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(flow) as opened:
        yield opened


@pytest.fixture
async def remembering(house: House) -> Caller:
    """An app whose model is told what was said before."""
    return await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.llm("recalls", "Be kind.", memory=apps.MEMORY),
                apps.answer("{{#recalls.text#}}"),
            ],
            "start > recalls > answer",
            name="Remembers Everything!",
        )
    )


def ask(text: object) -> list[Any]:
    return [{"role": "user", "content": text}]


async def test_a_completion_is_a_whole_answer(client: AsyncOpenAI, user: str) -> None:
    completion = await client.chat.completions.create(model="f", messages=ask("hi"), user=user)
    (choice,) = completion.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "You said: hi")
    assert (choice.finish_reason, completion.object, completion.model) == ("stop", "chat.completion", "f")
    assert completion.usage is not None
    usage = completion.usage
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


async def test_a_completion_is_stored_as_a_message_of_its_user(
    client: AsyncOpenAI, flow: Caller, user: str
) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="f", messages=ask("hi"), user=user)
    conversation_id = raw.headers[HEADER]
    (message,) = await flow.messages(conversation_id, user=user)
    assert (message["query"], message["answer"]) == ("hi", "You said: hi")
    completion = raw.parse()
    assert completion.id == f"chatcmpl-{message['id']}"
    metadata = completion.model_dump()["metadata"]
    assert metadata == {"conversation_id": conversation_id, "message_id": message["id"]}


async def test_a_stream_gives_the_same_in_chunks(client: AsyncOpenAI, user: str) -> None:
    stream = await client.chat.completions.create(
        model="f", messages=ask("Grüße 你好"), user=user, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", "f")}
    assert len({chunk.id for chunk in chunks}) == 1
    first, *told, last, usage = chunks
    assert first.choices[0].delta.role == "assistant"
    texts = [chunk.choices[0].delta.content for chunk in told]
    assert (len(texts) > 1, "".join(text or "" for text in texts)) == (True, "You said: Grüße 你好")
    assert {chunk.choices[0].finish_reason for chunk in (first, *told)} == {None}
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert (usage.choices, usage.usage is not None and usage.usage.total_tokens > 0) == ([], True)
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert is_id(stream.response.headers[HEADER])


async def test_usage_is_streamed_only_when_asked_for(flow: Caller, user: str) -> None:
    body = {"model": "f", "messages": ask("hi"), "stream": True, "user": user}
    reply = await flow.post("/chat/completions", body)
    assert reply.body.endswith(b"\n\ndata: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in reply.body.decode().split("\n\n")[:-2]]
    assert [chunk for chunk in chunks if "usage" in chunk or not chunk["choices"]] == []


class Watching(httpx2.AsyncHTTPTransport):
    """Opens a gate when a ping has come."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=_Watched(response.stream, self._gate)
        )


class _Watched(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, gate: Gate) -> None:
        self._stream, self._gate = stream, gate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            if b": ping\n\n" in data:
                self._gate.open()
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_clients_pass_over_pings(folder: Path) -> None:
    actor, gate = Actor(), Gate()

    async def waiting(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()
        yield " two"

    actor.play("llm", waiting)
    async with open_house(folder, models=actor, server={"ping_seconds": 0.02}) as house:
        caller = await house.serve(apps.echo_flow(name="slow"))
        client = AsyncOpenAI(
            api_key=caller.key,
            base_url=caller.url,
            http_client=httpx2.AsyncClient(transport=Watching(gate), timeout=BOUND),
        )
        async with client:
            stream = await client.chat.completions.create(model="slow", messages=ask("hi"), stream=True)
            texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == "one two"


async def test_earlier_messages_are_what_the_model_remembers(
    remembering: Caller, user: str, actor: Actor
) -> None:
    async with client_of(remembering) as client:
        messages: Any = [
            {"role": "system", "content": "Ignored: the app has its own."},
            {"role": "assistant", "content": "Welcome!"},
            {"role": "user", "content": "I am Ada."},
            {"role": "user", "content": [{"type": "text", "text": "From Köln."}]},
            {"role": "assistant", "content": "Hello Ada."},
            {"role": "user", "content": "unanswered"},
            {"role": "user", "content": "Who am I?"},
        ]
        raw = await client.chat.completions.with_raw_response.create(
            model="any", messages=messages, user=user, temperature=0.5
        )
    (request,) = actor.asked("Who am I?")
    assert [(message.role, message.text) for message in request.messages][-3:] == [
        ("user", "I am Ada.\n\nFrom Köln."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
    ]
    stored = await remembering.messages(raw.headers[HEADER], user=user)
    assert [message["query"] for message in stored] == ["Who am I?"]


@pytest.mark.parametrize("by", ["header", "metadata"])
async def test_a_conversation_can_be_gone_on_with(
    remembering: Caller, user: str, actor: Actor, by: str
) -> None:
    actor.requests.clear()
    async with client_of(remembering) as client:
        first = await client.chat.completions.with_raw_response.create(
            model="m", messages=ask("I am Ada."), user=user
        )
        conversation_id = first.headers[HEADER]
        where: dict[str, Any] = (
            {"extra_headers": {HEADER: conversation_id}}
            if by == "header"
            else {"metadata": {"conversation_id": conversation_id}}
        )
        second = await client.chat.completions.with_raw_response.create(
            model="m", messages=[*ask("not this"), *ask("And now?")], user=user, **where
        )
    assert second.headers[HEADER] == conversation_id
    stored = await remembering.messages(conversation_id, user=user)
    assert [message["query"] for message in stored] == ["I am Ada.", "And now?"]
    (request,) = actor.asked("And now?")
    assert [message.text for message in request.messages][-3:] == [
        "I am Ada.",
        stored[0]["answer"],
        "And now?",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"extra_body": {"inputs": {"city": "Köln"}}},
        {"metadata": {"inputs": '{"city": "Köln"}'}},
        {"extra_body": {"metadata": {"inputs": {"city": "Köln"}}}},
    ],
)
async def test_inputs_come_beside_the_messages(
    client: AsyncOpenAI, flow: Caller, user: str, given: Any
) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="f", messages=ask("hi"), user=user, **given
    )
    (message,) = await flow.messages(raw.headers[HEADER], user=user)
    assert message["inputs"]["city"] == "Köln"


async def test_an_image_at_an_address_comes_with_the_question(
    client: AsyncOpenAI, flow: Caller, user: str
) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
    ]
    raw = await client.chat.completions.with_raw_response.create(model="f", messages=ask(content), user=user)
    (message,) = await flow.messages(raw.headers[HEADER], user=user)
    (file,) = message["message_files"]
    assert (file["type"], file["url"], file["transfer_method"]) == (
        "image",
        "https://example.com/cat.png",
        "remote_url",
    )


# Models


async def test_the_app_is_the_only_model(remembering: Caller) -> None:
    async with client_of(remembering) as client:
        (model,) = (await client.models.list()).data
        assert (model.id, model.object, model.owned_by) == ("remembers-everything", "model", "weft")
        for name in (model.id, "Remembers Everything!", remembering.app_id):
            assert await client.models.retrieve(name) == model
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("gpt-4o")
        assert (refused.value.code, refused.value.type) == ("model_not_found", "invalid_request_error")


async def test_an_app_that_does_not_chat_is_no_model(work: Caller) -> None:
    async with client_of(work) as client:
        assert (await client.models.list()).data == []
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("w")
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="w", messages=ask("hi"))
        assert refused.value.code == "not_chat_app"


# Errors


async def test_a_wrong_key_is_an_authentication_error(flow: Caller) -> None:
    async with client_of(flow, key="app-wrong") as client:
        for attempt in (client.models.list(), client.models.retrieve("f")):
            with pytest.raises(openai.AuthenticationError) as refused:
                await attempt
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="f", messages=ask("hi"))
    assert (refused.value.code, refused.value.body) == (
        "invalid_api_key",
        {
            "message": "Access token is invalid",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        },
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": ask("")}, "messages[0].content"),
        ({"messages": ask(None)}, "messages[0].content"),
        ({"messages": ask([{"type": "input_audio"}])}, "messages[0].content[0]"),
        ({"messages": ask(["x"])}, "messages[0].content[0]"),
        (
            {"messages": ask([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}])},
            "messages[0].content[0]",
        ),
        ({"n": 2}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"inputs": "x"}, "inputs"),
        ({"metadata": {"inputs": "[]"}}, "metadata.inputs"),
        ({"metadata": {"conversation_id": "x"}}, "metadata.conversation_id"),
        ({"inputs": {"city": 5}}, None),
        ({"user": "u" * 256}, "user"),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    flow: Caller, fields: dict[str, Any], param: str | None
) -> None:
    reply = await flow.post("/chat/completions", {"model": "f", "messages": ask("hi"), **fields})
    error = reply.json["error"]
    assert (reply.status, error["type"], error["code"]) == (400, "invalid_request_error", "invalid_param")
    assert param is None or error["param"] == param, error


async def test_an_unknown_conversation_is_not_found(client: AsyncOpenAI, user: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.chat.completions.create(
            model="f",
            messages=ask("hi"),
            user=user,
            metadata={"conversation_id": "00000000-0000-4000-8000-000000000000"},
        )
    assert "Conversation Not Exists." in str(refused.value)


async def test_a_run_that_fails_is_an_error_whole_or_streamed(failing: Caller) -> None:
    async with client_of(failing) as client:
        with pytest.raises(openai.BadRequestError, match=r"Run failed: .*boom"):
            await client.chat.completions.create(model="x", messages=ask("hi"))
        stream = await client.chat.completions.create(model="x", messages=ask("hi"), stream=True)
        with pytest.raises(openai.APIError, match=r"Run failed: .*boom") as broken:
            async for _ in stream:
                pass
        assert broken.value.code == "invalid_param"


async def test_a_service_that_is_too_busy_is_a_rate_limit(
    client: AsyncOpenAI, user: str, actor: Actor
) -> None:
    actor.play("busy", raising(RateLimitedError("slow down", provider="openai", model="m")))
    with pytest.raises(openai.RateLimitError) as refused:
        await client.chat.completions.create(model="f", messages=ask("busy"), user=user)
    actor.forget()
    assert (refused.value.code, refused.value.type) == ("rate_limit_exceeded", "rate_limit_error")


async def test_malformed_bodies_are_refused_in_the_same_form(flow: Caller) -> None:
    key = {"authorization": f"Bearer {flow.key}"}
    reply = await flow.call("POST", "/chat/completions", headers=key, data=b"{}")
    assert (reply.status, reply.json["error"]["code"]) == (415, "unsupported_media_type")
    key["content-type"] = "application/json"
    reply = await flow.call("POST", "/chat/completions", headers=key, data=b"{")
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")


# What an app does beside running


async def test_an_annotation_answers_here_too(folder: Path) -> None:
    async with open_house(folder) as house:
        caller = await house.serve(apps.echo_flow(name="annotated"))
        replies = house.runtime.annotation_replies
        await replies.create(caller.app_id, "When?", "At nine.")
        settings = ReplySettings(score_threshold=0.9, provider="openai", model="small")
        await replies.switch_on(caller.app_id, settings)
        async with client_of(caller) as client:
            completion = await client.chat.completions.create(model="a", messages=ask("when?"))
            stream = await client.chat.completions.create(
                model="a", messages=ask("WHEN?"), stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
    assert completion.choices[0].message.content == "At nine."
    *told, end, usage = chunks
    assert [chunk.choices[0].delta.content for chunk in told] == ["", "At nine."]
    assert end.choices[0].finish_reason == "stop"
    assert usage.usage is not None
    assert usage.usage.total_tokens == 0


async def test_a_call_goes_on_when_its_reader_leaves(flow: Caller, user: str, actor: Actor) -> None:
    gate = Gate()

    async def waiting(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()
        yield " two"

    actor.play("slowly", waiting)
    async with client_of(flow) as client:
        stream = await client.chat.completions.create(
            model="f", messages=ask("slowly"), user=user, stream=True
        )
        conversation_id = stream.response.headers[HEADER]
        await gate.seen()
        await stream.close()
    gate.open()
    actor.forget()
    async with asyncio.timeout(BOUND):
        while (await flow.messages(conversation_id, user=user))[0]["answer"] != "one two":
            pass
