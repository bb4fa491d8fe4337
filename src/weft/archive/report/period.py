"""The days that a report is about, in the time zone of its readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from weft.archive.index.period import load_zone
from weft.errors import InvalidRequestError

MOST_DAYS = 366
HOURS_UP_TO_DAYS = 35
"""Busiest hours of longer periods would take long to count, and say little."""


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """Days of a zone, both ends included.

    Raises:
        InvalidRequestError: It ends before it begins, is longer than a year, or there is no such zone.
    """

    start: date
    end: date
    zone: str = "UTC"

    def __post_init__(self) -> None:
        load_zone(self.zone)
        if not 0 <= (self.end - self.start).days < MOST_DAYS or self.start.year < 1971:
            raise InvalidRequestError(
                f"a report is about 1 to {MOST_DAYS} days, not {self.start} to {self.end}",
                {"end": "not 1 to 366 days"},
            )

    def __str__(self) -> str:
        return f"{self.start} to {self.end} ({self.zone})"

    @property
    def days(self) -> int:
        """How many days these are."""
        return (self.end - self.start).days + 1

    @property
    def begins_at(self) -> datetime:
        """The first instant."""
        return self._begin(self.start)

    @property
    def ends_at(self) -> datetime:
        """The last instant."""
        return self._begin(self.end + timedelta(days=1)) - timedelta(microseconds=1)

    def before(self) -> ReportPeriod:
        """As many days right before these."""
        return ReportPeriod(self.start - timedelta(days=self.days), self.start - timedelta(days=1), self.zone)

    def iter_hours(self) -> Iterator[tuple[int, int, datetime, datetime]]:
        """Weekday (Monday is 0), hour of the clock on the wall, first and last instant of each hour."""
        zone, now, end = load_zone(self.zone), self.begins_at, self.ends_at
        while now < end:
            following = now + timedelta(hours=1)
            local = now.astimezone(zone)
            yield local.weekday(), local.hour, now, min(following - timedelta(microseconds=1), end)
            now = following

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, time.min, load_zone(self.zone)).astimezone(UTC)


def last_full_week(now: datetime, zone: str = "UTC") -> ReportPeriod:
    """The latest Monday to Sunday that is over in this zone.

    Raises:
        InvalidRequestError: There is no such zone.
    """
    today = now.astimezone(load_zone(zone)).date()
    monday = today - timedelta(days=today.weekday() + 7)
    return ReportPeriod(monday, monday + timedelta(days=6), zone)
