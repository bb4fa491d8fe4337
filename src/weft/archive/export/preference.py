"""Pairs of a better and a worse answer to the same question, from what readers thought of them.

Source: OpenAI API reference, preference format of direct preference optimization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from weft.archive.conversation import Conversation, rating_of
from weft.archive.export.format import Format, Stored
from weft.archive.export.training import has_answer, system_prompt
from weft.archive.json_text import JsonObject, encode


class PreferenceFormat(Format):
    """``{"input":{"messages":[...]},"preferred_output":[...],"non_preferred_output":[...]}`` on each line.

    A disliked answer is paired with every liked answer to the same question after the same message, and with
    the text that an editor wrote in its place (``annotation``).
    """

    name = "preference"
    suffix = ".jsonl"
    media_type = "application/x-ndjson"

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """A line for each pair."""
        lines = [encode(pair) + b"\n" for pair in _iter_pairs(stored.conversation)]
        return b"".join(lines), len(lines)


def _iter_pairs(conversation: Conversation) -> Iterator[JsonObject]:
    system = system_prompt(conversation)
    context: list[dict[str, str]] = [] if system is None else [{"role": "system", "content": system}]
    liked: dict[tuple[object, str], list[str]] = {}
    for message in conversation.messages:
        if has_answer(message) and rating_of(message) == "like":
            liked.setdefault(_question(message), []).append(str(message["answer"]))
    for message in conversation.messages:
        query, answer = str(message["query"]), str(message["answer"])
        if not has_answer(message):
            continue
        if rating_of(message) == "dislike":
            better = list(liked.get(_question(message), ()))
            written = _annotation(message)
            for chosen in [*better, *([written] if written else [])]:
                yield {
                    "input": {"messages": [*context, {"role": "user", "content": query}]},
                    "preferred_output": [{"role": "assistant", "content": chosen}],
                    "non_preferred_output": [{"role": "assistant", "content": answer}],
                }
        else:
            context += [{"role": "user", "content": query}, {"role": "assistant", "content": answer}]


def _question(message: JsonObject) -> tuple[object, str]:
    return str(message.get("parent_message_id") or ""), str(message["query"])


def _annotation(message: JsonObject) -> str | None:
    found = message.get("annotation")
    text = found.get("content") if isinstance(found, Mapping) else None
    return text if isinstance(text, str) and text.strip() else None
