"""What is counted about messages."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate

from weft.archive.index.writing import LATENCY_ERROR, class_latency

_SHARES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took, in seconds; each value is at most 2.6 per cent off."""

    measured: int
    """Messages that say how long they took."""
    p50: float
    p90: float
    p95: float
    p99: float

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "measured": self.measured,
            **{name: round(getattr(self, name), 6) for name in ("p50", "p90", "p95", "p99")},
            "relative_error": LATENCY_ERROR,
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over messages."""

    messages: int = 0
    conversations: int = 0
    """Whose first message is among these."""
    users: int = 0
    """Different end users."""
    message_tokens: int = 0
    answer_tokens: int = 0
    errors: int = 0
    """Messages that failed."""
    likes: int = 0
    dislikes: int = 0
    cost: Mapping[str, Decimal] = field(default_factory=dict)
    """By currency; exact to 10⁻¹² of its unit."""
    latency: Latency | None = None
    """None where nothing was measured, and in figures by user."""

    @property
    def tokens(self) -> int:
        """Of questions and answers."""
        return self.message_tokens + self.answer_tokens

    @property
    def satisfaction(self) -> float | None:
        """Share of likes among ratings, 0 to 1; None without ratings."""
        ratings = self.likes + self.dislikes
        return self.likes / ratings if ratings else None

    @property
    def error_rate(self) -> float | None:
        """Share of messages that failed, 0 to 1; None without messages."""
        return self.errors / self.messages if self.messages else None

    def to_dict(self) -> dict[str, object]:
        """Plain JSON; costs are text, so that no digit is lost."""
        return {
            "messages": self.messages,
            "conversations": self.conversations,
            "users": self.users,
            "message_tokens": self.message_tokens,
            "answer_tokens": self.answer_tokens,
            "tokens": self.tokens,
            "errors": self.errors,
            "error_rate": self.error_rate,
            "likes": self.likes,
            "dislikes": self.dislikes,
            "satisfaction": self.satisfaction,
            "cost": {currency: f"{amount:f}" for currency, amount in self.cost.items()},
            "latency": None if self.latency is None else self.latency.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of one app, one day, ..."""

    key: str
    """An id, or the first day of the period such as ``2025-10-15``; empty where a message names none."""
    figures: Figures

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {"key": self.key, **self.figures.to_dict()}


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of a selection, and of its parts."""

    totals: Figures
    by: str | None = None
    groups: Sequence[Group] = ()
    """Periods in order, without empty ones; others by messages, most first. A message may be in
    several groups by model, so their messages may be more than those of the totals."""
    zone: str = "UTC"
    """Time zone of the periods."""
    days_behind: int = 0
    """Day folders that changed and are not in the index yet."""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "totals": self.totals.to_dict(),
            "by": self.by,
            "groups": [group.to_dict() for group in self.groups],
            "zone": self.zone,
            "days_behind": self.days_behind,
        }


def make_latency(classes: Mapping[int, int]) -> Latency | None:
    """Percentiles of latencies that were counted by class."""
    numbers = sorted(classes)
    seen = list(accumulate(map(classes.__getitem__, numbers)))
    if not seen or not seen[-1]:
        return None
    # The first class up to which there are enough.
    found = [class_latency(numbers[bisect_left(seen, share * seen[-1])]) for share in _SHARES]
    return Latency(seen[-1], *found)
