"""Days and times of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.server.console_api.time_range import days_of, parse_range, through_minute
from weft.server.errors import ApiError
from weft.store import Span

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_times_are_read_in_the_zone() -> None:
    found = parse_range({"start": "2026-03-29 00:00", "end": "2026-03-30 00:00"}, BERLIN)
    assert found == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))
    assert parse_range({"start": "", "other": "x"}, BERLIN) == (None, None)


def test_of_an_hour_that_comes_twice_all_is_wanted() -> None:
    found = parse_range({"start": "2026-10-25 02:30", "end": "2026-10-25 02:30"}, BERLIN)
    assert found == (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30))


@pytest.mark.parametrize(
    "text", ["2026-03-29", "2026-3-29T00:00", "2026-02-30 00:00", "2026-01-01 24:00", "٢٠٢٦-01-01 00:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid end time format: "):
        parse_range({"end": text}, BERLIN)


def test_the_minute_that_a_range_ends_with_belongs_to_it() -> None:
    assert through_minute(utc(2026, 1, 1)) == utc(2026, 1, 1, 0, 1)
    assert through_minute(None) is None
    assert through_minute(datetime.max.replace(tzinfo=UTC)) is None


def test_spans_end_where_clocks_change() -> None:
    days = days_of(BERLIN, utc(2026, 1, 1), utc(2026, 12, 31), None, None)
    assert list(days.spans) == [
        Span(utc(2026, 3, 29, 1), timedelta(hours=1)),
        Span(utc(2026, 10, 25, 1), timedelta(hours=2)),
        Span(None, timedelta(hours=1)),
    ]
    assert list(days_of(ZoneInfo("UTC"), utc(2000, 1, 1), utc(2026, 1, 1), None, None).spans) == [
        Span(None, timedelta())
    ]


@settings(max_examples=100, deadline=None)
@given(
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "UTC"]
    ),
    first=st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)),
    length=st.integers(0, 2000),
    share=st.floats(0, 1),
)
def test_every_instant_gets_the_zones_own_day(zone: str, first: datetime, length: int, share: float) -> None:
    begin = first.replace(tzinfo=UTC)
    end = begin + timedelta(days=length)
    at = begin + (end - begin) * share

    days = days_of(ZoneInfo(zone), begin, end, None, None)
    offset = next(span.offset for span in days.spans if span.until is None or at < span.until)

    assert (at + offset).replace(tzinfo=None) == at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
