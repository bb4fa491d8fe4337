from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from weft.providers import ToolCall
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


def _asked(**more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "hello big world"}], **more}


async def _post(session: aiohttp.ClientSession, fake: FakeModels, **more: object) -> bytes:
    async with session.post(f"{fake.url}/chat/completions", json=_asked(**more)) as response:
        assert response.status == 200
        return await response.read()


def _events(body: bytes) -> list[Any]:
    lines = body.decode().split("\n\n")
    assert lines.pop() == ""
    return [line if line == "data: [DONE]" else json.loads(line.removeprefix("data: ")) for line in lines]


def _choice(delta: object, reason: str | None = None) -> dict[str, object]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
    }


async def test_a_stream_repeats_the_user_word_by_word(session: aiohttp.ClientSession) -> None:
    async with FakeModels() as fake:
        body = await _post(session, fake, stream=True, stream_options={"include_usage": True})
    assert _events(body) == [
        _choice({"role": "assistant", "content": ""}),
        _choice({"content": "hello"}),
        _choice({"content": " big"}),
        _choice({"content": " world"}),
        _choice({}, "stop"),
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [],
            "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
        },
        "data: [DONE]",
    ]


async def test_thoughts_and_tool_calls_are_streamed_in_pieces(session: aiohttp.ClientSession) -> None:
    behaviour = Behaviour(reasoning="hm", tool_calls=[ToolCall("c", "f", "{}")], done=False)
    async with FakeModels(behaviour) as fake:
        body = await _post(session, fake, stream=True)
    assert _events(body) == [
        _choice({"role": "assistant", "content": ""}),
        _choice({"reasoning_content": "hm"}),
        _choice(
            {
                "tool_calls": [
                    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            }
        ),
        _choice({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        _choice({}, "tool_calls"),
    ]


async def test_without_stream_the_completion_comes_whole(session: aiohttp.ClientSession) -> None:
    async with FakeModels(Behaviour(text="a b", reasoning="hm")) as fake:
        body = json.loads(await _post(session, fake))
    assert body == {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a b", "reasoning_content": "hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }


async def test_it_lists_its_model_and_knows_no_other_address(session: aiohttp.ClientSession) -> None:
    async with FakeModels() as fake:
        async with session.get(f"{fake.url}/models") as response:
            assert (await response.json())["data"] == [{"id": "fake", "object": "model", "owned_by": "weft"}]
        async with session.get(f"{fake.url}/elsewhere") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "not_found")


async def test_it_checks_the_key_if_it_has_one(session: aiohttp.ClientSession) -> None:
    async with FakeModels(api_key="right") as fake:
        statuses = []
        for key in ("wrong", "right"):
            headers = {"Authorization": f"Bearer {key}"}
            async with session.post(
                f"{fake.url}/chat/completions", json=_asked(), headers=headers
            ) as response:
                statuses.append(response.status)
    assert statuses == [401, 200]


async def test_behaviours_for_the_next_requests_come_before_the_usual_one(
    session: aiohttp.ClientSession,
) -> None:
    async with FakeModels(Behaviour(text="usual")) as fake:
        fake.then(
            Behaviour(status=503, headers={"Retry-After": "2"}, body={"error": "busy"}),
            Behaviour(text="special"),
        )
        seen = []
        for _ in range(3):
            async with session.post(f"{fake.url}/chat/completions", json=_asked()) as response:
                content = await response.json()
                seen.append((response.status, response.headers.get("Retry-After"), content))
        assert seen[0] == (503, "2", {"error": "busy"})
        assert [content["choices"][0]["message"]["content"] for _, _, content in seen[1:]] == [
            "special",
            "usual",
        ]
        assert fake.connections == 1


async def test_it_remembers_requests_as_they_came(session: aiohttp.ClientSession) -> None:
    async with FakeModels(keep=2) as fake:
        for number in range(3):
            await _post(session, fake, seed=number)
        await asyncio.wait_for(fake.received(3), 5)
        assert [request.json["seed"] for request in fake.requests] == [1, 2]
        assert fake.requests[0].headers["content-type"] == "application/json"


async def test_a_stream_can_be_paced_and_raw(session: aiohttp.ClientSession) -> None:
    async with FakeModels(Behaviour(text="a b", interval_s=0.001)) as fake:
        assert len(_events(await _post(session, fake, stream=True))) == 5
        fake.then(Behaviour(raw=[b"anything ", b"", b"at all"]))
        assert await _post(session, fake, stream=True) == b"anything at all"


async def test_a_connection_can_be_cut_in_the_middle(session: aiohttp.ClientSession) -> None:
    async with FakeModels(Behaviour(text="a b", break_after=2)) as fake:
        with pytest.raises(aiohttp.ClientPayloadError):
            await _post(session, fake, stream=True)
        await asyncio.wait_for(fake.closed(), 5)
        fake.then(Behaviour(break_after=0))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await _post(session, fake, stream=True)


async def test_it_notices_who_hangs_up_on_a_stalled_stream(session: aiohttp.ClientSession) -> None:
    async with FakeModels(Behaviour(text="a b", stall_after=2)) as fake:
        async with session.post(f"{fake.url}/chat/completions", json=_asked(stream=True)) as response:
            assert b"data: " in await response.content.readany()
            response.close()
        await asyncio.wait_for(fake.hung_up(), 5)


async def test_leaving_the_block_ends_what_is_still_open(session: aiohttp.ClientSession) -> None:
    async with FakeModels(Behaviour(stall_after=1)) as fake:
        response = await session.post(f"{fake.url}/chat/completions", json=_asked(stream=True))
    with pytest.raises(aiohttp.ClientError):
        await response.read()


async def test_many_requests_in_one_write_are_all_answered() -> None:
    async with FakeModels(Behaviour(text="a")) as fake:
        host, port = fake.url.split("/")[2].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/models HTTP/1.1\r\n\r\n" * 3)
        data = b""
        async with asyncio.timeout(5):
            while data.count(b'"owned_by"') < 3:
                data += await reader.read(65536)
        writer.close()
        await writer.wait_closed()
    assert data.count(b"HTTP/1.1 200") == 3


def test_the_address_of_a_stopped_service_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = FakeModels().url


async def test_it_runs_from_the_command_line(session: aiohttp.ClientSession) -> None:
    arguments = ["-m", "weft.testing.fake_models", "--chunks", "3", "--interval-ms", "1"]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        async with session.post(f"{url}/chat/completions", json=_asked(stream=True)) as response:
            events = _events(await response.read())
    finally:
        process.terminate()
        code = await asyncio.wait_for(process.wait(), 20)
    texts = [event["choices"][0]["delta"].get("content") for event in events[:-1]]
    assert (texts, code) == (["", "word", " word", " word", None], 0)
