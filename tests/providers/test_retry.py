from __future__ import annotations

from datetime import UTC, datetime

import pytest

from weft.providers.retry import RetryPolicy, parse_retry_after

_NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retries", "retry_after", "jitter", "delay"),
    [
        (0, None, 0.0, 0.5),
        (1, None, 0.0, 1.0),
        (1, None, 1.0, 0.5),
        (7, None, 0.0, 8.0),
        (0, 3.0, 1.0, 3.0),
        (0, 30.0, 0.0, 30.0),
        (0, 31.0, 0.0, None),
        (9, None, 0.0, None),
    ],
)
def test_delays_grow_are_shortened_by_jitter_and_respect_the_service(
    retries: int, retry_after: float | None, jitter: float, delay: float | None
) -> None:
    assert RetryPolicy(max_retries=9).delay(retries, retry_after, jitter) == delay


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:20 GMT"}, 20.0),
        ({"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:20 -0000"}, 20.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "9", "retry-after-ms": "1500"}, 1.5),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, _NOW) == seconds
