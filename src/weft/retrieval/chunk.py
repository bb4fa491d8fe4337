"""Cutting a text into passages."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_CHARS = 800
"""Of a passage; about as many as a model needs for one thought, and Dify's own default is near."""
_HEADING = re.compile(r"#{1,6}\s")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n")


def split_text(text: str, max_chars: int = MAX_CHARS) -> list[str]:
    """Passages in order: whole paragraphs as long as they fit; a Markdown heading begins a new one.

    Args:
        text: Any text; paragraphs are parted by empty lines.
        max_chars: What no passage exceeds.
    """
    passages: list[str] = []
    current = ""
    for paragraph in _paragraphs(text):
        begins = bool(_HEADING.match(paragraph)) and not _is_heading(current)
        for piece in _fitting(paragraph, max_chars):
            joined = f"{current}\n\n{piece}" if current else piece
            if begins or len(joined) > max_chars:
                passages.append(current)
                current = piece
            else:
                current = joined
            begins = False
    return [passage for passage in [*passages, current] if passage]


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", text.replace("\r\n", "\n")):
        if block.strip():
            yield block.strip()


def _is_heading(passage: str) -> bool:
    """Whether there is nothing yet but a heading, which what follows belongs to."""
    return all(_HEADING.match(line) for line in passage.split("\n") if line)


def _fitting(paragraph: str, max_chars: int) -> Iterator[str]:
    """A paragraph in pieces that fit, cut between sentences if possible."""
    if len(paragraph) <= max_chars:
        yield paragraph
        return
    current = ""
    start = 0
    ends = [match.end() for match in _SENTENCE.finditer(paragraph)]
    for end in [*ends, len(paragraph)]:
        sentence, start = paragraph[start:end], end
        if current and len(current) + len(sentence) > max_chars:
            yield current.strip()
            current = ""
        current += sentence
        while len(current) > max_chars:
            yield current[:max_chars].strip()
            current = current[max_chars:]
    if current.strip():
        yield current.strip()
