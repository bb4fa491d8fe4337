"""What whoever runs the server asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller, Reply
from tests.contract.house import House, open_house
from tests.server.test_instrument import Samples, read
from weft.errors import StoreError
from weft.files import FileStoreError
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

WELL = {"database": "ok", "files": "ok", "accepting": "ok"}
TOKEN = "a-token-for-the-metrics"


async def ask(house: House, path: str, **headers: str) -> Reply:
    async with house.session.get(house.serving.url + path, headers=headers) as reply:
        return Reply(reply.status, reply.headers.copy(), await reply.read())


async def refuse(*args: object, **more: object) -> Any:
    raise StoreError("postgresql://weft:hunter2@db/weft is away")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, models=Actor(), clock=FrozenClock(holds=True)) as opened:
        yield opened


async def test_a_server_that_is_well_is_ready(house: House) -> None:
    reply = await ask(house, "/ready")
    assert (reply.status, reply.json) == (200, {"status": "ready", "checks": WELL})


async def test_without_its_database_a_server_is_not_ready_and_tells_no_address(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.runtime.store, "read", refuse)
    reply = await ask(house, "/ready")
    assert (reply.status, reply.json) == (
        503,
        {"status": "unready", "checks": {**WELL, "database": "the database cannot be read"}},
    )
    assert (await ask(house, "/health")).status == 200


async def test_with_a_database_of_another_version_a_server_is_not_ready(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.runtime.store.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    checks = (await ask(house, "/ready")).json["checks"]
    assert checks["database"] == "the database is of another version than this program"


async def test_without_its_files_a_server_is_not_ready(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: object, **more: object) -> AsyncIterator[bytes]:
        if args:
            raise FileStoreError("the bucket is away")
        yield b""

    monkeypatch.setattr(house.runtime.files.content, "open", away)
    reply = await ask(house, "/ready")
    assert (reply.status, reply.json["checks"]["files"]) == (503, "the store of files cannot be reached")


async def test_a_server_that_stops_is_not_ready(house: House) -> None:
    house.runtime.runner.refuse_new()
    reply = await ask(house, "/ready")
    assert (reply.status, reply.json["checks"]) == (503, {**WELL, "accepting": "the server is stopping"})
    assert reply.headers["retry-after"] == "1"


async def test_being_asked_often_costs_the_database_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = house.runtime.clock
    assert isinstance(clock, FrozenClock)
    assert (await ask(house, "/ready")).status == 200
    monkeypatch.setattr(house.runtime.store, "read", refuse)
    assert (await ask(house, "/ready")).status == 200
    clock.advance(1)
    assert (await ask(house, "/ready")).status == 503


async def test_metrics_are_off_unless_they_are_wanted(house: House) -> None:
    token = house.runtime.operator_token
    assert (await ask(house, "/metrics", authorization=f"Bearer {token}")).error[:2] == (404, "not_found")


@pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", "Bearer "])
async def test_metrics_are_for_who_has_the_token(tmp_path: Path, given: str | None) -> None:
    async with open_house(tmp_path, server={"metrics": True, "metrics_token": TOKEN}) as house:
        refused = await ask(house, "/metrics", **({} if given is None else {"authorization": given}))
        assert refused.error[:2] == (401, "unauthorized")
        assert (await ask(house, "/metrics", authorization=f"Bearer {TOKEN}")).status == 200
        operator = f"Bearer {house.runtime.operator_token}"
        assert (await ask(house, "/metrics", authorization=operator)).status == 401


async def told(house: House) -> Samples:
    reply = await ask(house, "/metrics", authorization=f"Bearer {house.runtime.operator_token}")
    assert (reply.status, reply.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    return read(reply.body)


def labels(**names: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(names.items()))


async def speak(flow: Caller, failing: Caller) -> None:
    await flow.said("hello you")
    await flow.told("hello again")
    await failing.chat()
    await flow.call("GET", "/info", headers={})


async def test_metrics_tell_of_requests_runs_models_and_the_store(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor(), server={"metrics": True}) as house:
        flow, failing = await house.serve(apps.echo_flow()), await house.serve(apps.failing_flow())
        await speak(flow, failing)
        numbers = await told(house)
    model = {"provider": "openai", "model": "gpt-4o"}
    wanted: Samples = {
        ("weft_requests_total", labels(method="POST", route="/v1/chat-messages", status="200")): 2,
        ("weft_requests_total", labels(method="POST", route="/v1/chat-messages", status="400")): 1,
        ("weft_requests_total", labels(method="GET", route="/v1/info", status="401")): 1,
        ("weft_request_seconds_count", labels(route="/v1/chat-messages")): 3,
        ("weft_first_event_seconds_count", ()): 1,
        ("weft_streams_open", ()): 0,
        ("weft_runs_started_total", labels(app=flow.app_id)): 2,
        ("weft_runs_finished_total", labels(app=flow.app_id, status="succeeded")): 2,
        ("weft_runs_finished_total", labels(app=failing.app_id, status="failed")): 1,
        ("weft_nodes_total", labels(type="llm", status="succeeded")): 2,
        ("weft_nodes_total", labels(type="code", status="failed")): 1,
        ("weft_model_tokens_total", labels(**model, kind="prompt")): 4,
        ("weft_model_tokens_total", labels(**model, kind="completion")): 8,
        ("weft_store_writes_waiting", ()): 0,
        ("weft_refused_total", labels(reason="key_rate")): 0,
        ("weft_info", labels(version="1.2.3")): 1,
    }
    assert {key: numbers.get(key) for key in wanted} == wanted
    assert numbers["weft_store_write_seconds_count", ()] >= 6
    assert numbers["process_resident_memory_bytes", ()] > 1e6
    assert numbers["process_cpu_seconds_total", ()] > 0


async def test_metrics_know_the_streams_that_are_open_and_the_runs_that_go_on(tmp_path: Path) -> None:
    from tests.contract.actor import Gate
    from weft.providers import ChatRequest

    actor, gate = Actor(), Gate()

    async def hold(request: ChatRequest) -> AsyncIterator[str]:
        yield "first"
        await gate.wait()
        yield "last"

    actor.play("hold", hold)
    async with open_house(tmp_path, models=actor, server={"metrics": True}) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("hold") as stream:
            await stream.until("message")
            numbers = await told(house)
            assert numbers["weft_streams_open", ()] == 1
            assert numbers["weft_runs_active", labels(app=flow.app_id)] == 1
            gate.open()
            await stream.rest()


async def test_addresses_that_do_not_exist_are_counted_as_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, server={"metrics": True}) as house:
        for path in ("/a", "/b", "/v1/x"):
            await ask(house, path)
        numbers = await told(house)
    assert numbers["weft_requests_total", labels(method="GET", route="none", status="404")] == 3
