"""When to try a call again, decided purely."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct


class RetryPolicy(Struct, frozen=True):
    """How often and after how long.

    Delays double from `base` to `cap`, each shortened by up to half by the jitter, so that many callers
    that failed together do not come back together. What the service asks for is a lower bound.
    """

    max_retries: int = 2
    max_wait: float = 30.0
    """Seconds. A service that asks for more is not tried again."""
    base: float = 0.5
    cap: float = 8.0

    def delay(self, retries: int, retry_after: float | None, jitter: float) -> float | None:
        """Seconds until the next attempt, or ``None`` to give up.

        Args:
            retries: Attempts after the first that have been made.
            retry_after: Seconds that the service asked for.
            jitter: Random number from 0 to 1.
        """
        if retries >= self.max_retries or (retry_after or 0.0) > self.max_wait:
            return None
        backoff = min(self.cap, self.base * 2.0**retries) * (1 - jitter / 2)
        return min(self.max_wait, max(backoff, retry_after or 0.0))


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a reply asks to wait, or ``None`` if it does not say.

    Reads ``retry-after-ms`` (OpenAI, Azure) and ``Retry-After`` in seconds or as a date.

    Source: RFC 9110, section 10.2.3.
    """
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    text = headers.get("Retry-After")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
