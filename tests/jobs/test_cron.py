from __future__ import annotations

from datetime import UTC, datetime

import pytest

from weft.errors import InvalidRequestError
from weft.jobs import check_cron, next_time


@pytest.mark.parametrize(
    ("cron", "zone", "due"),
    [
        ("0 2 * * *", "UTC", datetime(2025, 10, 16, 2, 0, tzinfo=UTC)),
        ("0 3 * * 0", "UTC", datetime(2025, 10, 19, 3, 0, tzinfo=UTC)),
        ("0 2 * * *", "Europe/Berlin", datetime(2025, 10, 16, 0, 0, tzinfo=UTC)),
        ("*/10 * * * *", "UTC", datetime(2025, 10, 15, 12, 10, tzinfo=UTC)),
    ],
)
def test_an_expression_is_due_next_in_its_own_time_zone(cron: str, zone: str, due: datetime) -> None:
    assert next_time(cron, datetime(2025, 10, 15, 12, 0, tzinfo=UTC), zone) == due


def test_what_falls_into_the_gap_of_a_clock_that_is_put_forward_is_due_right_after_it() -> None:
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    assert next_time("30 2 * * *", before, "Europe/Berlin") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("0 2 * *", "UTC", "it needs five fields"),
        ("61 2 * * *", "UTC", "is no cron expression"),
        ("0 2 30 2 *", "UTC", "is no cron expression|is never due"),
        ("0 2 * * *", "Mars/Olympus", "is no time zone"),
        ("0 2 * * *", "../../etc/passwd", "is no time zone"),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused_by_what_is_wrong(
    cron: str, zone: str, said: str
) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        check_cron(cron, zone)
