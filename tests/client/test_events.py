from __future__ import annotations

import pytest

from tests.client.fake import frames
from weft import errors, wire
from weft.client import StreamResult, error_reply
from weft.client._events import EventReader

Event = dict[str, object]

COMMON: Event = {
    "conversation_id": "c1",
    "message_id": "m1",
    "created_at": 5,
    "task_id": "t1",
}
RUN: Event = {**COMMON, "workflow_run_id": "r1"}
STARTED: Event = {"event": "workflow_started", **RUN, "data": {"id": "r1", "reason": "initial"}}
NODE = {"id": "e1", "node_id": "n1", "node_type": "llm", "title": "LLM", "index": 1}
NODE_STARTED: Event = {"event": "node_started", **RUN, "data": NODE}
NODE_FINISHED: Event = {"event": "node_finished", **RUN, "data": {**NODE, "status": "succeeded"}}
END: Event = {
    "event": "message_end",
    **COMMON,
    "metadata": {"usage": {"total_tokens": 7}},
    "files": [{"id": "f1"}],
}
FINISHED: Event = {
    "event": "workflow_finished",
    **RUN,
    "data": {"id": "r1", "status": "succeeded", "outputs": {"answer": "ab"}},
}
PAUSED: Event = {"event": "workflow_paused", **RUN, "data": {"workflow_run_id": "r1", "status": "paused"}}
FORM: Event = {"event": "human_input_required", **RUN, "data": {"form_id": "f1", "form_token": "tok"}}
FAILED: Event = {
    "event": "workflow_finished",
    **RUN,
    "data": {"id": "r1", "status": "failed", "error": "boom"},
}
ERROR: Event = {"event": "error", "status": 400, "code": "invalid_param", "message": "Run failed: boom"}


def piece(text: str) -> Event:
    return {"event": "message", **COMMON, "answer": text}


def read(*events: Event, has_message: bool = True, failure: str | None = None) -> StreamResult:
    reader = EventReader("POST /chat-messages", has_message=has_message)
    for frame in frames(*events):
        reader.feed(frame)
        while reader.take() is not None:
            pass
    reader.finish(errors.TransportError(failure) if failure else None)
    assert reader.take() is None
    return reader.result


@pytest.mark.parametrize("ending", [[END, FINISHED], [FINISHED, END]], ids=["new order", "old order"])
def test_a_whole_answer_is_collected_whatever_comes_last(ending: list[Event]) -> None:
    result = read(STARTED, NODE_STARTED, piece("a"), piece("b"), NODE_FINISHED, *ending)
    assert (result.answer, result.status, result.outputs) == ("ab", "succeeded", {"answer": "ab"})
    assert (result.conversation_id, result.message_id, result.task_id) == ("c1", "m1", "t1")
    assert (result.workflow_run_id, result.created_at, result.files) == ("r1", 5, [{"id": "f1"}])
    assert result.usage is not None
    assert result.usage.total_tokens == 7
    assert [event.event for event in result.node_events] == ["node_started", "node_finished"]
    assert [node.title for node in result.nodes] == ["LLM"]


def test_ids_are_known_with_the_first_event() -> None:
    reader = EventReader("x", has_message=True)
    reader.feed(frames(piece("a"), piece("b"))[0])
    assert reader.result == StreamResult()
    assert isinstance(reader.take(), wire.MessageEvent)
    assert (reader.result.task_id, reader.result.answer) == ("t1", "a")
    assert reader.take() is None


def test_a_replacement_voids_what_came_before() -> None:
    replaced: Event = {"event": "message_replace", **COMMON, "answer": "X", "reason": "output_moderation"}
    assert read(piece("a"), piece("b"), replaced, piece("c"), END).answer == "Xc"


def test_an_annotations_answer_has_no_run() -> None:
    result = read(piece("fixed"), END)
    assert (result.answer, result.status, result.workflow_run_id) == ("fixed", None, None)


def test_an_agents_answer_is_collected_too() -> None:
    deltas: list[Event] = [{"event": "agent_message", **COMMON, "answer": text} for text in "ab"]
    assert read(*deltas, {"event": "agent_thought", **COMMON, "id": "x", "thought": "hm"}, END).answer == "ab"


def test_a_pause_ends_a_stream_and_brings_its_forms() -> None:
    result = read(STARTED, piece("a"), FORM, PAUSED)
    assert (result.answer, result.status) == ("a", "paused")
    assert result.pause is not None
    assert [form.form_token for form in result.forms] == ["tok"]


def test_a_resumed_run_is_not_paused_any_more() -> None:
    result = read(
        STARTED, FORM, PAUSED, {**STARTED, "data": {"id": "r1", "reason": "resumption"}}, FINISHED, END
    )
    assert (result.pause, result.status) == (None, "succeeded")


def test_pings_of_every_kind_and_unknown_events_disturb_nothing() -> None:
    reader = EventReader("x", has_message=True)
    reader.feed(b'event: ping\n\ndata: {"event":"ping"}\n\ndata: {"event":"confetti","n":1}\n\n')
    event = reader.take()
    assert isinstance(event, wire.UnknownEvent)
    assert (event.payload, reader.take()) == ({"event": "confetti", "n": 1}, None)


def test_an_error_event_is_raised_in_its_class_with_the_partial_answer() -> None:
    with pytest.raises(errors.RunError, match=r"^Run failed: boom$") as caught:
        read(STARTED, piece("a"), piece("b"), FAILED, ERROR)
    reply = error_reply(caught.value)
    assert reply is not None
    assert (reply.status, reply.code, reply.answer) == (400, "invalid_param", "ab")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("completion_request_error", 400, errors.ProviderError),
        ("provider_quota_exceeded", 400, errors.QuotaExceededError),
        ("internal_server_error", 500, errors.ServerError),
        ("too_many_requests", 429, errors.TooManyRequestsError),
    ],
)
def test_error_events_have_the_same_classes_as_error_bodies(
    code: str, status: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=r"^why$") as caught:
        read(piece("a"), {"event": "error", "status": status, "code": code, "message": "why"})
    reply = error_reply(caught.value)
    assert reply is not None
    assert reply.answer == "a"


@pytest.mark.parametrize("events", [[], [STARTED], [STARTED, piece("a")], [piece("a"), FORM]])
def test_a_stream_that_ends_before_its_end_is_broken(events: list[Event]) -> None:
    with pytest.raises(errors.StreamBrokenError, match="before the answer was complete") as caught:
        read(*events)
    assert caught.value.answer == ("a" if piece("a") in events else "")


@pytest.mark.parametrize("events", [[STARTED, END], [STARTED, FINISHED], [piece("a")]])
def test_a_connection_that_fails_before_everything_was_told_is_a_broken_stream(events: list[Event]) -> None:
    with pytest.raises(errors.StreamBrokenError, match="connection reset") as caught:
        read(*events, failure="connection reset")
    assert isinstance(caught.value.__cause__, errors.TransportError)


@pytest.mark.parametrize(
    "events", [[STARTED, END, FINISHED], [STARTED, FINISHED, END], [END], [STARTED, PAUSED]]
)
def test_a_connection_that_fails_when_everything_was_told_does_no_harm(events: list[Event]) -> None:
    assert read(*events, failure="connection reset").pause is not None or END in events


def test_a_workflow_apps_stream_ends_with_its_run() -> None:
    chunks: list[Event] = [{"event": "text_chunk", "task_id": "t1", "data": {"text": text}} for text in "ab"]
    finished: Event = {**FINISHED, "data": {"id": "r1", "status": "succeeded", "files": [{"id": "f2"}]}}
    result = read(STARTED, *chunks, finished, has_message=False, failure="too late")
    assert (result.answer, result.status, result.files) == ("ab", "succeeded", [{"id": "f2"}])
    replaced: Event = {"event": "text_replace", "data": {"text": "X"}}
    assert read(*chunks, replaced, finished, has_message=False).answer == "X"
    with pytest.raises(errors.StreamBrokenError):
        read(STARTED, *chunks, has_message=False)


@pytest.mark.parametrize("payload", [b"{", b"[]", b"nonsense"])
def test_a_payload_that_is_no_event_breaks_the_stream(payload: bytes) -> None:
    reader = EventReader("x", has_message=True)
    reader.feed(frames(piece("a"))[0] + b"data: " + payload + b"\n\n")
    assert reader.take() is not None
    with pytest.raises(errors.StreamBrokenError, match="cannot be read") as caught:
        reader.take()
    assert caught.value.answer == "a"


def test_an_essential_event_of_another_shape_breaks_the_stream_and_others_do_not() -> None:
    assert read({"event": "node_started", "data": 5}, END).node_events == []
    with pytest.raises(errors.StreamBrokenError, match="'message' is not as documented: answer"):
        read({"event": "message", "answer": 5})


def test_a_last_event_without_its_blank_line_counts_when_it_is_whole() -> None:
    whole = frames(END)[0].rstrip()
    for stream, broken in ((whole, False), (whole[:-5], True)):
        reader = EventReader("x", has_message=True)
        reader.feed(stream)
        reader.finish()
        if broken:
            with pytest.raises(errors.StreamBrokenError):
                reader.take()
        else:
            assert isinstance(reader.take(), wire.MessageEndEvent)


def test_an_event_without_end_breaks_the_stream() -> None:
    reader = EventReader("x", has_message=True)
    reader._decoder = wire.SseDecoder(max_frame_bytes=10)
    with pytest.raises(errors.StreamBrokenError, match="larger than 10 bytes"):
        reader.feed(b"data: 0123456789")
