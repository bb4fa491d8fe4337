from __future__ import annotations

import pytest

from weft.providers import (
    FilePart,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
    estimate_prompt_tokens,
    estimate_tokens,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("four", 1),
        ("Hello, how are you today?", 7),
        ("你好，世界", 5),
        ("안녕하세요", 5),
        ("ひらがな", 4),
        ("GPT 模型", 3),
        ("Привет", 3),
        ("naïve", 2),
        ("\ud800", 1),
    ],
)
def test_a_text_is_counted_by_its_kinds_of_characters(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_prompt_counts_messages_parts_calls_and_tools() -> None:
    messages = [
        Message("system", "four"),
        Message(
            "user", [TextPart("four"), ImagePart("data:,", "low"), ImagePart("data:,"), FilePart("data:,")]
        ),
        Message("assistant", "", [ToolCall("1", "four", "four")]),
    ]
    tools = [Tool("four", "four", {})]
    assert estimate_prompt_tokens(messages, tools) == 3 + 3 * 4 + 1 + (1 + 85 + 765 + 1000) + 2 + 3
