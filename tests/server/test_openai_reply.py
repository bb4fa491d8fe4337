"""Chunks for what a chunk cannot say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from weft.events import AnswerReplaced, Event, RunPaused, TextStreamed
from weft.runs import LiveRun
from weft.server.openai_api.reply import DONE, Teller
from weft.store import Message, Run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MESSAGE = Message("m", "a", "c", "Hi", "api", NOW, NOW)
RUN = Run("r", "a", "w", "v", "advanced-chat", "l", "app-run", "service-api", "end_user", NOW)

PAUSED = RunPaused(
    run_id="r",
    workflow_id="w",
    reasons=[],
    outputs={},
    elapsed_time=1.0,
    total_tokens=0,
    total_steps=1,
    started_at=NOW,
    at=NOW,
)


def text(value: str) -> TextStreamed:
    return TextStreamed(value, ("llm", "text"), "answer")


def chunks(*events: Event) -> list[bytes]:
    live = LiveRun(RUN, MESSAGE, None)
    teller = Teller(MESSAGE, "app", include_usage=False)
    return [frame for event in events for frame in teller.tell(event, live)]


def deltas(frames: Iterable[bytes]) -> list[Any]:
    return [json.loads(frame[6:])["choices"][0]["delta"].get("content") for frame in frames if frame != DONE]


def test_a_piece_of_text_is_a_chunk_of_its_own() -> None:
    first, piece = chunks(text('"ü" \ud800'))
    assert json.loads(first[6:]) == {
        "id": "chatcmpl-m",
        "object": "chat.completion.chunk",
        "created": int(NOW.timestamp()),
        "model": "app",
        "metadata": {"conversation_id": "c", "message_id": "m"},
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }
    assert json.loads(piece[6:])["choices"] == [
        {"index": 0, "delta": {"content": '"ü" \ufffd'}, "logprobs": None, "finish_reason": None}
    ]


@pytest.mark.parametrize(
    ("replaced", "said"), [("one two three", " three"), ("never mind", "\n\nnever mind"), ("one two", "")]
)
def test_an_answer_that_is_replaced_is_corrected_after_the_fact(replaced: str, said: str) -> None:
    events: list[Event] = [
        text("one"),
        text(" two"),
        AnswerReplaced(text=replaced, reason="output_moderation"),
    ]
    assert deltas(chunks(*events)) == ["", "one", " two", said]


def test_a_run_that_waits_for_a_person_ends_the_stream() -> None:
    frames = chunks(text("Please confirm."), PAUSED)
    assert frames[-1] == DONE
    assert json.loads(frames[-2][6:])["choices"][0]["finish_reason"] == "stop"
    assert deltas(frames) == ["", "Please confirm.", None]
