"""How fast somebody may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.house import open_house
from weft.errors import TooManyRequestsError
from weft.providers import ChatRequest
from weft.server import RateLimiter
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


def test_some_may_come_at_once_and_then_one_every_so_often() -> None:
    clock = FrozenClock()
    limiter = RateLimiter(clock, 60, burst=3)
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 1]
    clock.advance(0.5)
    assert limiter.take("a") == 0.5
    clock.advance(0.5)
    assert [limiter.take("a"), limiter.take("a")] == [0, 1]
    assert limiter.refused == 3


def test_everybody_is_counted_apart() -> None:
    limiter = RateLimiter(FrozenClock(), 1)
    assert [limiter.take(who) for who in ("a", "b", "a")] == [0, 0, 60]


def test_a_refusal_says_when_to_ask_again() -> None:
    limiter = RateLimiter(FrozenClock(), 2)
    limiter.check("a", "no")
    with pytest.raises(TooManyRequestsError, match=r"^no$") as refused:
        limiter.check("a", "no")
    assert refused.value.retry_after == 30


def test_after_a_long_silence_no_more_than_the_burst_may_come() -> None:
    clock = FrozenClock()
    limiter = RateLimiter(clock, 60, burst=2)
    clock.advance(3600)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 1]


async def test_a_key_that_is_used_too_often_is_told_to_wait_and_others_are_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor(), server={"key_requests_per_minute": 20}) as house:
        one = await house.serve(apps.echo_flow())
        two = await house.serve(apps.echo_flow(name="G"))
        replies = [await one.get("/info") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[2].error == (
            429,
            "too_many_requests",
            "Too many requests. Please try again later. This key is used too often.",
        )
        assert 1 <= int(replies[2].headers["retry-after"]) <= 3
        assert (await two.get("/info")).status == 200


async def test_a_wrong_key_is_unknown_however_often_it_is_used(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor(), server={"key_requests_per_minute": 1}) as house:
        one = await house.serve(apps.echo_flow())
        for _ in range(3):
            reply = await one.call("GET", "/info", headers={"authorization": "Bearer app-nobody"})
            assert reply.status == 401


async def test_an_end_user_who_asks_too_often_is_told_to_wait_and_others_are_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor(), server={"user_requests_per_minute": 1}) as house:
        flow = await house.serve(apps.echo_flow())
        assert (await flow.get("/conversations", user="ann")).status == 200
        refused = await flow.get("/conversations", user="ann")
        assert refused.error[:2] == (429, "too_many_requests")
        assert 55 <= int(refused.headers["retry-after"]) <= 60
        assert (await flow.get("/conversations", user="bob")).status == 200
        assert (await flow.get("/info")).status == 200


async def test_the_other_door_tells_to_wait_in_its_own_form(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor(), server={"key_requests_per_minute": 1}) as house:
        flow = await house.serve(apps.echo_flow())
        assert (await flow.get("/info")).status == 200
        refused = await flow.post("/chat/completions", {})
        assert (refused.status, refused.json["error"]["type"]) == (429, "rate_limit_error")
        assert "retry-after" in refused.headers


async def test_who_finds_all_places_taken_is_told_when_to_ask_again(tmp_path: Path) -> None:
    actor, gate = Actor(), Gate()

    async def hold(request: ChatRequest):  # type: ignore[no-untyped-def]
        await gate.wait()
        yield "done"

    actor.play("hold", hold)
    async with open_house(tmp_path, models=actor, server={"max_active_requests": 1}) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("hold") as stream:
            await gate.seen()
            refused = await flow.chat("hi")
            assert refused.error[:2] == (429, "too_many_requests")
            assert refused.headers["retry-after"] == "2"
            assert house.runtime.runner.refused == 1
            gate.open()
            await stream.rest()
