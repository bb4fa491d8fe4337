"""How fast one key, one person or one address may ask."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from weft.clock import Clock
from weft.errors import TooManyRequestsError

_MAX_KNOWN: Final = 100_000
"""Whose pace is remembered; of more the one is forgotten that has not asked for longest."""


class RateLimiter:
    """Lets everybody ask at a steady pace, with some at once, and counts in this process only.

    The pace is one number for each: the time at which all that it has asked for so far would be done at the
    steady pace. (Generic cell rate algorithm, the same thing as a bucket of tokens.)

    Args:
        clock: The time.
        per_minute: Requests a minute, at least 1.
        burst: How many may come at once; a tenth of those of a minute unless given, and at least one.
    """

    def __init__(self, clock: Clock, per_minute: int, *, burst: int | None = None) -> None:
        self.refused = 0
        """How often somebody was told to wait."""
        self._monotonic = clock.monotonic
        self._gap = 60.0 / per_minute
        self._slack = self._gap * (max(1, per_minute // 10 if burst is None else burst) - 1)
        self._done_at: OrderedDict[str, float] = OrderedDict()

    def take(self, who: str) -> float:
        """Count a request; one that is refused does not count.

        Returns:
            0 if it may be answered, else the seconds after which to ask again.
        """
        now = self._monotonic()
        done_at = max(self._done_at.get(who, now), now)
        wait = done_at - now - self._slack
        if wait > 1e-9:
            self.refused += 1
            return wait
        self._done_at[who] = done_at + self._gap
        self._done_at.move_to_end(who)
        if len(self._done_at) > _MAX_KNOWN:
            self._done_at.popitem(last=False)
        return 0.0

    def check(self, who: str, message: str) -> None:
        """Count a request, or refuse it.

        Args:
            who: Who asks.
            message: What a refused one is told.

        Raises:
            TooManyRequestsError: It comes too soon; says when to ask again.
        """
        wait = self.take(who)
        if wait:
            raise TooManyRequestsError(message, retry_after=wait)


class CallRates:
    """The pace of the service API's callers: by key, and by end user.

    Args:
        clock: The time.
        per_key: Requests a minute with one key; 0 means no limit.
        per_user: Requests a minute for one end user; 0 means no limit.
    """

    def __init__(self, clock: Clock, *, per_key: int, per_user: int) -> None:
        self.keys = RateLimiter(clock, per_key) if per_key else None
        self.users = RateLimiter(clock, per_user) if per_user else None

    def check_key(self, token_hash: str) -> None:
        """Count a request with a key that is known to be good.

        Raises:
            TooManyRequestsError: It comes too soon.
        """
        if self.keys is not None:
            self.keys.check(
                token_hash, "Too many requests. Please try again later. This key is used too often."
            )

    def check_user(self, end_user: str) -> None:
        """Count a request for an end user of an app, by a text that is nobody else's.

        Raises:
            TooManyRequestsError: It comes too soon.
        """
        if self.users is not None:
            self.users.check(end_user, "Too many requests. Please try again later. This user asks too often.")
