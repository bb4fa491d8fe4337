"""Stopping an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.actor import Actor, Gate
from tests.contract.caller import Caller
from tests.contract.house import House
from weft.providers import ChatRequest

pytestmark = pytest.mark.anyio

SUCCESS = {"result": "success"}


@pytest.fixture
def gate(actor: Actor, user: str) -> Gate:
    """Holds back the second word of an answer to the user's own name."""
    gate = Gate()

    async def leisurely(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()
        yield " two"

    actor.play(f"slowly, {user};", leisurely)
    return gate


@pytest.mark.requirement("api-86", "dsl-30", "dsl-115")
async def test_the_owner_stops_a_run_and_what_was_said_is_kept(flow: Caller, gate: Gate, user: str) -> None:
    async with flow.stream(f"slowly, {user};", user=user) as stream:
        await stream.until_text("one")
        stopped = await flow.stop(stream.events[0]["task_id"], user=user)
        await stream.rest()
    assert (stopped, stream.names[-2:]) == (SUCCESS, ["message_end", "workflow_finished"])
    assert (stream.finished["status"], stream.finished["error"]) == ("stopped", "Stopped by user.")
    assert (stream.started, stream.names.count("workflow_finished")) == (["start", "llm"], 1)
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert (message["answer"], message["status"], message["error"]) == ("one", "normal", None)
    run = await flow.run_detail(stream.finished["id"])
    assert (run["status"], run["error"]) == ("stopped", "Stopped by user.")


@pytest.mark.requirement("api-86")
async def test_a_blocking_caller_gets_the_partial_answer(
    house: House, flow: Caller, gate: Gate, user: str
) -> None:
    waiting = asyncio.create_task(flow.chat(f"slowly, {user};", user=user))
    await gate.seen()
    (live,) = house.runtime.runner.live  # a blocking caller learns its task too late
    await flow.stop(live.task_id, user=user)
    said = (await waiting).ok
    assert (said["task_id"], said["answer"]) == (live.task_id, "one")


@pytest.mark.requirement("api-87")
async def test_another_user_stops_nothing(flow: Caller, gate: Gate, user: str) -> None:
    async with flow.stream(f"slowly, {user};", user=user) as stream:
        await stream.until_text("one")
        asked = await flow.stop(stream.events[0]["task_id"], user=f"not {user}")
        gate.open()
        await stream.rest()
    assert (asked, stream.answer, stream.finished["status"]) == (SUCCESS, "one two", "succeeded")


@pytest.mark.requirement("api-87")
async def test_another_app_stops_nothing(flow: Caller, plain: Caller, gate: Gate, user: str) -> None:
    async with flow.stream(f"slowly, {user};", user=user) as stream:
        await stream.until_text("one")
        asked = await plain.stop(stream.events[0]["task_id"], user=user)
        gate.open()
        await stream.rest()
    assert (asked, stream.finished["status"]) == (SUCCESS, "succeeded")


@pytest.mark.requirement("api-88")
async def test_stopping_an_unknown_task_succeeds(flow: Caller) -> None:
    assert await flow.stop("abc") == SUCCESS


@pytest.mark.requirement("api-89")
async def test_stopping_needs_a_user(flow: Caller) -> None:
    reply = await flow.post("/chat-messages/abc/stop", {})
    assert reply.error == (400, "invalid_param", "Arg user must be provided.")


@pytest.mark.requirement("api-90")
async def test_the_chat_path_stops_no_workflow_app(work: Caller) -> None:
    reply = await work.post("/chat-messages/abc/stop", {"user": "u1"})
    assert reply.error[:2] == (400, "not_chat_app")


@pytest.mark.requirement("api-91")
async def test_stopping_a_finished_task_changes_nothing(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    before = await flow.run_detail(stream.finished["id"])
    assert await flow.stop(stream.events[0]["task_id"], user=user) == SUCCESS
    assert await flow.run_detail(stream.finished["id"]) == before
