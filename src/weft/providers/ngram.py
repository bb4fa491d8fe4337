"""An embedding model that needs neither a service nor a download: hashed character n-grams.

It knows nothing of meaning, but forms of a word, misspelt words and compounds come out alike, and languages
without blanks work as well as those with them. The same text gives the same vector on every machine.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator
from zlib import crc32

HASHED_NGRAM = "hashed-ngram"
"""The model's name."""
DIMENSIONS = 512
_SIGN = 1 << 31
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<cjk>[{_CJK}]+)|[^\W_{_CJK}]+")
_MAX_WORD = 64
"""Characters of a run of letters that count; nobody writes longer words."""


def ngram_vector(text: str) -> array[float]:
    """A vector of length 1, or of zeros for a text without any letter or digit."""
    vector = array("f", bytes(4 * DIMENSIONS))
    for gram, count in Counter(_grams(text)).items():
        value = crc32(gram.encode("utf-8", "replace"))
        # A repeated word matters more than a single one, but not as many times more.
        weight = 1.0 + math.log(count) if count > 1 else 1.0
        vector[value % DIMENSIONS] += -weight if value & _SIGN else weight
    length = math.hypot(*vector)
    return array("f", [value / length for value in vector]) if length else vector


def _grams(text: str) -> Iterator[str]:
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = match[0]
        if match["cjk"] is not None:
            yield from run
            yield from (run[place : place + 2] for place in range(len(run) - 1))
        else:
            word = f"<{run[:_MAX_WORD]}>"
            yield word
            yield from (word[place : place + 3] for place in range(len(word) - 2))
