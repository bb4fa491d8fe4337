from __future__ import annotations

import pytest

from tests.providers.conftest import HeldClock
from weft.errors import ConfigError, RateLimitedError
from weft.providers import (
    ChatChunk,
    ChatRequest,
    Message,
    Rule,
    Script,
    ScriptedModel,
    TextPart,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
)

pytestmark = pytest.mark.anyio


def _ask(text: str, *, node_id: str = "", model: str = "m") -> ChatRequest:
    return ChatRequest(model, [Message("user", text)], node_id=node_id)


async def _reply(model: ScriptedModel, request: ChatRequest) -> str:
    return "".join([chunk.text async for chunk in model.stream_chat(request)])


async def test_without_rules_it_repeats_what_was_said_word_by_word() -> None:
    chunks = [chunk async for chunk in ScriptedModel().stream_chat(_ask("good  morning"))]
    assert chunks == [
        ChatChunk("You"),
        ChatChunk(" said:"),
        ChatChunk(" good"),
        ChatChunk(" "),
        ChatChunk(" morning"),
        ChatChunk(usage=TokenUsage(11, 6, 17), finish_reason="stop"),
    ]


async def test_a_rule_plays_thoughts_text_and_tool_calls_in_this_order(clock: HeldClock) -> None:
    rule = Rule(
        chunks=["a b", "c"],
        reasoning="let me",
        tool_calls=[ToolCall("1", "f", "{}")],
        usage=TokenUsage(1, 2, 3),
        delay_s=0.5,
    )
    model = ScriptedModel(script=Script([rule]), clock=clock)
    assert [chunk async for chunk in model.stream_chat(_ask("x"))] == [
        ChatChunk(reasoning="let"),
        ChatChunk(reasoning=" me"),
        ChatChunk("a b"),
        ChatChunk("c"),
        ChatChunk(tool_calls=[ToolCallDelta(0, "1", "f", "{}")]),
        ChatChunk(usage=TokenUsage(1, 2, 3), finish_reason="tool_calls"),
    ]
    assert clock.waits == [0.5] * 5


async def test_an_empty_reply_is_only_the_last_chunk() -> None:
    model = ScriptedModel(script=Script([Rule()]))
    assert [chunk.finish_reason async for chunk in model.stream_chat(_ask("x"))] == ["stop"]


async def test_the_first_rule_whose_conditions_all_hold_answers() -> None:
    script = Script.load(
        {
            "rules": [
                {"node_id": "llm1", "model": "big", "reply": "big llm1"},
                {"node_id": "llm1", "reply": "llm1"},
                {"text": "weather", "pattern": r"in (Oslo|Rome)\b", "reply": "sunny"},
                {"text": "weather", "reply": "where? {query}"},
            ]
        }
    )
    model = ScriptedModel(script=script)
    asked = [
        _ask("weather in Oslo", node_id="llm1", model="big"),
        _ask("weather in Oslo", node_id="llm1"),
        _ask("weather in Oslo"),
        _ask("weather in Paris"),
        _ask("hello"),
    ]
    assert [await _reply(model, request) for request in asked] == [
        "big llm1",
        "llm1",
        "sunny",
        "where? weather in Paris",
        "You said: hello",
    ]
    assert list(model.requests) == asked


async def test_a_rule_can_be_spent() -> None:
    model = ScriptedModel(script=Script([Rule(reply="once", times=1), Rule(reply="then")]))
    assert [await _reply(model, _ask("x")) for _ in range(3)] == ["once", "then", "then"]


async def test_an_error_comes_after_the_chunks_of_its_rule() -> None:
    model = ScriptedModel(
        "acme", Script([Rule(reply="half an", error="RateLimitedError", message="too fast")])
    )
    chunks = model.stream_chat(_ask("x"))
    assert [(await anext(chunks)).text, (await anext(chunks)).text] == ["half", " an"]
    with pytest.raises(RateLimitedError, match="too fast") as caught:
        await anext(chunks)
    assert (caught.value.provider, caught.value.model) == ("acme", "m")


async def test_conditions_look_at_the_last_message_of_the_user_in_parts_too() -> None:
    model = ScriptedModel(script=Script([Rule(text="two", reply="yes")]))
    messages = [
        Message("user", "one"),
        Message("user", [TextPart("two"), TextPart("three")]),
        Message("assistant", "x"),
    ]
    assert await _reply(model, ChatRequest("m", messages)) == "yes"


async def test_it_remembers_the_latest_requests_only() -> None:
    model = ScriptedModel(keep=2)
    for word in ("a", "b", "c"):
        await _reply(model, _ask(word))
    assert [request.messages[0].text for request in model.requests] == ["b", "c"]


async def test_it_can_do_everything_and_knows_no_size() -> None:
    assert ScriptedModel().features("m") == {
        "vision",
        "audio",
        "video",
        "document",
        "tool-call",
        "structured-output",
    }
    assert ScriptedModel().context_size("m") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rules": [{"replay": "x"}]}, "rules: .*replay"),
        ({"rules": "x"}, "rules: "),
        ({"rule": []}, "unknown key 'rule'"),
        ({"rules": [{"error": "Oops"}]}, "unknown error 'Oops'; known: BadReplyError, "),
        ({"rules": [{"pattern": "("}]}, r"'\(' is no regular expression"),
        ({"rules": [{"delay_s": -1}]}, "delay_s"),
    ],
)
def test_a_wrong_script_is_refused(content: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Script.load(content)
