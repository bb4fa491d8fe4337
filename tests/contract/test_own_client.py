"""Our own client at a real server: both colours do the same, errors come back as the same classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.actor import Actor, Gate, raising
from tests.contract.caller import BOUND, Caller
from tests.contract.house import House
from weft.client import AsyncClient, Client
from weft.errors import (
    CredentialsError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RunError,
    UnauthorizedError,
)
from weft.providers import ChatRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(flow: Caller) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(flow.url, flow.key) as opened:
        yield opened


async def test_a_conversation_through_the_async_client(client: AsyncClient, user: str) -> None:
    said = await client.chat_messages("one", user=user, auto_generate_name=False)
    async with client.stream_chat_messages(
        "two", user=user, conversation_id=said.conversation_id, auto_generate_name=False
    ) as stream:
        result = await stream.collect()
    assert (said.answer, result.answer, result.status) == ("You said: one", "You said: two", "succeeded")
    assert result.conversation_id == said.conversation_id is not None
    page = await client.messages(said.conversation_id, user=user)
    assert [message.answer for message in page.data] == ["You said: one", "You said: two"]
    await client.rename_conversation(said.conversation_id, name="Mine", user=user)
    listed = await client.conversations(user=user)
    assert [conversation.name for conversation in listed.data] == ["Mine"]
    await client.delete_conversation(said.conversation_id, user=user)
    assert (await client.conversations(user=user)).data == []


async def test_the_same_conversation_through_the_sync_client(flow: Caller, user: str) -> None:
    def talk() -> tuple[str, str, list[str]]:
        with Client(flow.url, flow.key) as client:
            said = client.chat_messages("one", user=user, auto_generate_name=False)
            assert said.conversation_id is not None
            with client.stream_chat_messages(
                "two", user=user, conversation_id=said.conversation_id, auto_generate_name=False
            ) as stream:
                result = stream.collect()
            page = client.messages(said.conversation_id, user=user)
            return said.answer, result.answer, [message.answer for message in page.data]

    async with asyncio.timeout(BOUND):
        told = await asyncio.to_thread(talk)
    assert told == ("You said: one", "You said: two", ["You said: one", "You said: two"])


async def test_what_an_app_says_of_itself(client: AsyncClient) -> None:
    info, parameters, meta, site = (
        await client.info(),
        await client.parameters(),
        await client.meta(),
        await client.site(),
    )
    assert (info.name, info.mode, site.title) == ("F", "advanced-chat", "F")
    assert (parameters.opening_statement, len(parameters.user_input_form)) == ("Hello {{city}}", 3)
    assert meta.tool_icons == {}


async def test_a_stream_that_is_stopped_ends_with_the_partial_answer(
    client: AsyncClient, actor: Actor, user: str
) -> None:
    gate = Gate()

    async def leisurely(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()

    actor.play(f"stop me, {user}", leisurely)
    async with (
        asyncio.timeout(BOUND),
        client.stream_chat_messages(f"stop me, {user}", user=user, auto_generate_name=False) as stream,
    ):
        async for event in stream:
            if event.event == "message":
                await stream.stop()
    assert (stream.result.answer, stream.result.status) == ("one", "stopped")


async def test_runs_of_a_workflow_app(work: Caller, user: str) -> None:
    async with AsyncClient(work.url, work.key) as client:
        done = await client.run_workflow({"text": "hi"}, user=user)
        async with client.stream_workflow({"text": "hi"}, user=user) as stream:
            result = await stream.collect()
        detail = await client.workflow_run(done.workflow_run_id)
        log = await client.workflow_logs(end_user_session_id=user)
    assert done.data.outputs == {"text": "You said: hi", "given": "hi"}
    assert (result.answer, result.outputs) == ("You said: hi\nhi", done.data.outputs)
    assert (detail.status, len(log.data)) == ("succeeded", 2)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"conversation_id": str(uuid4())}, NotFoundError),
        ({"inputs": {"city": "x" * 21}}, InvalidRequestError),
        ({"workflow_id": str(uuid4())}, NotFoundError),
    ],
)
async def test_an_error_comes_back_as_its_class(
    client: AsyncClient, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client.chat_messages("hi", user="u1", **fields)


async def test_a_failed_run_and_a_failed_model_come_back_as_their_classes(
    house: House, client: AsyncClient, failing: Caller, actor: Actor, user: str
) -> None:
    actor.play(f"no key {user}", raising(CredentialsError("no key", provider="actor")))
    actor.play(f"too fast {user}", raising(RateLimitedError("too fast", provider="actor")))
    for cue, kind in ((f"no key {user}", CredentialsError), (f"too fast {user}", RateLimitedError)):
        with pytest.raises(kind):
            await client.chat_messages(cue, user=user)
        with pytest.raises(kind):
            await client.stream_chat_messages(cue, user=user).collect()
    async with AsyncClient(failing.url, failing.key) as other:
        with pytest.raises((RunError, InvalidRequestError), match="boom"):
            await other.chat_messages("hi", user=user)
    async with AsyncClient(failing.url, "app-unknown") as stranger:
        with pytest.raises(UnauthorizedError):
            await stranger.info()
