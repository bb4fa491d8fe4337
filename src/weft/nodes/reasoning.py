"""Telling a model's thoughts from its answer where both come in one text.

Models that think aloud put their thoughts between ``<think>`` and ``</think>``. A reply comes in pieces that
may end anywhere, also inside a tag, so the splitter holds back what may still turn out to be one. What it
gives out, joined, does not depend on where the pieces ended.

Source: Dify app DSL, `reasoning_format`: attributes and upper case are allowed in the tag, several blocks are
joined by a newline, text outside is trimmed and its runs of blank lines collapsed, a block that is never
closed counts as thoughts.
"""

from __future__ import annotations

import re

# An opening tag longer than this is none; it bounds what is held back.
_MAX_ATTRIBUTES = 200
_ATTRIBUTES = rf"(?:\s[^<>]{{0,{_MAX_ATTRIBUTES}}})?"
_OPEN = re.compile(rf"<think{_ATTRIBUTES}(?<!/)>", re.IGNORECASE)
_OPENING = re.compile(rf"<(?:t(?:h(?:i(?:n(?:k{_ATTRIBUTES})?)?)?)?)?", re.IGNORECASE)
_CLOSE = re.compile(r"</think\s{0,20}>", re.IGNORECASE)
_CLOSING = re.compile(r"<(?:/(?:t(?:h(?:i(?:n(?:k\s{0,20})?)?)?)?)?)?", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n")


class _Trimmer:
    """Drops white space at both ends of a text that comes in pieces."""

    __slots__ = ("_collapse", "_held", "_started")

    def __init__(self, *, collapse: bool) -> None:
        self._collapse = collapse
        self._held = ""
        """White space that counts only if something follows it."""
        self._started = False

    def feed(self, piece: str) -> str:
        text = self._held + piece if self._held else piece
        if not self._started:
            text = text.lstrip()
            if not text:
                return ""
            self._started = True
        body = text.rstrip()
        self._held = text[len(body) :]
        if self._collapse and "\n" in body:
            return _BLANK_LINES.sub("\n\n", body)
        return body

    def restart(self) -> bool:
        """Begin another text; whether the last one had anything in it."""
        started, self._started, self._held = self._started, False, ""
        return started


class ReasoningSplitter:
    """Takes a reply piece by piece and gives back what is answer and what is thought."""

    __slots__ = ("_answer", "_between_blocks", "_held", "_inside", "_thought")

    def __init__(self) -> None:
        self._answer = _Trimmer(collapse=True)
        self._thought = _Trimmer(collapse=False)
        self._inside = False
        self._held = ""
        """The beginning of what may become a tag."""
        self._between_blocks = False
        """An earlier block had thoughts, so the next ones go on a new line."""

    def feed(self, piece: str) -> tuple[str, str]:
        """The answer and the thoughts that are certain now; either may be empty."""
        if not self._held and "<" not in piece:
            if self._inside:
                return "", self._think(piece)
            return self._answer.feed(piece), ""
        return self._scan(self._held + piece)

    def think(self, piece: str) -> str:
        """Take a thought that the service sends apart from the text; gives back what is certain of it."""
        return self._think(piece)

    def finish(self) -> tuple[str, str]:
        """The rest, when no further piece comes."""
        held, self._held = self._held, ""
        if self._inside:
            return "", self._think(held)
        return self._answer.feed(held), ""

    def end_block(self) -> None:
        """The thoughts so far are complete; further ones are another block."""
        if self._thought.restart():
            self._between_blocks = True

    def _scan(self, text: str) -> tuple[str, str]:
        answer: list[str] = []
        thoughts: list[str] = []
        self._held = ""
        start = search = 0
        while True:
            tag, begun = (_CLOSE, _CLOSING) if self._inside else (_OPEN, _OPENING)
            place = text.find("<", search)
            found = tag.match(text, place) if place >= 0 else None
            if place >= 0 and found is None and not begun.fullmatch(text, place):
                search = place + 1
                continue
            end = len(text) if place < 0 else place
            if end > start:
                if self._inside:
                    thoughts.append(self._think(text[start:end]))
                else:
                    answer.append(self._answer.feed(text[start:end]))
            if found is None:
                self._held = text[end:]
                return "".join(answer), "".join(thoughts)
            if self._inside:
                self.end_block()
            self._inside = not self._inside
            start = search = found.end()

    def _think(self, piece: str) -> str:
        text = self._thought.feed(piece)
        if text and self._between_blocks:
            self._between_blocks = False
            return "\n" + text
        return text


def split_reasoning(text: str) -> tuple[str, str]:
    """The answer and the thoughts of a whole reply."""
    splitter = ReasoningSplitter()
    answer, thoughts = splitter.feed(text)
    more_answer, more_thoughts = splitter.finish()
    return answer + more_answer, thoughts + more_thoughts
