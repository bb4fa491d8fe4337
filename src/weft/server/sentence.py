"""Cutting a text that is still growing into pieces that can be spoken."""

from __future__ import annotations

import re

_MIN_CHARS = 16
"""Shorter sentences wait for the next one; a voice needs some words to find its tone."""
_MIN_WIDE_CHARS = 8
"""The same where a letter is a syllable or a word."""
_MAX_CHARS = 400
"""What is longer without an end is cut at a comma or a blank."""
_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s)|[。！？；]|\n")
_THOUGHT = re.compile(r"<think\b[^>]*>.*?</think\s*>", re.IGNORECASE | re.DOTALL)
_OPEN_THOUGHT = re.compile(r"<think\b", re.IGNORECASE)
_PAUSE = re.compile(r"[,，、:：]\s*|\s")
_SOUND = re.compile(r"\w")


class SentenceCutter:
    """Gathers pieces of text and gives out whole sentences; thoughts in `<think>` are left out."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, piece: str) -> list[str]:
        """The sentences that this piece completes."""
        self._text += piece
        if "<" in self._text:
            self._text = _THOUGHT.sub("", self._text)
        found: list[str] = []
        while end := self._next_end():
            sentence, self._text = self._text[:end].strip(), self._text[end:]
            if _SOUND.search(sentence):
                found.append(sentence)
        return found

    def finish(self) -> list[str]:
        """What is left when no piece follows; a thought without an end is none of it."""
        rest, self._text = _OPEN_THOUGHT.split(self._text, maxsplit=1)[0].strip(), ""
        return [rest] if _SOUND.search(rest) else []

    def _next_end(self) -> int:
        """Where the first part that can be spoken ends; 0 if there is none yet."""
        thought = _OPEN_THOUGHT.search(self._text)
        limit = len(self._text) if thought is None else thought.start()
        for match in _END.finditer(self._text, 0, limit):
            if match.end() >= (_MIN_WIDE_CHARS if match[0] in "。！？；" else _MIN_CHARS):
                return match.end() if match.end() <= _MAX_CHARS else self._pause()
        return self._pause() if limit > _MAX_CHARS else 0

    def _pause(self) -> int:
        ends = [match.end() for match in _PAUSE.finditer(self._text, _MIN_CHARS, _MAX_CHARS)]
        return ends[-1] if ends else _MAX_CHARS
