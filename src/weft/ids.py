"""Identifiers, as an argument, so that a test can foresee them."""

from __future__ import annotations

import os
import time
from typing import Protocol


class Ids(Protocol):
    """Where new identifiers come from."""

    def new(self) -> str:
        """A new lower-case, hyphenated UUID, later than all before it in text order."""
        ...


class TimeOrderedIds:
    """UUID version 7: milliseconds first, so rows that are born together lie together on disk.

    Source: RFC 9562, section 5.7, with the monotonic counter of section 6.2, method 1.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self._counter = 0
        self._noise = b""
        """Random bytes; fetched many at a time, as a call to the kernel costs more than an id."""
        self._used = 0

    def new(self) -> str:
        """A new identifier, later than all before it in text order."""
        ms = time.time_ns() // 1_000_000
        if self._used + 8 > len(self._noise):
            self._noise, self._used = os.urandom(4096), 0
        noise = int.from_bytes(self._noise[self._used : self._used + 8], "big")
        self._used += 8
        if ms > self._last_ms:
            self._last_ms = ms
            self._counter = noise >> 54 & 0x1FF
        else:
            self._counter += 1
            if self._counter > 0xFFF:
                self._last_ms += 1
                self._counter = 0
        tail = noise & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000
        text = f"{self._last_ms:012x}7{self._counter:03x}{tail:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class SequentialIds:
    """Counts up from one; for tests and for replays that must repeat exactly."""

    def __init__(self, start: int = 1) -> None:
        self._next = start

    def new(self) -> str:
        """The next number as an identifier."""
        value = self._next
        self._next += 1
        return f"00000000-0000-7000-8000-{value:012x}"
