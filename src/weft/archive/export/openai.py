"""Chat examples for fine-tuning at OpenAI and everywhere that takes the same lines.

Source: OpenAI API reference, "chat format" of supervised fine-tuning.
"""

from __future__ import annotations

from weft.archive.export.format import Format, Stored
from weft.archive.export.training import iter_turns, system_prompt
from weft.archive.json_text import encode


class OpenAiFormat(Format):
    """``{"messages":[{"role":"user","content":...},{"role":"assistant","content":...}]}`` on each line."""

    name = "openai"
    suffix = ".jsonl"
    media_type = "application/x-ndjson"

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One line for a conversation with a usable turn."""
        messages: list[dict[str, str]] = []
        for query, answer in iter_turns(stored.conversation):
            messages.append({"role": "user", "content": query})
            messages.append({"role": "assistant", "content": answer})
        if not messages:
            return b"", 0
        system = system_prompt(stored.conversation)
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        return encode({"messages": messages}) + b"\n", 1
