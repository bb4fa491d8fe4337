"""Tokens: who made them, and for how long they are good."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from weft.errors import TooManyRequestsError, UnauthorizedError
from weft.server.console_api.passport import Passport
from weft.server.console_api.throttle import LoginThrottle

SECRET = "s" * 32


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passport(clock: Clock) -> Passport:
    return Passport(SECRET, clock)


def part(token: str, index: int) -> dict[str, object]:
    text = token.split(".")[index]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def test_a_token_is_a_json_web_token(passport: Passport, clock: Clock) -> None:
    token = passport.access("ada")

    assert part(token, 0) == {"alg": "HS256", "typ": "JWT"}
    assert part(token, 1) == {
        "user_id": "ada",
        "exp": int(clock.at.timestamp()) + 3600,
        "iss": "SELF_HOSTED",
        "sub": "Console API Passport",
    }
    key = hmac.digest(SECRET.encode(), b"console-tokens", "sha256")
    signed, _, seal = token.rpartition(".")
    expected = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    assert seal == base64.urlsafe_b64encode(expected).rstrip(b"=").decode()
    assert passport.account_of(token) == "ada"


def test_a_token_is_over_after_its_hour(passport: Passport, clock: Clock) -> None:
    access, csrf = passport.access("ada"), passport.csrf("ada")
    clock.at += timedelta(seconds=3599)
    assert passport.account_of(access) == "ada"
    assert passport.is_csrf_of(csrf, "ada")

    clock.at += timedelta(seconds=1)

    with pytest.raises(UnauthorizedError, match="Token has expired"):
        passport.account_of(access)
    assert not passport.is_csrf_of(csrf, "ada")


def test_only_own_tokens_of_the_right_kind_count(passport: Passport, clock: Clock) -> None:
    token = passport.access("ada")
    head, body, seal = token.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    wrong = [
        Passport("another" * 8, clock).access("ada"),
        passport.csrf("ada"),
        f"{unsigned}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{seal}x",
        f"{head}.{body}.ä",
        "x" * 10_000,
        "",
    ]
    for other in wrong:
        with pytest.raises(UnauthorizedError, match="Invalid token"):
            passport.account_of(other)
    assert not passport.is_csrf_of(token, "ada")
    assert not passport.is_csrf_of(passport.csrf("bob"), "ada")


def test_failures_of_an_address_are_forgotten_one_by_one(clock: Clock) -> None:
    throttle = LoginThrottle(clock, 2)
    throttle.failed("2001:db8::1")
    clock.at += timedelta(seconds=600)
    throttle.failed("2001:db8::2")  # the same network

    with pytest.raises(TooManyRequestsError) as refused:
        throttle.check("2001:db8::3")
    assert refused.value.retry_after == 300
    throttle.check("2001:db8:1::1")
    throttle.check("192.0.2.1")

    clock.at += timedelta(seconds=300)
    throttle.check("2001:db8::3")


def test_no_limit_means_none(clock: Clock) -> None:
    throttle = LoginThrottle(clock, 0)
    for _ in range(100):
        throttle.failed("192.0.2.1")
    throttle.check("192.0.2.1")
