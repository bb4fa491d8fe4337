"""More than the server may take: it says so, and nothing breaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller, Reply
from tests.contract.house import open_house

pytestmark = pytest.mark.anyio


async def flood(flow: Caller, times: int) -> list[Reply]:
    """Ask for all kinds of things at once, some of them wrong."""
    json = {"authorization": f"Bearer {flow.key}", "content-type": "application/json"}
    asked = []
    for number in range(times):
        user = f"u{number % 3}"
        asked += [
            flow.chat("hi", user=user),
            flow.chat("hi", user=user, response_mode="streaming"),
            flow.get("/info"),
            flow.get("/conversations", user=user),
            flow.call("POST", "/chat-messages", data=b"{", headers=json),
            flow.call("GET", "/info", headers={"authorization": "Bearer app-wrong"}),
        ]
    return await asyncio.gather(*asked)


async def test_a_flood_over_all_limits_meets_documented_answers_only(tmp_path: Path) -> None:
    limits = {"max_active_requests": 3, "key_requests_per_minute": 1800, "user_requests_per_minute": 300}
    async with open_house(tmp_path, models=Actor(), server=limits) as house:
        flow = await house.serve(apps.echo_flow())
        replies = await flood(flow, 40)
        statuses = Counter(reply.status for reply in replies)
        assert set(statuses) == {200, 400, 401, 429}
        assert statuses[401] == 40
        for reply in replies:
            if reply.status != 200:
                assert reply.error[1] in ("bad_request", "unauthorized", "too_many_requests")
            if reply.status == 429:
                assert int(reply.headers["retry-after"]) >= 1
        # Whoever comes back when the flood is over is answered.
        other = await house.serve(apps.echo_flow(name="G"))
        assert (await other.chat("hi", user="late")).status == 200
        assert len(house.runtime.runner.live) == 0


async def test_a_server_that_stops_answers_503_to_what_would_begin_something(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor()) as house:
        flow = await house.serve(apps.echo_flow())
        assert (await flow.get("/info")).status == 200
        house.runtime.runner.refuse_new()
        replies = await flood(flow, 5)
        assert set(Counter(reply.status for reply in replies)) == {200, 400, 401, 503}
        for reply in replies:
            if reply.status == 503:
                assert reply.error[1] == "service_unavailable"
                assert reply.headers["retry-after"] == "1"
