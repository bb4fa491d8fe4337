"""Days, weeks and months of a time zone as spans of instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from weft.archive.index.message_row import from_microseconds, to_microseconds
from weft.errors import InvalidRequestError

Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `start` to `end`, both included, in microseconds since 1970."""

    start: int
    end: int


def load_zone(name: str) -> ZoneInfo:
    """The time zone of this name, e.g. ``Europe/Berlin``.

    Raises:
        InvalidRequestError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequestError(
            f"there is no time zone {name[:60]!r}; give one such as UTC or Europe/Berlin",
            {"zone": "unknown"},
        ) from error


def bound(value: date | datetime | None, zone: ZoneInfo, default: int, *, is_end: bool) -> int:
    """An inclusive bound; a date means its first or last moment in the zone, a naive instant is in UTC."""
    if value is None:
        return default
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return to_microseconds(aware.astimezone(UTC))
    if is_end:
        return _begin(value + timedelta(days=1), zone) - 1
    return _begin(value, zone)


def iter_periods(period: Period, span: Span, zone: ZoneInfo) -> Iterator[tuple[str, Span]]:
    """The periods that a span touches, each cut to it, with the period's first day."""
    first = from_microseconds(span.start).astimezone(zone).date()
    if period == "week":
        first -= timedelta(days=first.weekday())
    elif period == "month":
        first = first.replace(day=1)
    while (start := _begin(first, zone)) <= span.end:
        following = _next(first, period)
        end = _begin(following, zone) - 1
        yield first.isoformat(), Span(max(start, span.start), min(end, span.end))
        first = following


def _next(first: date, period: Period) -> date:
    if period == "month":
        return (first + timedelta(days=32)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


def _begin(day: date, zone: ZoneInfo) -> int:
    return to_microseconds(datetime.combine(day, time.min, zone).astimezone(UTC))
