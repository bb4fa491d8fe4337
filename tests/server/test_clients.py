"""Clients that leave, lag behind or come in numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate, Part, pieces
from tests.contract.caller import BOUND, Caller, Stream
from tests.contract.house import House, open_house
from weft.providers import ChatChunk, ChatRequest
from weft.runs import LiveRun
from weft.testing.fake_models import FakeModels

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


def leisurely(gate: Gate) -> Part:
    async def part(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        yield "one"
        await gate.wait()
        yield " two"

    return part


async def ended(house: House, stream: Stream) -> LiveRun:
    """The run of a stream, once it is over."""
    live = house.runtime.runner.live.find(stream.events[0]["task_id"])
    assert live is not None
    async with asyncio.timeout(BOUND):
        await live.ended()
    return live


async def test_a_client_that_leaves_may_come_back_for_the_answer(tmp_path: Path) -> None:
    actor, gate = Actor(), Gate()
    actor.play("leave", leisurely(gate))
    async with open_house(tmp_path, models=actor) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("leave") as stream:
            await stream.until_text("one")
            live = await house.let_go(stream)
        id = stream.events[0]["conversation_id"]
        (during,) = await flow.messages(id)
        gate.open()
        async with asyncio.timeout(BOUND):
            await live.ended()
        (after,) = await flow.messages(id)
        again = await flow.said("more", conversation_id=id)
    assert (during["answer"], during["status"]) == ("", "normal")
    assert (after["answer"], after["status"]) == ("one two", "normal")
    assert again["answer"] == "You said: more"


async def test_a_blocking_client_that_leaves_loses_nothing_either(tmp_path: Path) -> None:
    actor, gate = Actor(), Gate()
    actor.play("leave", leisurely(gate))
    async with open_house(tmp_path, models=actor) as house:
        flow = await house.serve(apps.echo_flow())
        waiting = asyncio.create_task(flow.chat("leave"))
        await gate.seen()
        (live,) = house.runtime.runner.live
        waiting.cancel()
        await asyncio.wait({waiting})
        gate.open()
        async with asyncio.timeout(BOUND):
            await live.ended()
        (conversation,) = await flow.conversations()
        (message,) = await flow.messages(conversation["id"])
    assert (message["answer"], message["status"]) == ("one two", "normal")


async def test_a_setting_stops_a_run_when_its_client_leaves(tmp_path: Path) -> None:
    actor, gate = Actor(), Gate()
    actor.play("leave", leisurely(gate))
    async with open_house(tmp_path, models=actor, server={"stop_when_client_leaves": True}) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("leave") as stream:
            await stream.until_text("one")
            await gate.seen()
            live = await house.let_go(stream)
        async with asyncio.timeout(BOUND):
            await live.ended()
        (message,) = await flow.messages(stream.events[0]["conversation_id"])
    assert (live.run.status, live.run.error) == ("stopped", "The client left.")
    assert (message["answer"], message["status"]) == ("one", "normal")


async def test_a_client_that_lags_too_far_behind_is_let_go_and_the_run_goes_on(tmp_path: Path) -> None:
    actor, gate = Actor(), Gate()

    async def flood(request: ChatRequest) -> AsyncIterator[str]:
        yield "x"
        await gate.wait()
        for _ in range(24):
            yield "x" * MIB

    actor.play("flood", flood)
    async with open_house(tmp_path, models=actor) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("flood") as stream:
            await stream.until_text("x")
            gate.open()
            await ended(house, stream)
            with pytest.raises(aiohttp.ClientPayloadError):  # broken off, not ended as if it were whole
                await stream.rest()
        (message,) = await flow.messages(stream.events[0]["conversation_id"])
    assert len(message["answer"]) == 24 * MIB + 1
    assert "workflow_finished" not in stream.names


async def test_one_run_may_be_heard_by_a_client_that_reads_byte_by_byte(tmp_path: Path) -> None:
    actor = Actor()
    actor.play("slow reader", pieces(["word "] * 300))
    async with open_house(tmp_path, models=actor) as house:
        flow = await house.serve(apps.echo_flow())
        reader, writer = await asyncio.open_connection("127.0.0.1", house.serving.port)
        body = b'{"inputs":{},"query":"slow reader","user":"u1","response_mode":"streaming"}'
        head = (
            f"POST /v1/chat-messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {flow.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        text = bytearray()
        async with asyncio.timeout(BOUND):
            while data := await reader.read(7):
                text += data
        writer.close()
        await writer.wait_closed()
    assert text.count(b'"event":"message",') == 301
    assert text.count(b'"event":"workflow_finished"') == 1


CONVERSATIONS = 200


async def talk(flow: Caller, number: int) -> tuple[str, str, str]:
    """Two turns of one conversation: its id and both answers."""
    user = f"user {number}"
    first = await flow.told(f"first of {number}.", user=user)
    id = first.events[0]["conversation_id"]
    second = await flow.told(f"second of {number}.", user=user, conversation_id=id)
    assert {event["conversation_id"] for event in (*first.events, *second.events)} == {id}
    return id, first.answer, second.answer


async def test_two_hundred_conversations_at_once_are_not_mixed_up(tmp_path: Path, fake: FakeModels) -> None:
    remembering = apps.chatflow(
        [
            apps.start(),
            apps.llm("llm", prompt_template=[{"role": "system", "text": "Be kind."}], memory=apps.MEMORY),
            apps.answer("{{#llm.text#}}"),
        ],
        "start > llm > answer",
    )
    async with open_house(tmp_path, models_url=fake.url) as house:
        flow = await house.serve(remembering)
        told = await asyncio.gather(*(talk(flow, number) for number in range(CONVERSATIONS)))
        stored = await asyncio.gather(
            *(flow.messages(id, user=f"user {number}") for number, (id, _, _) in enumerate(told))
        )
    numbers = range(CONVERSATIONS)
    assert [answers for _, *answers in told] == [[f"first of {n}.", f"second of {n}."] for n in numbers]
    assert len({id for id, _, _ in told}) == CONVERSATIONS
    assert [[message["answer"] for message in messages] for messages in stored] == [
        [f"first of {n}.", f"second of {n}."] for n in numbers
    ]
    asked = {request.json["messages"][-1]["content"]: request.json["messages"] for request in fake.requests}
    assert [[message["content"] for message in asked[f"second of {n}."]] for n in numbers] == [
        ["Be kind.", f"first of {n}.", f"first of {n}.", f"second of {n}."] for n in numbers
    ]
