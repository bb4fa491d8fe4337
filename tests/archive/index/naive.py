"""Searching and counting by looking at every message, to compare the index with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from weft.archive import Conversation, rating_of
from weft.archive.index.token import is_cjk

Message = dict[str, object]
Test = Callable[[Message], bool]


def messages(conversations: Iterable[Conversation]) -> list[Message]:
    """Every message, newest first, with what the index knows of its conversation."""
    found = [
        {**message, "app": item.app_id, "name": item.name if number == 0 else "", "number": number}
        for item in conversations
        for number, message in enumerate(item.messages)
    ]
    return sorted(found, key=lambda message: str(message["created_at"]), reverse=True)


def has(text: str, *, is_prefix: bool = False, field: str | None = None) -> Test:
    wanted = _canonical(text)
    if is_cjk(_plain(text).strip()[0]):
        wanted = wanted[1:]
    if is_prefix or is_cjk(_plain(text).strip()[-1]):
        wanted = wanted[:-1]
    fields = (field,) if field else ("query", "answer", "name")
    return lambda message: any(wanted in _canonical(str(message[name])) for name in fields)


def is_(name: str, value: str) -> Test:
    if name == "rating":
        return lambda message: (rating_of(message) or "none") == value
    field = {"user": "from_end_user_id", "app": "app", "source": "from_source"}[name]
    return lambda message: message[field] == value


def both(first: Test, second: Test) -> Test:
    return lambda message: first(message) and second(message)


def either(first: Test, second: Test) -> Test:
    return lambda message: first(message) or second(message)


def without(test: Test) -> Test:
    return lambda message: not test(message)


def _plain(text: str) -> str:
    whole = unicodedata.normalize("NFC", text)
    return "".join(one if is_cjk(one) else unicodedata.normalize("NFD", one)[0].lower() for one in whole)


def _canonical(text: str) -> str:
    """Words and runs of Chinese, Japanese and Korean characters, each between two bars."""
    runs: list[str] = []
    kind = 0
    for one in _plain(text):
        now = 0 if not re.match(r"[^\W_]", one) else 2 if is_cjk(one) else 1
        if now and now == kind:
            runs[-1] += one
        elif now:
            runs.append(one)
        kind = now
    return "".join(f"|{run}|" for run in runs)
