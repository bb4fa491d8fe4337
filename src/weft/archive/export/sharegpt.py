"""ShareGPT lines, which most open trainers read."""

from __future__ import annotations

from weft.archive.export.format import Format, Stored
from weft.archive.export.training import iter_turns, system_prompt
from weft.archive.json_text import encode


class ShareGptFormat(Format):
    """Lines ``{"id":...,"conversations":[{"from":"human","value":...},{"from":"gpt","value":...}]}``."""

    name = "sharegpt"
    suffix = ".jsonl"
    media_type = "application/x-ndjson"

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One line for a conversation with a usable turn."""
        turns: list[dict[str, str]] = []
        for query, answer in iter_turns(stored.conversation):
            turns.append({"from": "human", "value": query})
            turns.append({"from": "gpt", "value": answer})
        if not turns:
            return b"", 0
        line: dict[str, object] = {"id": stored.conversation.id}
        system = system_prompt(stored.conversation)
        if system is not None:
            line["system"] = system
        line["conversations"] = turns
        return encode(line) + b"\n", 1
