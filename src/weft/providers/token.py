"""How many tokens a text has, when nobody counts them for us.

A rule of thumb for services that report no usage and for budgets of prompts; tokenizers differ between
models, and none is worth a dependency of many megabytes here. Against the tokenizers of common models it
is typically within a fifth for prose, and on the high side for Chinese, Japanese and Korean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from weft.providers.message import ImagePart, Message, Part, TextPart, Tool

# CJK punctuation, kana, ideographs, Hangul, full-width forms and the supplementary ideographs.
_CJK = re.compile(
    "[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)

_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_REPLY = 3
_TOKENS_PER_LOW_IMAGE = 85
_TOKENS_PER_IMAGE = 765
_TOKENS_PER_ATTACHMENT = 1000


def estimate_tokens(text: str) -> int:
    """Tokens of a text: one per CJK character, one per four ASCII characters, one per two others."""
    if text.isascii():
        return (len(text) + 3) // 4
    cjk = len(_CJK.findall(text))
    ascii_size = len(text.encode("ascii", "ignore"))
    others = len(text) - cjk - ascii_size
    return cjk + (ascii_size + 3) // 4 + (others + 1) // 2


def estimate_prompt_tokens(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
    """Tokens of a whole prompt: its texts, four more per message, and fixed sums for pictures and files."""
    total = _TOKENS_PER_REPLY
    for message in messages:
        total += _TOKENS_PER_MESSAGE
        if isinstance(message.content, str):
            total += estimate_tokens(message.content)
        else:
            total += sum(_estimate_part(part) for part in message.content)
        for call in message.tool_calls:
            total += estimate_tokens(call.name) + estimate_tokens(call.arguments)
    for tool in tools:
        total += sum(estimate_tokens(text) for text in (tool.name, tool.description, str(tool.parameters)))
    return total


def _estimate_part(part: Part) -> int:
    if isinstance(part, TextPart):
        return estimate_tokens(part.text)
    if isinstance(part, ImagePart):
        return _TOKENS_PER_LOW_IMAGE if part.detail == "low" else _TOKENS_PER_IMAGE
    return _TOKENS_PER_ATTACHMENT
