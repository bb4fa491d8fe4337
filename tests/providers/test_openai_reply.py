from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.providers import ChatChunk, TokenUsage, ToolCall, ToolCallDelta, join_tool_calls
from weft.providers.openai_refusal import Refusal
from weft.providers.openai_reply import ReplyReader


def _data(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def _delta(delta: object = None, reason: str | None = None, **more: Any) -> dict[str, object]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": reason}
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice], **more}


def _text(text: str) -> dict[str, object]:
    return _delta({"content": text})


_DONE = b"data: [DONE]\n\n"
_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def _read(*pieces: bytes) -> tuple[ReplyReader, list[ChatChunk]]:
    reader = ReplyReader()
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece)]
    if not reader.done and reader.failure is None:
        chunks += reader.finish()
    return reader, chunks


def _last(reader: ReplyReader) -> ChatChunk:
    return reader.last_chunk(lambda: 100)


def test_a_textbook_stream() -> None:
    reader, chunks = _read(
        _data(
            _delta({"role": "assistant", "content": ""}),
            _text("Hel"),
            _text("lo"),
            _delta({}, "stop"),
            {"choices": [], "usage": _USAGE},
        )
        + _DONE
    )
    assert chunks == [ChatChunk("Hel"), ChatChunk("lo")]
    assert (reader.done, reader.failure) == (True, None)
    assert _last(reader) == ChatChunk(usage=TokenUsage(3, 4, 7), finish_reason="stop")


@given(st.integers(1, 400))
def test_a_stream_reads_the_same_however_it_is_cut(size: int) -> None:
    stream = b": hi\r\n\r\n" + _data(_text("wörld 世界"), _text("🎉"), _delta({}, "stop")) + _DONE
    stream = stream.replace(b"\\u00f6", "ö".encode())
    _, chunks = _read(*(stream[start : start + size] for start in range(0, len(stream), size)))
    assert chunks == [ChatChunk("wörld 世界"), ChatChunk("🎉")]


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [], "usage": _USAGE},
        {"usage": _USAGE},
        {"choices": None, "usage": _USAGE},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": None, "usage": _USAGE}]},
        {"choices": [{"delta": {}}], "x_groq": {"id": "r", "usage": _USAGE}},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        {"choices": [], "usage": {"prompt_tokens": 3.0, "completion_tokens": 4.0, "total_tokens": 7.0}},
    ],
)
def test_usage_is_found_wherever_it_stands(event: object) -> None:
    reader, chunks = _read(_data(_text("a"), event, _delta({}, "stop")))
    assert (chunks, _last(reader).usage) == ([ChatChunk("a")], TokenUsage(3, 4, 7))


def test_usage_in_every_chunk_counts_once() -> None:
    first = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    reader, _ = _read(_data({**_text("a"), "usage": first}, {**_delta({}, "stop"), "usage": _USAGE}) + _DONE)
    assert _last(reader).usage == TokenUsage(3, 4, 7)


@pytest.mark.parametrize("events", [(), ({"choices": [], "usage": {"total_tokens": 0}},)])
def test_without_a_count_the_tokens_are_estimated(events: tuple[object, ...]) -> None:
    reader, _ = _read(
        _data(_delta({"reasoning": "four"}), _text("four"), *events, _delta({}, "stop")) + _DONE
    )
    assert _last(reader).usage == TokenUsage(100, 2, 102)


@pytest.mark.parametrize(
    ("delta", "chunk"),
    [
        ({"reasoning_content": "hm", "content": None}, ChatChunk(reasoning="hm")),
        ({"reasoning": "hm", "content": ""}, ChatChunk(reasoning="hm")),
        ({"reasoning": "a", "reasoning_content": "a"}, ChatChunk(reasoning="a")),
        ({"content": "x", "reasoning": "y"}, ChatChunk("x", "y")),
        ({"refusal": "I will not"}, ChatChunk("I will not")),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
            ChatChunk(reasoning="hm"),
        ),
        ({"content": [{"type": "text", "text": "a"}, "b"]}, ChatChunk("ab")),
    ],
)
def test_text_and_thoughts_have_many_names(delta: object, chunk: ChatChunk) -> None:
    assert _read(_data(_delta(delta)) + _DONE)[1] == [chunk]


@pytest.mark.parametrize(
    "event",
    [
        {"choices": []},
        {},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 1, "delta": {"content": "the second choice"}}]},
        {"prompt_filter_results": [], "choices": []},
        {"type": "ping"},
        {"choices": "none"},
        {"choices": ["none"]},
        3,
        _delta({"role": "assistant"}),
        _delta({"content": 5}),
    ],
)
def test_what_says_nothing_is_passed_over(event: object) -> None:
    reader, chunks = _read(_data(event, _text("a")) + _DONE)
    assert (chunks, reader.failure) == ([ChatChunk("a")], None)


def _call(index: int | None, id: str | None, name: str | None, arguments: object) -> dict[str, object]:
    call: dict[str, object] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id is not None:
        call["id"] = id
    return _delta({"tool_calls": [call]})


@pytest.mark.parametrize(
    ("events", "calls"),
    [
        pytest.param(
            [_call(0, "a", "f", ""), _call(0, None, None, '{"x"'), _call(0, None, None, ":1}")],
            [ToolCall("a", "f", '{"x":1}')],
            id="textbook",
        ),
        pytest.param(
            [
                _call(0, "a", "f", "{"),
                _call(1, "b", "g", "{"),
                _call(0, None, None, "}"),
                _call(1, None, None, "}"),
            ],
            [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")],
            id="two at once",
        ),
        pytest.param(
            [_call(None, "a", "f", "{}"), _call(None, "b", "f", "{}")],
            [ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")],
            id="no index, whole calls",
        ),
        pytest.param(
            [_call(None, "a", "f", "{"), _call(None, None, None, "}")],
            [ToolCall("a", "f", "{}")],
            id="no index, pieces",
        ),
        pytest.param(
            [_call(None, None, "f", "{}"), _call(None, None, "g", "{}")],
            [ToolCall("call_0", "f", "{}"), ToolCall("call_1", "g", "{}")],
            id="neither index nor id",
        ),
        pytest.param(
            [_call(0, "a", "f", "{}"), _call(0, "b", "g", "{}")],
            [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")],
            id="index 0 for all",
        ),
        pytest.param(
            [_call(0, "a", "f", "{"), _call(0, "a", None, "}")],
            [ToolCall("a", "f", "{}")],
            id="id repeated",
        ),
        pytest.param(
            [_call(0, "", "f", "{"), _call(0, "late", None, "}")],
            [ToolCall("call_0", "f", "{}")],
            id="id late",
        ),
        pytest.param(
            [_call(1, "a", "f", "{}")],
            [ToolCall("a", "f", "{}")],
            id="counting from one",
        ),
        pytest.param(
            [_call(0, "a", "f", {"x": 1})],
            [ToolCall("a", "f", '{"x":1}')],
            id="arguments as an object",
        ),
    ],
)
def test_tool_calls_are_told_apart(events: list[object], calls: list[ToolCall]) -> None:
    reader, chunks = _read(_data(*events, _delta({}, "tool_calls")) + _DONE)
    assert join_tool_calls(delta for chunk in chunks for delta in chunk.tool_calls) == calls
    assert _last(reader).finish_reason == "tool_calls"


def test_an_id_is_given_once() -> None:
    _, chunks = _read(_data(_call(0, "a", "f", ""), _call(0, "a", None, "{}")) + _DONE)
    assert [chunk.tool_calls for chunk in chunks] == [
        [ToolCallDelta(0, "a", "f", "")],
        [ToolCallDelta(0, "", "", "{}")],
    ]


@pytest.mark.parametrize(
    ("event", "refusal"),
    [
        (
            {
                "error": {"message": "overloaded", "code": 502},
                "choices": [{"delta": {}, "finish_reason": "error"}],
            },
            Refusal(502, "overloaded", "502"),
        ),
        ({"error": "boom"}, Refusal(500, "boom")),
        (
            {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
            Refusal(400, "too long", "400", "BadRequestError"),
        ),
    ],
)
def test_an_error_inside_the_stream_comes_after_the_chunks_before_it(event: object, refusal: Refusal) -> None:
    reader, chunks = _read(_data(_text("a"), event, _text("never")))
    assert (chunks, reader.failure) == ([ChatChunk("a")], refusal)


def test_garbage_comes_after_the_chunks_before_it() -> None:
    reader, chunks = _read(_data(_text("a")) + b"data: {oops}\n\n" + _data(_text("never")))
    assert chunks == [ChatChunk("a")]
    assert reader.failure == "the service sent what is not JSON: {oops}"


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"<!doctype html><title>Login</title>", "the service sent no answer but an HTML page: Login"),
        (b"Internal Server Error", "the service sent no answer but Internal Server Error"),
        (b"[1, 2]", "the service sent no answer but [1, 2]"),
        (b"", "the reply is empty"),
        (b"\n\n", "the reply is empty"),
        (b": keep-alive\n\n", "the reply is empty"),
        (b"{half", "the service sent what is not JSON: {half"),
        (b'{"choices":[]}', "the reply is empty"),
    ],
)
def test_a_body_without_an_answer_is_a_failure(body: bytes, failure: str) -> None:
    reader, chunks = _read(body)
    assert (chunks, reader.failure) == ([], failure)


def test_a_stream_that_ends_in_the_middle_is_a_failure() -> None:
    reader, chunks = _read(_data(_text("a"), _text("b")))
    assert (len(chunks), reader.failure, reader.is_cut) == (
        2,
        "the reply broke off before it was complete",
        True,
    )


@pytest.mark.parametrize(
    "end",
    [_data(_delta({}, "stop")), _data(_delta({}, "stop")).rstrip(), _DONE, b"data: [DONE]", b"data:[done]\n"],
)
def test_a_stream_may_end_in_several_ways(end: bytes) -> None:
    reader, chunks = _read(_data(_text("a")) + end)
    assert (chunks, reader.failure) == ([ChatChunk("a")], None)


def test_a_whole_completion_counts_as_a_stream_of_one_chunk() -> None:
    message = {
        "role": "assistant",
        "content": "Hello",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": _USAGE}, indent=1)
    half = len(body) // 2
    reader, chunks = _read(b"\xef\xbb\xbf" + body[:half].encode(), body[half:].encode())
    assert chunks == [ChatChunk("Hello", "hm", [ToolCallDelta(0, "a", "f", "{}")])]
    assert _last(reader) == ChatChunk(usage=TokenUsage(3, 4, 7), finish_reason="stop")


def test_an_error_as_the_whole_body_is_the_services_error() -> None:
    reader, _ = _read(b'{"error":{"message":"no balance","code":"insufficient_quota"}}')
    assert reader.failure == Refusal(402, "no balance", "insufficient_quota")


@given(st.binary(max_size=300))
def test_no_bytes_whatever_make_it_crash(body: bytes) -> None:
    reader, _ = _read(b"data: " + body)
    assert reader.done or reader.failure is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("choices", "delta", "message", "content", "text", "reasoning", "finish_reason"),
                        *("tool_calls", "function", "arguments", "name", "id", "index"),
                        *("usage", "prompt_tokens", "x_groq", "error"),
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    )
)
def test_no_json_whatever_makes_it_crash(content: object) -> None:
    reader, chunks = _read(_data(content) + _DONE)
    assert all(isinstance(chunk, ChatChunk) for chunk in chunks)
    _last(reader)
