"""Making a busy event loop leave the interpreter to the store's threads.

A thread that waits for Python's global lock asks for it only after a whole switch interval (5 ms)
in which the lock was never free. A busy event loop frees it for a moment in every turn, far more
often, and takes it again before the thread is awake: writes were seen to wait for ten seconds
beside a loop with no idle time. So while work is under way and none of it has ended for a while,
the loop sleeps for a moment, in which the threads get on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 0.005
"""Seconds between two looks at the threads' progress."""
PAUSE = 0.001
"""Seconds that the loop leaves to the threads; they do some five writes in it."""


class Handover:
    """Counts the work given to threads and gives way when it does not get on.

    Args:
        call_later: The event loop's.
        pause: Blocks the loop for that many seconds.
    """

    def __init__(
        self,
        call_later: Callable[[float, Callable[[int], None], int], object],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._call_later = call_later
        self._pause = pause
        self._under_way = 0
        self._ended = 0
        self._looking = False

    def __enter__(self) -> None:
        """A piece of work begins."""
        self._under_way += 1
        if not self._looking:
            self._look_later()

    def __exit__(self, *_: object) -> None:
        """It ended, or nobody waits for it any more."""
        self._under_way -= 1
        self._ended += 1

    def _look_later(self) -> None:
        self._looking = True
        self._call_later(EVERY, self._look, self._ended)

    def _look(self, ended_before: int) -> None:
        self._looking = False
        if self._under_way == 0:
            return
        if self._ended == ended_before:
            self._pause(PAUSE)
        self._look_later()
