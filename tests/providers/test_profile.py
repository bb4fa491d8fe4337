from __future__ import annotations

import pytest

from weft.providers.chat import Feature
from weft.providers.profile import known_context_size, known_features


@pytest.mark.parametrize(
    ("model", "size", "features"),
    [
        ("gpt-4o-mini-2024-07-18", 128_000, {"tool-call", "vision", "document", "structured-output"}),
        ("openai/gpt-4o", 128_000, {"tool-call", "vision", "document", "structured-output"}),
        ("gpt-4", 8_192, {"tool-call"}),
        ("gpt-4-32k-0613", 32_768, {"tool-call"}),
        ("gpt-3.5-turbo-0125", 16_385, {"tool-call"}),
        ("o1-mini", 128_000, set()),
        ("o3", 200_000, {"tool-call", "vision", "document", "structured-output"}),
        ("gpt-5.4-mini", 400_000, {"tool-call", "vision", "document", "structured-output"}),
        ("gpt-5.4", 1_000_000, {"tool-call", "vision", "document", "structured-output"}),
        ("deepseek-chat", 131_072, {"tool-call"}),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", 200_000, {"tool-call", "vision", "document"}),
        (
            "gemini-2.0-flash-exp",
            1_048_576,
            {"tool-call", "vision", "audio", "video", "document", "structured-output"},
        ),
        ("qwen-vl-plus", 32_768, {"vision"}),
        ("qwen2.5-vl-72b-instruct", 32_768, {"vision"}),
        ("Doubao-Pro-32k", 32_768, {"tool-call"}),
        ("moonshot-v1-8k", 8_192, {"tool-call"}),
        ("llava:13b", None, {"vision"}),
        ("my-finetune", None, set()),
    ],
)
def test_a_family_is_known_by_its_name(model: str, size: int | None, features: set[Feature]) -> None:
    assert (known_context_size(model), known_features(model)) == (size, frozenset(features))
