from __future__ import annotations

from weft.providers import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolCallDelta,
    join_tool_calls,
    last_user_text,
)


def test_the_text_of_a_message_is_its_text_parts_on_lines_of_their_own() -> None:
    message = Message("user", [TextPart("one"), ImagePart("https://example.com/a.png"), TextPart("two")])
    assert message.text == "one\ntwo"


def test_the_last_user_text_skips_later_messages_of_others() -> None:
    messages = [Message("user", "first"), Message("user", "second"), Message("assistant", "answer")]
    assert last_user_text(messages) == "second"


def test_without_a_user_message_the_last_user_text_is_empty() -> None:
    assert last_user_text([Message("system", "rules")]) == ""


def test_pieces_of_tool_calls_join_by_index_even_when_they_alternate() -> None:
    deltas = [
        ToolCallDelta(1, "b", "two", ""),
        ToolCallDelta(0, "a", "one", '{"x"'),
        ToolCallDelta(1, arguments="{}"),
        ToolCallDelta(0, arguments=":1}"),
    ]
    assert join_tool_calls(deltas) == [ToolCall("a", "one", '{"x":1}'), ToolCall("b", "two", "{}")]


def test_a_tool_call_without_id_gets_one_from_its_place() -> None:
    assert join_tool_calls([ToolCallDelta(2, name="f")]) == [ToolCall("call_2", "f", "")]
