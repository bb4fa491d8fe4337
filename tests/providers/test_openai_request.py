from __future__ import annotations

import json
from typing import Any

import pytest

from weft.providers import (
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
    VideoPart,
)
from weft.providers.chat import Feature
from weft.providers.openai_request import Adaptation, chat_body, encode_body, find_adaptation

_NONE: frozenset[Feature] = frozenset()
_STRUCTURED: frozenset[Feature] = frozenset(("structured-output",))


def _body(**fields: Any) -> dict[str, object]:
    request = ChatRequest(**{"model": "m", "messages": [Message("user", "hi")], **fields})
    return chat_body(request, fields.pop("features", _NONE))


def test_a_plain_request_asks_for_a_stream_with_usage() -> None:
    assert _body(node_id="llm1") == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_settings_pass_through_and_ours_cannot_be_overruled() -> None:
    body = _body(
        parameters={
            "temperature": 0.7,
            "top_k": 40,
            "enable_thinking": False,
            "seed": None,
            "model": "other",
            "stream": False,
            "messages": [],
            "n": 3,
        },
        user="u1",
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.7,
        "top_k": 40,
        "enable_thinking": False,
        "user": "u1",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("name", ["max_tokens", "max_output_tokens", "max_tokens_to_sample", "num_predict"])
def test_the_bound_on_the_answer_has_one_name(name: str) -> None:
    assert _body(parameters={name: 5})["max_tokens"] == 5


def test_stop_words_come_from_both_places_once() -> None:
    assert _body(stop=["a", ""], parameters={"stop": ["b", "a"]})["stop"] == ["a", "b"]
    assert _body(parameters={"stop": "END"})["stop"] == ["END"]
    assert "stop" not in _body(parameters={"stop": []})


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"response_format": "text"}, None),
        ({"response_format": "XML"}, None),
        ({"response_format": "json_object"}, {"type": "json_object"}),
        ({"response_format": "JSON"}, {"type": "json_object"}),
        ({"response_format": {"type": "json_object"}}, {"type": "json_object"}),
        ({"response_format": "json_schema"}, {"type": "json_object"}),
        ({"response_format": "json_schema", "json_schema": "{broken"}, {"type": "json_object"}),
        (
            {"response_format": "json_schema", "json_schema": '{"type":"string"}'},
            {
                "type": "json_schema",
                "json_schema": {"name": "response", "schema": {"type": "string"}, "strict": True},
            },
        ),
        (
            {"response_format": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}},
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}},
        ),
    ],
)
def test_the_format_of_the_answer_is_translated(parameters: dict[str, object], sent: object) -> None:
    assert _body(parameters=parameters).get("response_format") == sent


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, False),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        ({"type": "array", "items": {"type": "object", "properties": {}}}, False),
        ({"anyOf": [{"type": "object"}]}, False),
    ],
)
def test_a_schema_is_strict_only_if_it_leaves_nothing_open(schema: dict[str, object], strict: bool) -> None:
    request = ChatRequest("m", [Message("user", "hi")], response_schema=schema)
    assert chat_body(request, _STRUCTURED)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": schema, "strict": strict},
    }


def test_a_schema_is_not_sent_to_a_model_that_cannot_follow_it() -> None:
    assert "response_format" not in _body(response_schema={"type": "object"})


def test_messages_parts_tools_and_calls_take_the_protocols_form() -> None:
    body = _body(
        messages=[
            Message(
                "user",
                [
                    TextPart("look"),
                    ImagePart("data:image/png;base64,AA", "low"),
                    ImagePart("https://example.com/b.png"),
                    AudioPart("data:audio/mp3;base64,BB", "mp3"),
                    AudioPart("https://example.com/c.wav"),
                    VideoPart("https://example.com/d.mp4"),
                    FilePart("data:application/pdf;base64,CC", "e.pdf"),
                ],
            ),
            Message("assistant", "", [ToolCall("c1", "f", '{"x":1}')]),
            Message("tool", "42", tool_call_id="c1"),
        ],
        tools=[Tool("f", "does f", {"type": "object"})],
        tool_choice="f",
    )
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/b.png"}},
                {"type": "input_audio", "input_audio": {"data": "BB", "format": "mp3"}},
                {"type": "audio_url", "audio_url": {"url": "https://example.com/c.wav"}},
                {"type": "video_url", "video_url": {"url": "https://example.com/d.mp4"}},
                {
                    "type": "file",
                    "file": {"filename": "e.pdf", "file_data": "data:application/pdf;base64,CC"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
            ],
        },
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}},
        }
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_general_tool_choice_stays_a_word(choice: str) -> None:
    assert _body(tools=[Tool("f", "", {})], tool_choice=choice)["tool_choice"] == choice


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    assert "tool_choice" not in _body(tool_choice="auto")


def test_what_json_cannot_say_is_sent_as_near_as_can_be() -> None:
    body = encode_body({"text": "half \ud83d", "seed": 2**70})
    assert json.loads(body) == {"text": "half ?", "seed": 2**70}


_SENT: dict[str, object] = {
    "model": "m",
    "messages": [],
    "temperature": 0.7,
    "max_tokens": 5,
    "stop": ["x"],
    "tools": [],
    "response_format": {},
    "top_k": 3,
    "stream": True,
    "stream_options": {},
}


@pytest.mark.parametrize(
    ("message", "more", "adaptation"),
    [
        ("Unknown parameter: 'stream_options'.", {"param": "stream_options"}, Adaptation("stream_options")),
        ("Unrecognized request argument supplied: stream_options", {}, Adaptation("stream_options")),
        (
            '[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]',
            {"status": 422},
            Adaptation("stream_options"),
        ),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            {"param": "max_tokens", "code": "unsupported_parameter"},
            Adaptation("max_tokens", "max_completion_tokens"),
        ),
        (
            "Unsupported value: 'temperature' does not support 0.7 with this model.",
            {"param": "temperature", "code": "unsupported_value"},
            Adaptation("temperature"),
        ),
        ("unexpected field top_k", {}, Adaptation("top_k")),
        ("This response_format type is unavailable now", {"own_format": True}, Adaptation("response_format")),
        ("This response_format type is unavailable now", {}, None),
        ("max_tokens is too large: 5. This model supports at most 4.", {"param": "max_tokens"}, None),
        ("temperature must be between 0 and 2", {"param": "temperature"}, None),
        ("tools is not supported by this model", {}, None),
        ("Unsupported parameter: 'stop'", {"param": "stop"}, None),
        ("Unknown parameter: 'stream_options'.", {"status": 500}, None),
        ("model does not support images", {}, None),
    ],
)
def test_only_a_refused_field_that_does_not_matter_is_given_up(
    message: str, more: dict[str, Any], adaptation: Adaptation | None
) -> None:
    assert find_adaptation(_SENT, **{"status": 400, "message": message, **more}) == adaptation


def test_an_old_service_gets_the_old_name_back() -> None:
    found = find_adaptation(
        {"max_completion_tokens": 5}, status=400, message="unknown field: max_completion_tokens"
    )
    assert found == Adaptation("max_completion_tokens", "max_tokens")


def test_an_adaptation_removes_or_renames() -> None:
    body: dict[str, object] = {"a": 1, "b": 2}
    Adaptation("a").apply(body)
    Adaptation("b", "c").apply(body)
    Adaptation("missing", "d").apply(body)
    assert body == {"c": 2}
