"""Facts about well-known model families: how much they read and what they can do.

A service's own list of models rarely says either, so names have to. A settings file overrides both
(`features` and `context_sizes` of a provider); a model that nobody knows gets no feature and no size.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from weft.providers.chat import Feature

_Row: TypeAlias = tuple[re.Pattern[str], int | None, frozenset[Feature]]


def _row(pattern: str, size: int | None, *features: Feature) -> _Row:
    return re.compile(pattern), size, frozenset(features)


# The first row that matches the start of the name (publisher prefixes such as "openai/" cut off) wins.
_FAMILIES: tuple[_Row, ...] = (
    _row(r"gpt-3\.5|gpt-35", 16385, "tool-call"),
    _row(r"gpt-4o-audio|gpt-audio", 128_000, "tool-call", "audio"),
    _row(r"gpt-4o-2024-05|chatgpt-4o", 128_000, "tool-call", "vision"),
    _row(r"gpt-4o", 128_000, "tool-call", "vision", "document", "structured-output"),
    _row(r"gpt-4\.1", 1_047_576, "tool-call", "vision", "document", "structured-output"),
    _row(r"gpt-4\.5", 128_000, "tool-call", "vision", "structured-output"),
    _row(r"gpt-4-32k", 32_768, "tool-call"),
    _row(r"gpt-4-(turbo-2024|turbo$|vision)", 128_000, "tool-call", "vision"),
    _row(r"gpt-4-(turbo|1106|0125)", 128_000, "tool-call"),
    _row(r"gpt-4", 8_192, "tool-call"),
    _row(r"gpt-5\.[45](?!-(mini|nano))", 1_000_000, "tool-call", "vision", "document", "structured-output"),
    _row(r"gpt-5", 400_000, "tool-call", "vision", "document", "structured-output"),
    _row(r"gpt-oss", 131_072, "tool-call"),
    _row(r"o1-(mini|preview)", 128_000),
    _row(r"o3-mini", 200_000, "tool-call", "structured-output"),
    _row(r"o[134]", 200_000, "tool-call", "vision", "document", "structured-output"),
    _row(r"claude-(opus|sonnet|fable)-(4-[789]|5)", 1_000_000, "tool-call", "vision", "document"),
    _row(r"(.*\.)?claude-3-haiku", 200_000, "tool-call", "vision"),
    _row(r"(.*\.)?claude", 200_000, "tool-call", "vision", "document"),
    _row(r"gemini-1\.0|gemini-pro$", 32_768, "tool-call"),
    _row(
        r"gemini-1\.5-pro",
        2_097_152,
        "tool-call",
        "vision",
        "audio",
        "video",
        "document",
        "structured-output",
    ),
    _row(
        r"gemini",
        1_048_576,
        "tool-call",
        "vision",
        "audio",
        "video",
        "document",
        "structured-output",
    ),
    _row(r"deepseek-(flash|v4)", 1_000_000, "tool-call"),
    _row(r"deepseek-(v3|chat|reasoner)", 131_072, "tool-call"),
    _row(r"deepseek-(r1|coder)", 65_536),
    _row(r"qwen-vl|qwen.*-vl|qvq", 32_768, "vision"),
    _row(r"qwen-(turbo|long)", 1_000_000, "tool-call"),
    _row(r"qwen-max$", 32_768, "tool-call"),
    _row(r"qwen|qwq", 131_072, "tool-call"),
    _row(r"moonshot-v1-8k", 8_192, "tool-call"),
    _row(r"moonshot-v1-32k", 32_768, "tool-call"),
    _row(r"moonshot-v1-128k", 131_072, "tool-call"),
    _row(r"kimi", 262_144, "tool-call"),
    _row(r"doubao.*vision", 32_768, "vision"),
    _row(r"doubao.*-4k", 4_096, "tool-call"),
    _row(r"doubao.*-32k", 32_768, "tool-call"),
    _row(r"doubao.*-128k", 131_072, "tool-call"),
    _row(r"doubao.*-256k", 262_144, "tool-call"),
    _row(r"glm-4\.?\d*v", 65_536, "vision"),
    _row(r"glm-4", 131_072, "tool-call"),
    _row(r"pixtral", 131_072, "tool-call", "vision"),
    _row(r"mistral|ministral|magistral|codestral", 131_072, "tool-call"),
    _row(r"grok-2-vision", 32_768, "vision"),
    _row(r"grok-[23]", 131_072, "tool-call", "structured-output"),
    _row(r"grok-4", 256_000, "tool-call", "vision", "structured-output"),
    _row(r"llama-?3\.2.*vision|llava|minicpm-v", None, "vision"),
    _row(r"llama-?4", 131_072, "tool-call", "vision"),
    _row(r"llama-?3\.", 131_072, "tool-call"),
    _row(r"llama-?3", 8_192),
    _row(r"yi-large-turbo", 16_384),
    _row(r"command-(r|a)", 131_072, "tool-call"),
)


def known_features(model: str) -> frozenset[Feature]:
    """What the family of that model can do; empty for a stranger."""
    row = _find(model)
    return row[2] if row else frozenset()


def known_context_size(model: str) -> int | None:
    """Tokens that the family of that model takes, prompt and reply together; ``None`` for a stranger."""
    row = _find(model)
    return row[1] if row else None


@lru_cache(maxsize=1024)
def _find(model: str) -> _Row | None:
    name = model.lower().rpartition("/")[2]
    return next((row for row in _FAMILIES if row[0].match(name)), None)
