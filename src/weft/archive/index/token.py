"""How text is cut into words for the index, the same for what is stored and for what is asked.

SQLite's tokenizer ``unicode61`` cuts where spaces and signs are, folds case and takes diacritics off.
Chinese, Japanese and Korean have no such cuts, so each of their characters is a word, and a mark stands at
the end of each run of them: four characters ``ABCD`` are stored as ``A B C D`` and the mark. Any part of a
run is thus found as a phrase, and never across the end of one.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable
from typing import Any

TOKENIZER = "unicode61 remove_diacritics 2"
"""Of every full-text table here."""
# Letters of these scripts as the Unicode tables inside SQLite know them.
_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312d\u3131-\u318e\u31a0-\u31ba\u31f0-\u31ff\u3400-\u4db5\u4e00-\u9fcc\ua960-\ua97c"
    "\uac00-\ud7a3\uf900-\ufa6d\ufa70-\ufad9\uff66-\uff9d"
    "\U00020000-\U0002a6d6\U0002a700-\U0002b734\U0002b740-\U0002b81d\U0002f800-\U0002fa1d"
)
_RUN = re.compile(f"[{_CJK}]+")
_RUN_AT_END = re.compile(f"[{_CJK}]+$")
_SIGNS_AT_END = re.compile(r"[\W_]+$")
# Two characters for private use, which SQLite takes for letters: no text holds them once it is split, so
# what is written with them can only be found by ourselves.
FACET = "\uf5e2"
"""Begins the words that stand for properties."""
END = "\uf5e3"
"""The word at the end of a run of Chinese, Japanese or Korean characters."""
AFTER_OWN = "\uf5e4"
"""Our own words are those from `FACET` up to this one."""
_SPACES = {0: " ", ord(FACET): " ", ord(END): " "}
# SQLite would take a zero for the end.


def compose(text: str) -> str:
    """The text with each letter and its accents as one character, as it is stored and asked for."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def split_text(text: str) -> str:
    """The text as it is stored: spaces between Chinese, Japanese and Korean characters, marks behind them."""
    if text.isascii():
        return text.replace("\0", " ") if "\0" in text else text
    if "\0" in text or FACET in text or END in text:
        text = text.translate(_SPACES)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return _RUN.sub(_characters, compose(text))
    return text  # these letters are single ones, and need not be split


def split_words(text: str, *, is_prefix: bool = False) -> tuple[str, bool]:
    """What to look for to find this text as a part of a text.

    Args:
        is_prefix: The last word may go on.

    Returns:
        The words, and whether the last is the beginning of a word; a single character never is.
    """
    if text.isascii():
        return text, is_prefix
    if is_prefix:
        text = _SIGNS_AT_END.sub("", text)
    whole = compose(text)
    found = _RUN_AT_END.search(whole)
    if found is None:
        return split_text(whole), is_prefix
    # The run may go on in what is searched, so its end is not asked for.
    return f"{split_text(whole[: found.start()])} {' '.join(found[0])}", False


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit, so that anything can be found by it."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def is_cjk(character: str) -> bool:
    """Whether this character is a word of its own."""
    return _RUN.fullmatch(character) is not None


def _characters(found: re.Match[str]) -> str:
    return f" {' '.join(found[0])} {END} "


class Cutter:
    """SQLite's own tokenizer, to know which words it makes of a text; one for each thread (`cutter`)."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(
            f"CREATE VIRTUAL TABLE given USING fts5(text, content='', tokenize='{TOKENIZER}')"
        )
        self._connection.execute("CREATE VIRTUAL TABLE word USING fts5vocab(given, row)")
        self._connection.execute("CREATE VIRTUAL TABLE place USING fts5vocab(given, instance)")

    def words(self, texts: Iterable[str]) -> list[str]:
        """The different words of these texts, in order of their bytes."""
        return self._ask("SELECT term FROM word", texts)

    def words_of_each(self, texts: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
        """The different words of each text, with spaces between them, by the text's number."""
        question = """SELECT doc, group_concat(term, ' ')
            FROM (SELECT DISTINCT doc, term FROM place) GROUP BY doc"""
        return self._ask_all(question, texts)

    def cut(self, text: str) -> list[str]:
        """The words of a text, one after the other."""
        return self._ask("SELECT term FROM place ORDER BY offset", [text])

    def _ask(self, question: str, texts: Iterable[str]) -> list[str]:
        return [word for (word,) in self._ask_all(question, enumerate(texts))]

    def _ask_all(self, question: str, texts: Iterable[tuple[int, str]]) -> list[Any]:
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("INSERT INTO given(rowid, text) VALUES (?, ?)", texts)
            return self._connection.execute(question).fetchall()
        finally:
            self._connection.execute("ROLLBACK")


_local = threading.local()


def cutter() -> Cutter:
    """This thread's `Cutter`."""
    known: Cutter | None = getattr(_local, "cutter", None)
    if known is None:
        known = _local.cutter = Cutter()
    return known
