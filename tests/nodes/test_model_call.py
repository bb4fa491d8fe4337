from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from weft.errors import BadReplyError
from weft.events import ROOT
from weft.ids import SequentialIds
from weft.nodes import Context, RunInfo, Services
from weft.nodes.limits import Limits
from weft.nodes.model_call import ReplySink, call_model
from weft.nodes.model_config import ModelConfig, ResolvedModel
from weft.providers import (
    ChatChunk,
    ChatModel,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    Price,
    PriceTable,
    ScriptedModel,
    TextPart,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
)
from weft.testing.node_harness import FakeSandbox, RecordingPort, StillClock, make_pool, single_model

pytestmark = pytest.mark.anyio


class Playing(ScriptedModel):
    """Plays chunks and errors; a number is a wait in seconds."""

    def __init__(self, steps: list[ChatChunk | float | BaseException], clock: StillClock) -> None:
        super().__init__()
        self._steps = steps
        self._wait = clock.sleep
        self.closed = False

    async def stream_chat(self, request: ChatRequest) -> AsyncIterator[ChatChunk]:  # type: ignore[override]
        try:
            for step in self._steps:
                if isinstance(step, float):
                    await self._wait(step)
                elif isinstance(step, BaseException):
                    raise step
                else:
                    yield step
        finally:
            self.closed = True


def make_context(chat: ChatModel, clock: StillClock, prices: PriceTable | None = None) -> Context:
    return Context(
        node_id="node",
        node_type="llm",
        title="",
        execution_id="execution",
        frame=ROOT,
        pool=make_pool({}),
        services=Services(
            clock=clock,
            ids=SequentialIds(),
            models=single_model(chat, clock=clock, prices=prices),
            sandbox=FakeSandbox(),
            limits=Limits(),
        ),
        run=RunInfo(run_id="run", app_id="app", workflow_id="workflow", user="user"),
        port=RecordingPort(),
    )


async def call(
    steps: list[ChatChunk | float | BaseException],
    *,
    messages: list[Message] | None = None,
    prices: PriceTable | None = None,
    sink: ReplySink | None = None,
) -> tuple[Any, Context, Playing]:
    clock = StillClock()
    chat = Playing(steps, clock)
    context = make_context(chat, clock, prices)
    config = ModelConfig(provider="acme", name="big")
    model = ResolvedModel(chat, "big-2026", frozenset(), None)
    request = ChatRequest("big-2026", messages or [Message("user", "Hi")])
    try:
        return await call_model(context, config, model, request, sink), context, chat
    except (BadReplyError, asyncio.CancelledError) as error:
        return error, context, chat


async def test_chunks_are_folded_into_one_reply() -> None:
    reply, context, chat = await call(
        [
            1.0,
            ChatChunk(reasoning="be"),
            ChatChunk(reasoning="cause"),
            0.5,
            ChatChunk(text="So "),
            ChatChunk(text="it is", tool_calls=[ToolCallDelta(0, "c", "f", '{"a"')]),
            ChatChunk(tool_calls=[ToolCallDelta(0, arguments=": 1}")]),
            2.0,
            ChatChunk(usage=TokenUsage(10, 5, 15), finish_reason="tool_calls"),
        ]
    )

    assert (reply.text, reply.reasoning, reply.finish_reason) == ("So it is", "because", "tool_calls")
    assert reply.tool_calls == [ToolCall("c", "f", '{"a": 1}')]
    assert (reply.usage.latency, reply.usage.time_to_first_token, reply.usage.time_to_generate) == (
        3.5,
        1.0,
        2.5,
    )
    assert context.usage is reply.usage
    assert chat.closed


async def test_a_call_that_breaks_off_counts_by_estimate() -> None:
    error, context, chat = await call([ChatChunk(text="four"), ChatChunk(text="four"), BadReplyError("gone")])

    assert isinstance(error, BadReplyError)
    assert context.usage is not None
    assert (context.usage.prompt_tokens, context.usage.completion_tokens) == (8, 2)
    assert context.metadata["total_tokens"] == 10
    assert context.process_data["finish_reason"] is None
    assert chat.closed


async def test_a_call_that_gave_nothing_costs_nothing() -> None:
    _, context, _ = await call([BadReplyError("refused")])

    assert (context.usage, context.metadata) == (None, {})


async def test_a_stopped_call_counts_and_is_closed_without_a_word_to_the_sink() -> None:
    class Listening(ReplySink):
        __slots__ = ("heard",)

        def __init__(self) -> None:
            super().__init__()
            self.heard: list[str] = []

        def finish(self) -> None:
            self.heard.append("finish")

        def break_off(self) -> None:
            self.heard.append("break_off")

    sink = Listening()

    _, context, chat = await call([ChatChunk(text="four"), asyncio.CancelledError()], sink=sink)

    assert context.usage is not None
    assert chat.closed
    assert sink.heard == []


async def test_a_reply_that_nobody_takes_is_closed() -> None:
    class Full(ReplySink):
        __slots__ = ()

        def text(self, piece: str) -> None:
            raise BadReplyError("no more")

    _, _, chat = await call([ChatChunk(text="one"), ChatChunk(text="two")], sink=Full())

    assert chat.closed


@pytest.mark.parametrize(
    ("prices", "total"),
    [
        ({"acme/big-2026": Price(Decimal(1), Decimal(1), Decimal(1))}, "15.0000000"),
        ({"acme/big": Price(Decimal(2), Decimal(2), Decimal(1))}, "30.0000000"),
        (
            {
                "acme/big": Price(Decimal(2), Decimal(2), Decimal(1)),
                "acme/big-2026": Price(Decimal(1), Decimal(1), Decimal(1)),
            },
            "15.0000000",
        ),
        ({}, "0.0000000"),
    ],
)
async def test_the_price_is_that_of_the_model_that_answers(prices: dict[str, Price], total: str) -> None:
    _, context, _ = await call(
        [ChatChunk(usage=TokenUsage(10, 5, 15))], prices=PriceTable(prices, built_in=False)
    )

    assert context.metadata == {"total_tokens": 15, "total_price": total, "currency": "USD"}


async def test_the_record_shows_what_was_asked_but_no_bytes() -> None:
    message = Message(
        "user",
        [
            ImagePart("https://files/a.png"),
            FilePart("data:application/pdf;base64," + "A" * 9000),
            TextPart("Hi"),
        ],
    )

    _, context, _ = await call([ChatChunk(usage=TokenUsage())], messages=[message])

    assert context.process_data["prompts"] == [
        {
            "role": "user",
            "text": "Hi",
            "files": [
                {"type": "image", "url": "https://files/a.png"},
                {"type": "file", "url": "data:application/pdf;base64,AAAAAAAAAAAA…"},
            ],
        }
    ]
