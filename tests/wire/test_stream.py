from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import TypeAdapter

from weft import wire

COMMON: dict[str, object] = {
    "conversation_id": "c1",
    "message_id": "m1",
    "created_at": 1700000000,
    "task_id": "t1",
}


def test_an_event_becomes_the_model_of_its_name() -> None:
    data = {
        "event": "message",
        **COMMON,
        "id": "m1",
        "answer": "Grüße",
        "from_variable_selector": ["llm", "text"],
    }
    event = wire.parse_stream_event(json.dumps(data).encode())
    assert event == wire.MessageEvent(
        conversation_id="c1",
        message_id="m1",
        created_at=1700000000,
        task_id="t1",
        id="m1",
        answer="Grüße",
        from_variable_selector=["llm", "text"],
    )
    assert wire.parse_stream_event(data) == event
    assert json.loads(wire.encode_stream_event(event)) == data


def test_the_union_is_told_apart_by_its_event() -> None:
    union: TypeAdapter[wire.StreamEvent] = TypeAdapter(wire.StreamEvent)
    assert union.validate_python({"event": "text_replace", "data": {"text": "x"}}) == wire.TextReplaceEvent(
        data=wire.TextReplaceData(text="x")
    )
    names = [
        get_args(kind.model_fields["event"].annotation) for kind in get_args(get_args(wire.StreamEvent)[0])
    ]
    assert len(names) == len(set(names)) == 29


def test_events_are_written_without_common_keys_they_do_not_have_and_with_nulls_elsewhere() -> None:
    started = wire.NodeStartedEvent(
        task_id="t1", workflow_run_id="r1", data=wire.NodeStartedData(id="e1", node_id="n1", index=1)
    )
    assert json.loads(wire.encode_stream_event(started)) == {
        "event": "node_started",
        "task_id": "t1",
        "workflow_run_id": "r1",
        "data": {
            "id": "e1",
            "node_id": "n1",
            "node_type": "",
            "title": "",
            "index": 1,
            "predecessor_node_id": None,
            "inputs": None,
            "inputs_truncated": False,
            "created_at": None,
            "extras": None,
            "iteration_id": None,
            "loop_id": None,
            "agent_strategy": None,
        },
    }


def test_a_finished_node_keeps_everything_that_came() -> None:
    data = {
        "id": "e1",
        "node_id": "n1",
        "status": "exception",
        "outputs": {"x": [1, None]},
        "execution_metadata": {"total_price": "0.1"},
        "created_at": 5,
        "finished_at": 6,
        "novelty": {"a": 1},
    }
    event = wire.parse_stream_event({"event": "node_finished", **COMMON, "data": data})
    assert isinstance(event, wire.NodeFinishedEvent)
    assert event.data.status is wire.NodeStatus.EXCEPTION
    assert event.data.finished_datetime == wire.parse_instant(6)
    assert data.items() <= event.data.to_dict().items()


def test_an_event_nobody_knows_is_kept_whole() -> None:
    data = {"event": "confetti", **COMMON, "colour": ["red"]}
    event = wire.parse_stream_event(data)
    assert isinstance(event, wire.UnknownEvent)
    assert (event.event, event.task_id, event.payload, event.problem) == ("confetti", "t1", data, None)


@pytest.mark.parametrize("data", [{}, {"event": None}, {"event": 5}, {"event": ["message"]}])
def test_an_object_without_an_event_is_unknown(data: dict[str, object]) -> None:
    assert wire.parse_stream_event(data) == wire.UnknownEvent(payload=data)


def test_a_known_event_of_another_shape_is_unknown_and_says_why() -> None:
    event = wire.parse_stream_event({"event": "node_started", **COMMON, "data": {"node_id": 5}})
    assert isinstance(event, wire.UnknownEvent)
    assert (event.event, event.problem) == ("node_started", "data.id: Field required")


def test_a_message_that_calls_itself_something_else_later_is_that() -> None:
    event = wire.parse_stream_event(b'{"event":"message","answer":"x","event":"error","message":"no"}')
    assert event == wire.ErrorEvent.from_dict({"answer": "x", "message": "no"})
    unknown = wire.parse_stream_event(b'{"event": "message", "answer": 5}')
    assert isinstance(unknown, wire.UnknownEvent)
    assert unknown.problem == "answer: Input should be a valid string"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"message"', b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.parse_stream_event(data)
