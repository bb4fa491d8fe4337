from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from tests.providers.conftest import HeldClock
from weft.errors import (
    BadReplyError,
    ConfigError,
    CredentialsError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedModelError,
)
from weft.providers import (
    ChatChunk,
    ChatRequest,
    Message,
    ProviderConfig,
    Timeouts,
    TokenUsage,
    Tool,
    ToolCall,
)
from weft.providers.message import join_tool_calls
from weft.providers.openai_compatible import OpenAICompatible
from weft.providers.openai_endpoint import Reply
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio

_REQUEST = ChatRequest("m", [Message("user", "good morning")])
_KEY = "sk-very-secret"


@pytest.fixture
async def fake() -> AsyncIterator[FakeModels]:
    async with FakeModels() as service:
        yield service


class Opener:
    def __init__(self, url: str, clock: HeldClock) -> None:
        self.url = url
        self.clock = clock
        self.opened: list[OpenAICompatible] = []

    def __call__(self, **settings: Any) -> OpenAICompatible:
        config = ProviderConfig(**{"base_url": self.url, "api_key": _KEY, **settings})
        chat = OpenAICompatible("acme", config, clock=self.clock, jitter=lambda: 0.0)
        self.opened.append(chat)
        return chat


@pytest.fixture
async def open_chat(fake: FakeModels, clock: HeldClock) -> AsyncIterator[Opener]:
    opener = Opener(fake.url, clock)
    yield opener
    for chat in opener.opened:
        await chat.close()


async def _all(chat: OpenAICompatible, request: ChatRequest = _REQUEST) -> list[ChatChunk]:
    async with asyncio.timeout(5):
        return [chunk async for chunk in chat.stream_chat(request)]


async def _error(chat: OpenAICompatible) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await _all(chat)
    return caught.value


async def _until_error(chat: OpenAICompatible) -> tuple[list[ChatChunk], ProviderError]:
    chunks: list[ChatChunk] = []
    try:
        async with asyncio.timeout(5):
            async for chunk in chat.stream_chat(_REQUEST):
                chunks.append(chunk)
    except ProviderError as error:
        return chunks, error
    raise AssertionError(f"no error after {chunks}")


def _refusal(message: str, *, param: str | None = None, code: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


async def test_an_answer_streams_and_ends_with_its_tokens(fake: FakeModels, open_chat: Opener) -> None:
    assert await _all(open_chat()) == [
        ChatChunk("good"),
        ChatChunk(" morning"),
        ChatChunk(usage=TokenUsage(2, 2, 4), finish_reason="stop"),
    ]
    (request,) = fake.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {_KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "good morning"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_connections_are_used_again(fake: FakeModels, open_chat: Opener) -> None:
    chat = open_chat()
    for _ in range(5):
        await _all(chat)
    assert fake.connections == 1


async def test_two_hundred_calls_run_at_once(fake: FakeModels, open_chat: Opener) -> None:
    chat = open_chat()
    fake.then(*[Behaviour(text="a b", stall_after=2)] * 200)
    tasks = [asyncio.create_task(_all(chat)) for _ in range(200)]
    async with asyncio.timeout(5):
        await fake.received(200)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5):
        await fake.hung_up(200)
    assert fake.connections == 200


async def test_tools_images_and_schemas_reach_the_service(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(tool_calls=[ToolCall("c", "f", '{"x":1}')]))
    request = ChatRequest(
        "gpt-4o",
        [Message("user", "hi")],
        tools=[Tool("f", "", {"type": "object"})],
        response_schema={"type": "object"},
    )
    chunks = await _all(open_chat(), request)
    assert join_tool_calls(delta for chunk in chunks for delta in chunk.tool_calls) == [
        ToolCall("c", "f", '{"x":1}')
    ]
    assert chunks[-1].finish_reason == "tool_calls"
    assert fake.requests[0].json["response_format"]["type"] == "json_schema"


async def test_a_service_that_does_not_stream_still_answers(fake: FakeModels, open_chat: Opener) -> None:
    message = {"role": "assistant", "content": "all at once"}
    fake.then(Behaviour(body={"choices": [{"message": message, "finish_reason": "stop"}]}))
    assert await _all(open_chat()) == [
        ChatChunk("all at once"),
        ChatChunk(usage=TokenUsage(10, 3, 13), finish_reason="stop"),
    ]


async def test_characters_may_be_cut_between_reads(fake: FakeModels, open_chat: Opener) -> None:
    event = 'data: {"choices":[{"delta":{"content":"héllo 世界"},"finish_reason":"stop"}]}\r\n\r\n'.encode()
    fake.then(Behaviour(raw=[event[place : place + 1] for place in range(len(event))]))
    assert (await _all(open_chat()))[0] == ChatChunk("héllo 世界")


async def test_missing_usage_is_estimated(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(text="four 世界", usage=False))
    assert (await _all(open_chat()))[-1].usage == TokenUsage(10, 4, 14)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (Behaviour(status=401, body=_refusal("Incorrect API key")), CredentialsError, "check api_key in"),
        (Behaviour(status=403, body="forbidden"), CredentialsError, "forbidden"),
        (
            Behaviour(status=429, body=_refusal("no money", code="insufficient_quota")),
            QuotaExceededError,
            "no money",
        ),
        (Behaviour(status=404, body="<title>Nothing here</title>"), UnsupportedModelError, "Nothing here"),
        (Behaviour(status=400, body=_refusal("Model Not Exist")), UnsupportedModelError, "Model Not Exist"),
        (Behaviour(status=400, body=_refusal("too long")), ProviderError, r"\(400\): too long"),
        (
            Behaviour(status=302, headers={"Location": "https://u:p@x/y?k=1"}),
            BadReplyError,
            "to https://x/y;",
        ),
        (Behaviour(status=204), BadReplyError, "answered 204; check base_url"),
        (Behaviour(body="<html><title>Login</title>"), BadReplyError, "an HTML page: Login"),
        (Behaviour(raw=[b"data: oops\n\n"]), BadReplyError, "not JSON: oops"),
    ],
)
async def test_a_refusal_is_not_tried_again(
    fake: FakeModels, open_chat: Opener, behaviour: Behaviour, kind: type[ProviderError], words: str
) -> None:
    fake.then(behaviour)
    error = await _error(open_chat())
    assert (type(error), error.provider, error.model) == (kind, "acme", "m")
    assert len(fake.requests) == 1
    with pytest.raises(kind, match=words):
        raise error


@pytest.mark.parametrize(
    ("behaviour", "waits"),
    [
        (Behaviour(status=500), [0.5]),
        (Behaviour(status=503, body="<title>busy</title>"), [0.5]),
        (Behaviour(status=429), [0.5]),
        (Behaviour(status=429, headers={"Retry-After": "7"}), [7.0]),
        (Behaviour(status=429, headers={"Retry-After": "Sun, 01 Mar 2026 12:00:09 GMT"}), [9.0]),
        (Behaviour(break_after=0), [0.0]),
        (Behaviour(break_after=1), [0.5]),
        (Behaviour(raw=[b": hello\n\n"]), [0.5]),
        (Behaviour(raw=[b'data: {"error":{"code":503,"message":"busy"}}\n\n']), [0.5]),
    ],
)
async def test_a_passing_failure_is_tried_again(
    fake: FakeModels, open_chat: Opener, clock: HeldClock, behaviour: Behaviour, waits: list[float]
) -> None:
    fake.then(behaviour)
    assert (await _all(open_chat()))[0] == ChatChunk("good")
    assert clock.waits == waits


async def test_a_long_refusal_is_read_whole_and_its_connection_used_again(
    fake: FakeModels, open_chat: Opener
) -> None:
    body = {"padding": "x" * 200_000, "error": {"message": "busy"}}
    fake.then(Behaviour(status=503, body=body), Behaviour(status=400, body=body))
    assert str(await _error(open_chat())) == "provider 'acme' refused model 'm' (400): busy"
    assert fake.connections == 1


async def test_it_gives_up_after_the_configured_attempts(
    fake: FakeModels, open_chat: Opener, clock: HeldClock
) -> None:
    fake.then(*[Behaviour(status=503, body="busy")] * 9)
    assert isinstance(await _error(open_chat(max_retries=3)), BadReplyError)
    assert (len(fake.requests), clock.waits) == (4, [0.5, 1.0, 2.0])


async def test_it_does_not_wait_longer_than_configured(
    fake: FakeModels, open_chat: Opener, clock: HeldClock
) -> None:
    fake.then(Behaviour(status=429, headers={"Retry-After": "31"}, body=_refusal("slow down")))
    error = await _error(open_chat(max_retry_wait=30.0))
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, clock.waits) == (31.0, [])


async def test_after_the_first_chunk_nothing_is_tried_again(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(text="a b c", break_after=3))
    chunks, error = await _until_error(open_chat())
    assert chunks == [ChatChunk("a"), ChatChunk(" b")]
    assert isinstance(error, BadReplyError)
    assert str(error) == "provider 'acme', model 'm': the connection broke in the middle of the reply"
    assert len(fake.requests) == 1


async def test_chunks_that_waited_to_be_read_survive_a_break(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(text="a b c d", break_after=5, interval_s=0.001))
    texts = []
    error = None
    try:
        async for chunk in open_chat().stream_chat(_REQUEST):
            texts.append(chunk.text)
            # The consumer is slow: the rest and the break arrive while it is busy.
            await asyncio.wait_for(fake.closed(), 5)
            for _ in range(10):
                await asyncio.sleep(0)
    except BadReplyError as caught:
        error = caught
    assert (texts, type(error)) == (["a", " b", " c", " d"], BadReplyError)


async def test_an_error_inside_a_stream_comes_after_its_chunks(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(
        Behaviour(
            raw=[
                b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
                b'data: {"error":{"code":429,"message":"slow down"}}\n\n'
            ]
        )
    )
    chunks, error = await _until_error(open_chat())
    assert (chunks, type(error)) == ([ChatChunk("a")], RateLimitedError)


async def test_silence_before_the_first_byte_is_bounded(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(stall_after=0))
    error = await _error(open_chat(timeouts=Timeouts(first_byte=0.05)))
    assert isinstance(error, ProviderTimeoutError)
    assert "sent nothing for 0.05 s; raise timeouts.first_byte in [providers." in str(error)
    assert len(fake.requests) == 1
    await asyncio.wait_for(fake.hung_up(), 5)


async def test_silence_between_chunks_is_bounded(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(text="a b c", stall_after=3))
    chunks, error = await _until_error(open_chat(timeouts=Timeouts(between_chunks=0.05)))
    assert chunks == [ChatChunk("a"), ChatChunk(" b")]
    assert isinstance(error, ProviderTimeoutError)
    assert "sent nothing for 0.05 s in the middle of its reply; raise timeouts.between_chunks" in str(error)
    await asyncio.wait_for(fake.hung_up(), 5)


async def test_a_slow_consumer_is_not_a_silent_service(
    fake: FakeModels, open_chat: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = asyncio.Event()
    check = Reply._check

    def check_and_tell(reply: Reply) -> None:
        check(reply)
        checked.set()

    monkeypatch.setattr(Reply, "_check", check_and_tell)
    fake.then(Behaviour(text="a b c"))
    texts = []
    async for chunk in open_chat(timeouts=Timeouts(between_chunks=0.01)).stream_chat(_REQUEST):
        texts.append(chunk.text)
        if chunk.text:
            await asyncio.wait_for(checked.wait(), 5)
    assert texts == ["a", " b", " c", ""]


async def test_a_stream_that_is_never_closed_ends_with_its_reason(
    fake: FakeModels, open_chat: Opener
) -> None:
    fake.then(Behaviour(text="a", done=False, usage=False, stall_after=3))
    chunks = await _all(open_chat(timeouts=Timeouts(between_chunks=0.05)))
    assert chunks == [ChatChunk("a"), ChatChunk(usage=TokenUsage(10, 1, 11), finish_reason="stop")]


async def test_a_service_out_of_reach_is_tried_again_and_named(clock: HeldClock) -> None:
    with socket.socket() as taken:
        # Bound and not listening, so that nobody else can answer there.
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        config = ProviderConfig(base_url=f"http://me:pass-word@{host}/v1?k=query-secret")
        chat = OpenAICompatible("acme", config, clock=clock, jitter=lambda: 0.0)
        error = await _error(chat)
        await chat.close()
    assert isinstance(error, ProviderTimeoutError)
    assert str(error).startswith(f"provider 'acme', model 'm': cannot be reached at http://{host}/v1: ")
    assert "pass-word" not in str(error)
    assert "query-secret" not in str(error)
    assert clock.waits == [0.5, 1.0]


async def test_a_connection_that_takes_too_long_names_the_setting(
    fake: FakeModels, open_chat: Opener, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*args: object, **kwargs: object) -> aiohttp.ClientResponse:
        raise aiohttp.ConnectionTimeoutError("took too long")

    monkeypatch.setattr(aiohttp.ClientSession, "post", connect)
    error = await _error(open_chat(timeouts=Timeouts(connect=3.0)))
    assert isinstance(error, ProviderTimeoutError)
    assert str(error) == (
        f"provider 'acme', model 'm': cannot be reached at {fake.url}: no connection within 3 s; "
        "check base_url in [providers.acme]"
    )
    assert clock.waits == [0.5, 1.0]


async def test_the_key_never_shows_in_an_error(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(status=401, body=_refusal(f"Incorrect API key provided: {_KEY}")))
    chat = open_chat()
    error = await _error(chat)
    assert str(error) == (
        "provider 'acme' refused model 'm' (401): Incorrect API key provided: ***; "
        "check api_key in [providers.acme]"
    )
    assert _KEY not in repr(chat)


async def test_leaving_early_closes_the_connection(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(Behaviour(text="a b c", stall_after=3))
    async with aclosing(open_chat().stream_chat(_REQUEST)) as chunks:
        async for chunk in chunks:
            assert chunk == ChatChunk("a")
            break
    await asyncio.wait_for(fake.hung_up(), 5)


async def test_cancelling_before_the_first_byte_closes_the_connection(
    fake: FakeModels, open_chat: Opener
) -> None:
    fake.then(Behaviour(stall_after=0))
    task = asyncio.create_task(_all(open_chat()))
    await asyncio.wait_for(fake.received(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await asyncio.wait_for(fake.hung_up(), 5)


async def test_a_refused_field_is_left_out_from_then_on(
    fake: FakeModels, open_chat: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    fake.then(
        Behaviour(status=400, body=_refusal("Unknown parameter: 'stream_options'.", param="stream_options")),
        Behaviour(
            status=400,
            body=_refusal(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
        ),
    )
    chat = open_chat(max_retries=0)
    request = ChatRequest("m", [Message("user", "hi")], {"max_tokens": 5, "temperature": 0.7})
    with caplog.at_level(logging.WARNING, "weft.providers"):
        await _all(chat, request)
        await _all(chat, request)
    bodies = [
        {name: value for name, value in sent.json.items() if name not in ("model", "messages", "stream")}
        for sent in fake.requests
    ]
    assert bodies == [
        {"max_tokens": 5, "temperature": 0.7, "stream_options": {"include_usage": True}},
        {"max_tokens": 5, "temperature": 0.7},
        {"max_completion_tokens": 5, "temperature": 0.7},
        {"max_completion_tokens": 5, "temperature": 0.7},
    ]
    assert [record.message for record in caplog.records] == [
        "provider 'acme': model 'm' is asked without 'stream_options' from now on",
        "provider 'acme': model 'm' is asked with 'max_completion_tokens' for 'max_tokens' from now on",
    ]


async def test_one_models_refusal_does_not_change_anothers_request(
    fake: FakeModels, open_chat: Opener
) -> None:
    fake.then(Behaviour(status=400, body=_refusal("Unknown parameter: 'stream_options'.")))
    chat = open_chat()
    await _all(chat)
    await _all(chat, ChatRequest("other", [Message("user", "hi")]))
    assert ["stream_options" in request.json for request in fake.requests] == [True, False, True]


async def test_a_field_that_is_refused_in_any_form_ends_the_call(fake: FakeModels, open_chat: Opener) -> None:
    fake.then(*[Behaviour(status=400, body=_refusal("unknown field: messages"))] * 9)
    assert type(await _error(open_chat())) is ProviderError
    assert len(fake.requests) == 1


async def test_a_large_body_is_sent_whole(fake: FakeModels, open_chat: Opener) -> None:
    text = "x" * 3_000_000
    fake.then(Behaviour(text="ok"))
    assert (await _all(open_chat(), ChatRequest("m", [Message("user", text)])))[0] == ChatChunk("ok")
    assert fake.requests[0].json["messages"][0]["content"] == text


async def test_text_that_is_no_unicode_is_sent_as_near_as_can_be(fake: FakeModels, open_chat: Opener) -> None:
    assert (await _all(open_chat(), ChatRequest("m", [Message("user", "half \ud83d")])))[1] == ChatChunk(" ?")
    assert json.loads(fake.requests[0].body)["messages"][0]["content"] == "half ?"


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/v1/chat/completions"),
        ("/", "/v1/chat/completions"),
        ("/deep/er/v3", "/deep/er/v3/chat/completions"),
        ("/x/chat/completions", "/x/chat/completions"),
        (
            "/openai/deployments/d?api-version=2024-10-21",
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
    ],
)
async def test_the_address_is_completed(fake: FakeModels, open_chat: Opener, suffix: str, path: str) -> None:
    open_chat.url = fake.url.removesuffix("/v1") + suffix
    fake.then(Behaviour(text="ok"))
    if path.startswith("/v1/"):
        await _all(open_chat())
    else:
        await _error(open_chat())
    assert fake.requests[0].path == path


async def test_headers_are_added_and_may_replace_ours(fake: FakeModels, open_chat: Opener) -> None:
    await _all(open_chat(headers={"X-Team": "blue", "Authorization": "Custom token"}))
    sent = fake.requests[0].headers
    assert (sent["x-team"], sent["authorization"]) == ("blue", "Custom token")


async def test_without_a_key_none_is_sent(fake: FakeModels, open_chat: Opener) -> None:
    await _all(open_chat(api_key=""))
    assert "authorization" not in fake.requests[0].headers


def test_azure_takes_its_key_in_another_header(clock: HeldClock) -> None:
    config = ProviderConfig(base_url="https://x.openai.azure.com/openai/v1", api_key=_KEY)
    headers = OpenAICompatible("azure_openai", config, clock=clock)._endpoint._headers
    assert (headers["api-key"], headers.get("authorization")) == (_KEY, None)


def test_a_key_with_a_line_break_is_refused_and_not_shown(clock: HeldClock) -> None:
    with pytest.raises(ConfigError, match="'authorization' holds a line break") as caught:
        OpenAICompatible("a", ProviderConfig(base_url="http://x", api_key="sk-1234\nX: y"), clock=clock)
    assert "sk-1234" not in str(caught.value)


def test_features_and_sizes_can_be_set(clock: HeldClock) -> None:
    config = ProviderConfig(
        base_url="http://x", features={"llama*": ["vision"]}, context_sizes={"llama-3*": 1000}
    )
    chat = OpenAICompatible("a", config, clock=clock)
    assert (chat.features("llama-3.1"), chat.context_size("llama-3.1")) == (frozenset({"vision"}), 1000)
    assert (chat.features("gpt-4"), chat.context_size("gpt-4")) == (frozenset({"tool-call"}), 8192)


def test_the_machines_proxy_is_used_but_not_for_this_machine(
    clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    proxies = [
        OpenAICompatible("a", ProviderConfig(base_url=url), clock=clock)._endpoint._proxy
        for url in (
            "https://api.example.com/v1",
            "https://inside.example/v1",
            "http://localhost:1/v1",
            "http://127.0.0.1:1/v1",
            "http://[::1]:1/v1",
        )
    ]
    assert proxies == ["http://proxy:3128", None, None, None, None]
