"""What no caller may get past: other workspaces, other pages, odd input."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from starlette.routing import Route

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.console_caller import (
    ConsoleCaller,
    log_in,
    make_account,
    signed_in,
    stranger,
)
from tests.contract.house import House, open_house
from weft.server import console_api

pytestmark = pytest.mark.anyio
OPEN = {
    ("GET", "/setup"),
    ("GET", "/version"),
    ("GET", "/ping"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("POST", "/refresh"),
    ("POST", "/refresh-token"),
}
OWN = {"/account/profile", "/account/timezone", "/apps", "/apps/imports", "/workspaces"}
"""Operations on what belongs to whoever calls."""


def operations() -> Iterator[tuple[str, str]]:
    """Every method and path of the console."""
    for route in console_api.routes(""):
        assert isinstance(route, Route)
        for method in sorted(route.methods or ()):
            if method != "HEAD":
                yield method, route.path


def test_there_are_as_many_operations_as_the_console_has() -> None:
    assert len(list(operations())) == 81
    assert set(operations()) >= OPEN


async def test_every_operation_but_the_open_ones_needs_a_login(house: House) -> None:
    nobody = stranger(house)
    for method, path in operations():
        reply = await nobody.call(method, path.replace("{", "").replace("}", ""))
        expected = (method, path) in OPEN
        assert (reply.status != 401 or path.startswith("/refresh")) == expected, (method, path, reply)


@pytest.fixture(scope="session")
async def neighbour(house: House) -> ConsoleCaller:
    """The owner of another workspace."""
    await make_account(house, "neighbour@x.y", workspace_id=house.runtime.ids.new())
    return await signed_in(house, "neighbour@x.y")


async def test_another_workspace_sees_and_changes_nothing(
    house: House, owner: ConsoleCaller, neighbour: ConsoleCaller
) -> None:
    caller = await house.serve(apps.echo_flow(name="Walled"))
    said = await caller.told("secret words", user="ann")
    key = (await owner.post(f"/apps/{caller.app_id}/api-keys")).json
    ids = {
        "app_id": caller.app_id,
        "conversation_id": said.events[0]["conversation_id"],
        "message_id": said.events[0]["message_id"],
        "run_id": said.finished["id"],
        "session_id": said.events[0]["conversation_id"],
        "task_id": said.events[0]["task_id"],
        "workflow_id": caller.workflow_id,
        "key_id": key["id"],
        "import_id": house.runtime.ids.new(),
    }
    body = {"name": "stolen", "message_id": ids["message_id"], "rating": "like", "enable_api": False}
    mine = await neighbour.new_app("Own")
    before = (await owner.get(f"/apps/{caller.app_id}")).ok

    for method, path in operations():
        if (method, path) in OPEN or path in OWN or path.startswith("/workspaces"):
            continue
        reply = await neighbour.call(method, path.format(**ids), body if method != "GET" else None)
        wanted = (400,) if "import_id" in path else (404, 403)
        assert reply.status in wanted, (method, path, reply)
        assert b"secret" not in reply.body
        if "{app_id}" in path and path.count("{") > 1:
            # Their own app does not lend them what is in another.
            reply = await neighbour.call(
                method, path.format(**{**ids, "app_id": mine}), body if method != "GET" else None
            )
            assert b"secret" not in reply.body, (method, path, reply)
            assert reply.status in (404, 400, 403) or reply.json in ({"data": []}, {"result": "success"})

    assert (await owner.get(f"/apps/{caller.app_id}")).ok == before
    assert [app["id"] for app in (await neighbour.get("/apps", limit=100)).ok["data"]] == [mine]
    members = (await neighbour.get("/workspaces/current/members")).ok["accounts"]
    assert [one["email"] for one in members] == ["neighbour@x.y"]
    refused = await neighbour.post(
        "/apps/imports", {"mode": "yaml-content", "yaml_content": "{}", "app_id": caller.app_id}
    )
    assert refused.status == 400
    assert (await caller.get("/info")).status == 200


async def test_an_import_that_waits_is_confirmed_by_its_own_workspace_only(
    owner: ConsoleCaller, neighbour: ConsoleCaller
) -> None:
    content = '{"version": "9.0.0", "app": {"mode": "chat", "name": "x"}, "model_config": {}}'
    pending = await owner.post("/apps/imports", {"mode": "yaml-content", "yaml_content": content})
    path = f"/apps/imports/{pending.json['id']}/confirm"

    assert (await neighbour.post(path)).status == 400
    assert (await owner.post(path)).status == 200


async def test_answers_are_kept_nowhere_and_framed_by_nobody(owner: ConsoleCaller, house: House) -> None:
    for reply in (await owner.get("/apps"), await owner.get("/nowhere"), await log_in(house, "x")):
        kept = {name.lower(): value for name, value in reply.headers.items()}
        assert {
            name: kept.get(name)
            for name in ("cache-control", "x-content-type-options", "x-frame-options", "referrer-policy")
        } == {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
        }
        assert "access-control-allow-origin" not in kept
        assert kept["x-version"] == "1.2.3"


async def test_only_known_pages_may_call(folder: Path) -> None:
    async with open_house(
        folder, server={"console_origins": "https://a.example, https://b.example"}
    ) as house:
        nobody = stranger(house)

        async def allowed(origin: str, method: str = "GET") -> str | None:
            headers = {"origin": origin, "access-control-request-method": "GET"}
            return (await nobody.call(method, "/ping", headers=headers)).headers.get(
                "access-control-allow-origin"
            )

        assert [await allowed("https://b.example", m) for m in ("GET", "OPTIONS")] == [
            "https://b.example"
        ] * 2
        assert [await allowed("https://c.example", m) for m in ("GET", "OPTIONS")] == [None, None]
        assert await allowed("null") is None
        preflight = await nobody.call(
            "OPTIONS",
            "/apps",
            headers={"origin": "https://a.example", "access-control-request-method": "POST"},
        )
        assert preflight.headers["access-control-allow-credentials"] == "true"
        assert "X-CSRF-Token" in preflight.headers["access-control-allow-headers"]


async def test_a_wrong_method_is_told_all_right_ones(owner: ConsoleCaller, flow: Caller) -> None:
    reply = await owner.call("PATCH", f"/apps/{flow.app_id}")
    assert reply.error[:2] == (405, "method_not_allowed")
    assert sorted(reply.headers["allow"].split(", ")) == ["DELETE", "GET", "HEAD", "PUT"]


async def test_a_body_has_its_limit(folder: Path) -> None:
    async with open_house(folder, server={"max_body_bytes": 2048}) as house:
        owner = await signed_in(house, *house.runtime.admin)
        reply = await owner.post("/apps", {"name": "x", "mode": "workflow", "icon": "x" * 3000})
        assert reply.error[:2] == (413, "request_entity_too_large")
        login = await stranger(house).post("/login", {"email": "a@b.c", "password": "x" * 100_000})
        assert login.error[:2] == (413, "request_entity_too_large")


JUNK_IDS = ("x", "%00", "%F0%9F%90%9F", "..%2F..%2Fetc", "00000000-0000-4000-8000-000000000000", "a" * 300)
JUNK_BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"\xff\xfe",
    b'{"graph": {"nodes": [1, null, {"data": []}], "edges": 7}, "features": {"a": [[[]]]}}',
    b'{"graph": {}, "features": {}, "environment_variables": [{}, {"name": 1}], "hash": "x"}',
    b'{"name": "\\u0000", "mode": "advanced-chat", "icon": "\\ud83d\\ude00", "description": "\\ud800x"}',
    b'{"name": ["x"], "mode": 1, "message_id": {}, "rating": "x", "timezone": "a\\u0000b"}',
    b'{"email": "a@b.c", "password": "\\ud800", "refresh_token": 5}',
    b'{"mode": "yaml-content", "yaml_content": "app: {mode: workflow}\\nworkflow: {graph: {nodes: [[]]}}"}',
    b'{"mode": "yaml-content", "yaml_content": "? [a]\\n: b"}',
    b'{"message_id": "00000000-0000-4000-8000-000000000000", "rating": null, "enable_api": "perhaps"}',
    b'{"marked_name": "\\u0000", "marked_comment": 5, "max_active_requests": 1e300}',
    b'{"graph": {"a": 1e308, "b": 123456789012345678901234567890}, "features": {"\\u0000": null}}',
    b"[" * 100_000,
)
JUNK_QUERIES = (
    "",
    "page=0&limit=-1",
    "page=99999&limit=100&keyword=%00%25_%5C/&name=%F0%9F%90%9F&tag_ids=,,x",
    "start=0001-01-01+00:00&end=9999-12-31+23:59",
    "start=9999-12-31+23:59",
    "end=0001-01-01+00:00",
    "start=2024-02-30+25:61",
    "last_id=x&first_id=x&conversation_id=x&status=x&triggered_from=x",
    "conversation_id=00000000-0000-4000-8000-000000000000&limit=1e3",
    "created_at__before=9999-99-99&created_at__after=x&detail=x&created_by_account=%00",
    "time_range=99999999d&format=xml&start_date=2024-02-31",
    "include_secret=x&workflow_id=%00",
    "status=succeeded&status=failed&page=1&page=x",
    "created_at__after=0001-01-01T00:00:00%2B23:59&created_at__before=9999-12-31T23:59:59-23:59",
)


async def test_no_input_makes_the_server_fail(house: House, owner: ConsoleCaller) -> None:
    """A fixed shuffle of odd ids, bodies and queries, over every operation, for several kinds of app."""
    chance = random.Random(7)
    targets = [
        await owner.new_app("Fuzzed", mode)
        for mode in ("advanced-chat", "workflow", "agent-chat", "completion")
    ]
    served = await house.serve(apps.echo_flow(name="Served fuzz"))
    await served.said("hi")
    targets.append(served.app_id)
    failed = []
    for (method, path), app_id in product(operations(), targets):
        if method == "DELETE" and path == "/apps/{app_id}":
            continue
        for _ in range(4):
            ids = {
                name: chance.choice(JUNK_IDS)
                for name in (
                    [
                        "conversation_id",
                        "message_id",
                        "run_id",
                        "task_id",
                        "workflow_id",
                        "key_id",
                        "session_id",
                        "import_id",
                    ]
                )
            }
            filled = path.format(app_id=app_id, **ids)
            kind = chance.choice(("application/json", "application/json", "text/plain", "x"))
            data = None if method == "GET" else chance.choice(JUNK_BODIES)
            query = chance.choice(JUNK_QUERIES)
            url = f"{filled}?{query}" if query else filled
            reply = await owner.call(method, url, data=data, headers={"content-type": kind})
            if reply.status >= 500:
                failed.append((method, url, data and data[:80], reply.body))
    assert failed == []


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic x", "Bearer ä", "Bearer a.b.c", "x" * 7000])
async def test_odd_tokens_are_refused(house: House, header: str) -> None:
    nobody = stranger(house)
    reply = await nobody.call("GET", "/apps", headers={"authorization": header})
    assert reply.status == 401
    for name in ("access_token", "__Host-access_token"):
        reply = await nobody.call("GET", "/apps", headers={"cookie": f"{name}={header}"})
        assert reply.status == 401


@pytest.mark.parametrize("host", ["a b", "[::1", "x:y", "\u00e4", ""])
async def test_odd_hosts_are_answered(owner: ConsoleCaller, flow: Caller, host: str) -> None:
    reply = await owner.call("GET", f"/apps/{flow.app_id}", headers={"host": host})
    assert reply.status in (200, 400)


async def test_many_calls_at_once_are_all_answered(owner: ConsoleCaller) -> None:
    replies = await asyncio.gather(*(owner.new_app(f"Crowd {n}") for n in range(20)))
    assert len(set(replies)) == 20
