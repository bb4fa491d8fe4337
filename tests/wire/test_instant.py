from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from weft import wire

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "form",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=-5))),
        1714564800,
        1714564800.0,
        "2024-05-01T12:00:00Z",
        "2024-05-01 12:00",
        "2024-05-01T14:00:00+02:00",
    ],
)
def test_every_form_of_a_moment_is_the_same_moment(form: wire.Instant) -> None:
    assert wire.parse_instant(form) == NOON
    assert wire.render_instant(form) == "2024-05-01T12:00:00Z"
    assert wire.unix_seconds(form) == 1714564800


@pytest.mark.parametrize("form", ["yesterday", "", 1e20, float("nan"), "0001-01-01T00:00+23:59"])
def test_what_is_no_moment_is_refused(form: wire.Instant) -> None:
    with pytest.raises(ValueError):
        wire.parse_instant(form)


def test_fractions_are_rounded_down_in_unix_seconds_also_before_1970() -> None:
    assert wire.unix_seconds("1969-12-31T23:59:58.5Z") == -2
