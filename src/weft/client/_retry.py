"""Whether and when to try again, as values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from weft.client._call import Call
from weft.client._core import Reply

RETRIED = frozenset({429, 502, 503, 504})
"""Statuses that may be gone the next time."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait in each phase of a request, in seconds; ``None`` waits for ever."""

    connect: float | None = 5.0
    write: float | None = 30.0
    read: float | None = 60.0
    """Between two pieces of an answer; a stream pings every ten seconds."""
    run: float | None = 1_260.0
    """For a blocking answer to a message; servers end a run after 1,200 seconds."""
    pool: float | None = 10.0
    """For a free connection."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently something is tried again: reading, and writing only if asked."""

    tries: int = 3
    """Requests at most, the first included."""
    first_delay: float = 0.5
    """Seconds before the second try; doubles each time."""
    max_delay: float = 30.0
    """Seconds between two tries at most; a server that asks for more is not asked again."""
    writes: bool = False
    """Whether writing is tried again too, although it could then happen twice."""

    def delay(self, call: Call[object], tried: int, reply: Reply | None) -> float | None:
        """Seconds to wait before the next try, or ``None`` to give up.

        Args:
            call: What was tried.
            tried: How often, from 1.
            reply: The answer, or ``None`` when there was none.
        """
        if not (call.method == "GET" or self.writes) or tried >= self.tries:
            return None
        if reply is not None:
            if reply.status not in RETRIED:
                return None
            if reply.retry_after is not None:
                return reply.retry_after if reply.retry_after <= self.max_delay else None
        return min(self.first_delay * 2.0 ** (tried - 1), self.max_delay)


AsyncSleep = Callable[[float], Awaitable[None]]
"""Waits that many seconds without blocking."""
BlockingSleep = Callable[[float], None]
"""Waits that many seconds."""

NEVER = RetryPolicy(tries=1)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: a number of them, or a date; ``None`` if it is neither.

    Args:
        header: The header's value.
        now: The present instant by the server's own clock if that is known, see `server_time`.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    moment = http_date(header)
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def server_time(header: str | None, now: datetime) -> datetime:
    """What the server's clock says, by its Date header; ours if it does not tell."""
    return (http_date(header) if header else None) or now


def http_date(header: str) -> datetime | None:
    """A date in a header, aware; ``None`` if it is none."""
    from email.utils import parsedate_to_datetime  # slow to import and seldom needed

    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def system_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
