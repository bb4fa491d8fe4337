"""The text that bytes stand for, when nobody says how it was encoded.

Byte order marks and UTF-8 can be told for certain. For the older encodings of East Asia the bytes alone
decide: each of them keeps its frequent characters in a zone of its own, and the encoding counts in whose zone
most of the text lies.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 64 * 1024
_DAMAGE = 0.02
"""Share of characters that may be broken in a text of an encoding."""
_MIN_KOREAN = 8
"""Characters; fewer could lie by chance in that part of the Chinese zone which is all of the Korean one."""


class _Zone(NamedTuple):
    encoding: str
    """What the bytes are decoded with."""
    leads: tuple[range, ...]
    """First bytes of frequent characters."""


_ZONES = (
    _Zone("gb18030", (range(0xA1, 0xA4), range(0xB0, 0xD8))),
    _Zone("big5", (range(0xA1, 0xA4), range(0xA4, 0xC7))),
    _Zone("cp932", (range(0x81, 0x84), range(0x88, 0x98))),
)
_KOREAN = range(0xB0, 0xC9)


def decode_text(data: bytes) -> str:
    """The text, with whatever encoding fits best; no bytes are refused."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    wide = _wide_encoding(data[:_SAMPLE_BYTES])
    text = data.decode(wide or "utf-8", errors="replace")
    foreign = sum(character > "\x7f" for character in text)
    if wide or text.count("\ufffd") <= _DAMAGE * foreign:
        return text
    return data.decode(_old_encoding(data) or "cp1252", errors="replace")


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 without a mark: in most languages every other byte of many is zero."""
    if len(sample) < 4 or len(sample) % 2 or b"\0" not in sample:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    enough = len(sample) // 8
    if odd > enough and even * 8 < odd:
        return "utf-16-le"
    if even > enough and odd * 8 < even:
        return "utf-16-be"
    return ""


def _old_encoding(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    if _is_western(sample):
        return "cp1252"
    if _is_korean(sample):
        return "cp949"
    shares = {zone.encoding: _share(sample, zone) for zone in _ZONES}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > 0 else ""


def _is_western(sample: bytes) -> bool:
    """Whether most bytes above ASCII stand alone between ASCII ones, as letters with accents do."""
    high = alone = 0
    padded = b" " + sample + b" "
    for index in range(1, len(padded) - 1):
        if padded[index] >= 0x80:
            high += 1
            alone += padded[index - 1] < 0x80 and padded[index + 1] < 0x80
    return alone * 2 > high


def _is_korean(sample: bytes) -> bool:
    """Whether words lie wholly in the zone of Hangul; Chinese text goes far beyond it."""
    leads = [pair[0] for pair in _pairs(sample, "cp949") if not 0x80 <= pair[0] < 0xB0]
    return len(leads) >= _MIN_KOREAN and sum(lead in _KOREAN for lead in leads) >= (1 - _DAMAGE) * len(leads)


def _share(sample: bytes, zone: _Zone) -> float:
    leads = [pair[0] for pair in _pairs(sample, zone.encoding)]
    frequent = sum(any(lead in part for part in zone.leads) for lead in leads)
    return frequent / len(leads) if leads else 0.0


def _pairs(sample: bytes, encoding: str) -> Iterator[bytes]:
    """What each character that is not ASCII is encoded as; a zero byte for what is none."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for character in decoder.decode(sample):  # the sample may end inside of a character
        if character == "\ufffd":
            yield b"\0"
        elif character > "\x7f":
            yield character.encode(encoding, errors="replace")
