"""Texts as words to search by; Chinese, Japanese and Korean ones become pairs of letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<cjk>[{_CJK}]+)|(?P<word>[^\W_{_CJK}]+)")


def index_words(text: str) -> list[str]:
    """All words by which a text can be found, in order: pairs of letters, and single ones too."""
    return [word for run, cjk in _runs(text) for word in ([*_pairs(run), *run] if cjk else [run])]


def query_words(text: str) -> list[str]:
    """The words of a query, each once; a single letter counts only where it stands alone."""
    words = (word for run, cjk in _runs(text) for word in (_pairs(run) or [run] if cjk else [run]))
    return list(dict.fromkeys(words))


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    # Full and half width, upper and lower case are the same.
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        yield match[0], match["cjk"] is not None


def _pairs(run: str) -> list[str]:
    return [run[index : index + 2] for index in range(len(run) - 1)]
