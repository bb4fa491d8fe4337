"""Times as people write them in the console, ``YYYY-MM-DD HH:MM`` in the account's own time zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from weft.server.errors import ApiError
from weft.store import Days, Span

_FORM = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2})", re.ASCII)
_MINUTE = timedelta(minutes=1)
_STEP = timedelta(days=1)
_FINE = timedelta(seconds=1)


def parse_range(query: Mapping[str, str], zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """`start` and `end` of a query as instants; what is empty or absent is open.

    Raises:
        ApiError: One is no time, or they are the wrong way round.
    """
    start = _parse(query.get("start", ""), "start", zone, fold=0)
    end = _parse(query.get("end", ""), "end", zone, fold=1)
    if start is not None and end is not None and start > end:
        raise ApiError(400, "bad_request", "start must be earlier than or equal to end")
    return start, end


def through_minute(end: datetime | None) -> datetime | None:
    """The first instant after the minute that `end` begins; ``None``, for ever, if there is none."""
    try:
        return None if end is None else end + _MINUTE
    except OverflowError:
        return None


def days_of(
    zone: ZoneInfo, first: datetime, last: datetime, start: datetime | None, end: datetime | None
) -> Days:
    """What a day is in a zone.

    Args:
        zone: The zone.
        first: No row that is counted is older.
        last: No row that is counted is younger.
        start: From when on rows are counted.
        end: Up to when, exclusive.
    """
    at = min(max(first, start), last) if start is not None else first
    until = min(last, end) if end is not None else last
    spans: list[Span] = []
    offset = _offset(zone, at)
    while at < until:
        after = min(at + _STEP, until)
        if _offset(zone, after) != offset:
            change = _change(zone, at, after)
            spans.append(Span(change, offset))
            offset = _offset(zone, change)
            after = change
        at = after
    return Days([*spans, Span(None, offset)], start, end)


def _parse(text: str, name: str, zone: ZoneInfo, *, fold: int) -> datetime | None:
    """An instant; of an hour that the clocks go through twice `fold` says which."""
    if not text:
        return None
    match = _FORM.fullmatch(text)
    try:
        if match is None:
            raise ValueError(f"{text[:40]!r} is not of the form YYYY-MM-DD HH:MM")
        year, month, day, hour, minute = map(int, match.groups())
        return datetime(year, month, day, hour, minute, fold=fold, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ApiError(400, "bad_request", f"Invalid {name} time format: {error}") from error


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole second of the other offset."""
    old = _offset(zone, before)
    before, after = before.replace(microsecond=0), after.replace(microsecond=0) + _FINE
    while after - before > _FINE:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after
