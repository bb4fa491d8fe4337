"""Recordings that a script makes: a tone whose length follows the text, with the text noted in the file."""

from __future__ import annotations

import math
import struct
from array import array

_RATE = 16_000
"""Samples a second, 16 bits, one channel."""
_HERTZ = 400
_SECONDS_PER_CHAR = 0.05
_MIN_SECONDS = 0.1
_MAX_SECONDS = 60.0
_LOUDNESS = 6000
_NOTE = b"ICMT"


def tone(text: str) -> bytes:
    """A WAV file: 0.05 s of 400 Hz for each character, at least 0.1 s and at most a minute.

    Source: RIFF/WAVE; the text is the comment (``ICMT``) of its ``INFO`` list.
    """
    seconds = min(_MAX_SECONDS, max(_MIN_SECONDS, _SECONDS_PER_CHAR * len(text)))
    period = _RATE // _HERTZ
    wave = array("h", [round(_LOUDNESS * math.sin(math.tau * at / period)) for at in range(period)])
    samples = struct.pack(f"<{period}h", *wave) * round(seconds * _HERTZ)
    note = text.encode("utf-8", "replace")
    note += b"\0" * (len(note) % 2)
    layout = struct.pack("<HHIIHH", 1, 1, _RATE, 2 * _RATE, 2, 16)
    inside = b"WAVE" + _chunk(b"fmt ", layout)
    inside += _chunk(b"LIST", b"INFO" + _chunk(_NOTE, note)) + _chunk(b"data", samples)
    return _chunk(b"RIFF", inside)


def text_of_tone(data: bytes) -> str | None:
    """The text that a tone was made for; ``None`` for any other recording."""
    place = data.find(b"INFO" + _NOTE, 0, 256) if data.startswith(b"RIFF") else -1
    if place < 0 or len(data) < place + 12:
        return None
    (size,) = struct.unpack_from("<I", data, place + 8)
    return data[place + 12 : place + 12 + size].rstrip(b"\0").decode("utf-8", "replace")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data
