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
        self._time = ""
        """`_last_ms` and the version as they stand in every identifier of that millisecond."""
        self._counter = 0
        self._noise = ""
        """Random hexadecimal digits; fetched many at a time, as a call to the kernel costs more than that."""
        self._used = 0

    def new(self) -> str:
        """A new identifier, later than all before it in text order."""
        ms = time.time_ns() // 1_000_000
        used = self._used
        if used + 18 > len(self._noise):
            self._noise, used = os.urandom(4608).hex(), 0
        noise, self._used = self._noise, used + 18
        if ms > self._last_ms:
            self._begin(ms, int(noise[used + 15 : used + 18], 16) & 0x1FF)
        elif self._counter < 0xFFF:
            self._counter += 1
        else:
            self._begin(self._last_ms + 1, 0)
        # The fourth group begins with the variant, two bits, for which one digit is given.
        return f"{self._time}{self._counter:03x}-8{noise[used : used + 3]}-{noise[used + 3 : used + 15]}"

    def _begin(self, ms: int, counter: int) -> None:
        self._last_ms, self._counter = ms, counter
        self._time = f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7"


class SequentialIds:
    """Counts up from one; for tests and for replays that must repeat exactly."""

    def __init__(self, start: int = 1) -> None:
        self._next = start

    def new(self) -> str:
        """The next number as an identifier."""
        value = self._next
        self._next += 1
        return f"00000000-0000-7000-8000-{value:012x}"
