"""The part of a text in which a search was found, and where in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from weft.archive.index.expression import Text, TextField
from weft.archive.index.token import compose, is_cjk

WIDTH = 240
"""Characters of a snippet."""
BEFORE = 60
"""Of these, characters before what was found first."""
LOOKED_AT = 200_000
"""Characters of a text in which something is looked for."""
MOST = 20
"""Places that are marked."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a message."""

    field: TextField
    """Which text it is taken from."""
    text: str
    highlights: tuple[tuple[int, int], ...]
    """Begin and end of each found word in `text`, in characters."""
    is_cut: tuple[bool, bool] = (False, False)
    """Whether there is more text before and after."""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "field": self.field,
            "text": self.text,
            "highlights": [list(place) for place in self.highlights],
            "cut_before": self.is_cut[0],
            "cut_after": self.is_cut[1],
        }


def make_snippet(fields: Sequence[tuple[TextField, str]], wanted: Iterable[Text]) -> Snippet | None:
    """The first field in which something was found, around the first place; else the first field's beginning.

    Args:
        fields: Texts in order of preference.
        wanted: The words and phrases of the search.
    """
    patterns = [(text.field, _pattern(text.text, text.is_prefix)) for text in wanted]
    for name, whole in fields:
        text = compose(whole)[:LOOKED_AT]
        folded = text.translate(_FOLDED)
        places = sorted(
            found.span()
            for field, pattern in patterns
            if field in (None, name) and pattern is not None
            for found, _ in zip(pattern.finditer(folded), range(MOST), strict=False)
        )
        if places:
            return _cut(name, text, places)
    return _cut(fields[0][0], compose(fields[0][1])[:LOOKED_AT], []) if fields else None


def _cut(name: TextField, text: str, places: list[tuple[int, int]]) -> Snippet:
    first = places[0][0] if places else 0
    begin = max(0, min(first - BEFORE, len(text) - WIDTH))
    end = min(len(text), begin + WIDTH)
    marks: list[tuple[int, int]] = []
    for start, stop in places:
        here = max(start, begin) - begin, min(stop, end) - begin
        if here[0] >= here[1] or len(marks) >= MOST:
            continue
        if marks and here[0] <= marks[-1][1]:
            marks[-1] = (marks[-1][0], max(marks[-1][1], here[1]))
        else:
            marks.append(here)
    return Snippet(name, text[begin:end], tuple(marks), (begin > 0, end < len(text)))


@lru_cache(maxsize=256)
def _pattern(text: str, is_prefix: bool) -> re.Pattern[str] | None:
    """What finds the words in a folded text: words are whole, Chinese, Japanese and Korean text is not."""
    words = re.findall(r"[^\W_]+", compose(text).translate(_FOLDED))
    if not words:
        return None
    first = "" if is_cjk(words[0][0]) else r"(?<![^\W_])"
    last = "" if is_prefix or is_cjk(words[-1][-1]) else r"(?![^\W_])"
    return re.compile(first + r"[\W_]+".join(map(re.escape, words)) + last)


class _Folding(dict[int, int]):
    """Each character without its case and accents; one character stays one."""

    def __missing__(self, code: int) -> int:
        plain = unicodedata.normalize("NFD", chr(code))[0].lower()
        self[code] = found = ord(plain) if len(plain) == 1 and not is_cjk(chr(code)) else code
        return found


_FOLDED = _Folding()
