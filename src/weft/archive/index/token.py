"""How text is cut into words for the index, the same for what is stored and for what is asked.

SQLite's tokenizer ``unicode61`` cuts where spaces and signs are, folds case and takes diacritics off.
Chinese, Japanese and Korean have no such cuts, so each run of their characters becomes its overlapping pairs
and its last character: four characters ``ABCD`` are stored as ``AB BC CD D``. Every character thus begins
exactly one stored word, so that a single character can be asked for as a beginning of words.
"""

from __future__ import annotations

import re
import unicodedata
from operator import add

# Letters of these scripts as the Unicode tables inside SQLite know them.
_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312d\u3131-\u318e\u31a0-\u31ba\u31f0-\u31ff\u3400-\u4db5\u4e00-\u9fcc\ua960-\ua97c"
    "\uac00-\ud7a3\uf900-\ufa6d\ufa70-\ufad9\uff66-\uff9d"
    "\U00020000-\U0002a6d6\U0002a700-\U0002b734\U0002b740-\U0002b81d\U0002f800-\U0002fa1d"
)
_RUN = re.compile(f"[{_CJK}]+")
_RUN_AT_END = re.compile(f"[{_CJK}]+$")


def compose(text: str) -> str:
    """The text with each letter and its accents as one character, as it is stored and asked for."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def split_text(text: str) -> str:
    """The text with pairs in place of runs of Chinese, Japanese and Korean characters."""
    if "\0" in text:
        text = text.replace("\0", " ")  # SQLite would take it for the end
    return text if text.isascii() else _RUN.sub(_pairs, compose(text))


def split_words(text: str) -> tuple[str, bool]:
    """What to look for to find this text as a part of a text.

    Returns:
        The words, and whether the last is only the beginning of one: a single character at the end.
    """
    if text.isascii():
        return text, False
    whole = compose(text)
    found = _RUN_AT_END.search(whole)
    if found is None:
        return split_text(whole), False
    # The run may go on in what is searched, so its last character is not asked for alone.
    before = split_text(whole[: found.start()])
    run = found[0]
    if len(run) == 1:
        return f"{before} {run}", True
    return f"{before} {' '.join(_two(run))}", False


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit, so that anything can be found by it."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def is_cjk(character: str) -> bool:
    """Whether this character is stored in pairs."""
    return _RUN.fullmatch(character) is not None


def _pairs(found: re.Match[str]) -> str:
    run = found[0]
    if len(run) == 1:
        return f" {run} "
    return f" {' '.join(_two(run))} {run[-1]} "


def _two(run: str) -> list[str]:
    return list(map(add, run, run[1:]))
