"""What every answer has, and what is noted of every request."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, raising
from tests.contract.caller import Caller, Reply
from tests.contract.house import House, open_house
from weft.cli.log import start_logging
from weft.errors import BadReplyError
from weft.server import RequestIdFilter
from weft.settings import LogSettings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_logging")]

SHOP = "https://shop.example.com"


@pytest.fixture
def actor() -> Actor:
    return Actor()


@pytest.fixture
async def house(tmp_path: Path, actor: Actor) -> AsyncIterator[House]:
    async with open_house(tmp_path, models=actor) as opened:
        yield opened


@pytest.fixture
async def flow(house: House) -> Caller:
    return await house.serve(apps.echo_flow())


@pytest.fixture
def written() -> io.StringIO:
    """What the program writes, as the most talkative one."""
    file = io.StringIO()
    start_logging(LogSettings(level="debug", format="json"), file, note=RequestIdFilter())
    return file


def lines(written: io.StringIO, logger: str = "weft.requests") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in found if line["logger"] == logger]


async def fetch(house: House, method: str, path: str, **headers: str) -> Reply:
    async with house.session.request(method, house.serving.url + path, headers=headers) as reply:
        return Reply(reply.status, reply.headers.copy(), await reply.read())


# Headers


@pytest.mark.parametrize(
    ("path", "sharing"),
    [
        ("/v1/info", "cross-origin"),
        ("/v1/nothing", "cross-origin"),
        ("/health", "cross-origin"),
        ("/ready", "cross-origin"),
        ("/metrics", "same-origin"),
        ("/nothing", "cross-origin"),
        ("/files/x/file-preview", "cross-origin"),
        ("/console/api/apps", "same-origin"),
        ("/console/api/nothing", "same-origin"),
    ],
)
async def test_no_answer_is_guessed_at_or_tells_of_its_reader_or_of_the_program_that_serves(
    house: House, path: str, sharing: str
) -> None:
    reply = await fetch(house, "GET", path)
    assert {
        name: reply.headers.getall(name)  # type: ignore[attr-defined]  # aiohttp's own mapping
        for name in ("x-content-type-options", "referrer-policy", "cross-origin-resource-policy")
    } == {
        "x-content-type-options": ["nosniff"],
        "referrer-policy": ["no-referrer"],
        "cross-origin-resource-policy": [sharing],
    }
    assert "server" not in reply.headers
    assert reply.headers["content-type"] == "application/json"


async def test_a_stream_has_the_headers_too(flow: Caller) -> None:
    stream = await flow.told("hi")
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert len(stream.headers["x-request-id"]) == 36


async def test_what_breaks_in_the_server_is_told_as_json(
    house: House, flow: Caller, monkeypatch: pytest.MonkeyPatch, written: io.StringIO
) -> None:
    async def burst(*args: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(house.runtime.store, "read_quick", burst)
    reply = await flow.call(
        "GET", "/info", headers={"authorization": f"Bearer {flow.key}", "x-request-id": "burst-1"}
    )
    assert reply.error == (500, "internal_server_error", "Internal server error.")
    (noted,) = lines(written, "weft.server.errors")
    assert (noted["request_id"], noted["message"]) == ("burst-1", "GET /v1/info failed")


# Pages of others


async def test_the_setting_says_which_pages_may_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, server={"cors_origins": f"{SHOP} https://b.example"}) as house:
        asks = {"access-control-request-method": "POST"}
        for origin, allowed in ((SHOP, SHOP), ("https://evil.example", None)):
            reply = await fetch(house, "GET", "/v1/info", origin=origin)
            before = await fetch(house, "OPTIONS", "/v1/chat-messages", origin=origin, **asks)
            assert reply.headers.get("access-control-allow-origin") == allowed
            assert before.headers.get("access-control-allow-origin") == allowed
            assert ("access-control-allow-methods" in before.headers) == (allowed is not None)
            assert "Origin" in reply.headers["vary"]


async def test_a_page_may_read_the_id_and_when_to_ask_again(flow: Caller) -> None:
    exposed = (await flow.get("/info")).headers["access-control-expose-headers"].split(", ")
    assert {"X-Request-Id", "Retry-After"} < set(exposed)


# Ids


async def test_an_answer_has_the_id_of_its_request(flow: Caller) -> None:
    headers = {"authorization": f"Bearer {flow.key}", "x-request-id": "my-request.1"}
    assert (await flow.call("GET", "/info", headers=headers)).headers["x-request-id"] == "my-request.1"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "<script>", "näm", "a;b"])
async def test_what_cannot_be_an_id_is_replaced(flow: Caller, given: str) -> None:
    headers = {"authorization": f"Bearer {flow.key}", "x-request-id": given}
    told = (await flow.call("GET", "/info", headers=headers)).headers["x-request-id"]
    assert (len(told), told != given) == (36, True)


# The log


async def test_each_request_is_one_line_with_its_route_and_without_its_address(
    flow: Caller, written: io.StringIO
) -> None:
    reply = await flow.get("/conversations/00000000-0000-4000-8000-000000000000/variables", user="ann")
    (line,) = lines(written)
    assert line.pop("ms") >= 0
    del line["time"], line["message"]
    assert line == {
        "level": "info",
        "logger": "weft.requests",
        "method": "GET",
        "route": "/v1/conversations/{conversation_id}/variables",
        "status": 404,
        "request_id": reply.headers["x-request-id"],
        "app_id": flow.app_id,
    }


async def test_no_line_is_written_if_none_is_wanted(tmp_path: Path, written: io.StringIO) -> None:
    async with open_house(tmp_path, log={"requests": False}) as house:
        await fetch(house, "GET", "/health")
    assert lines(written) == []


async def test_a_request_leaves_no_trace_of_keys_and_contents_in_the_log(
    house: House, flow: Caller, actor: Actor, written: io.StringIO
) -> None:
    actor.play("breakdown", raising(BadReplyError("the service is down"), "said-in-secret"))
    email, password = house.runtime.admin
    secrets = ["query-in-secret", "user-in-secret", "said-in-secret", "body-in-secret", flow.key, password]
    secrets += [house.runtime.operator_token, house.runtime.secret]
    await flow.chat("query-in-secret", user="user-in-secret")
    await flow.told("query-in-secret breakdown", user="user-in-secret")
    await flow.get("/messages", user="user-in-secret", conversation_id="query-in-secret")
    await flow.call("POST", "/chat-messages", data=b"body-in-secret")
    await fetch(house, "GET", f"/v1/info?key={flow.key}", authorization="Bearer app-in-secret")
    await fetch(house, "GET", "/v1/files/query-in-secret/preview?sign=query-in-secret")
    async with house.session.post(
        f"{house.serving.console_api}/login", json={"email": email, "password": f"{password}-in-secret"}
    ) as reply:
        assert reply.status == 401
    operator = f"Bearer {house.runtime.operator_token}"
    await fetch(house, "GET", "/console/api/apps?name=query-in-secret", authorization=operator)
    text = written.getvalue()
    assert len(lines(written)) == 8
    assert [secret for secret in [*secrets, "in-secret"] if secret in text] == []


async def test_what_a_run_says_in_the_log_has_the_id_of_its_request(
    house: House, flow: Caller, written: io.StringIO
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no")

    house.runtime.runner.live.observe(lambda live: live.listen(fail))
    reply = await flow.chat("hi")
    noted = lines(written, "weft.runs.live")
    assert {line["request_id"] for line in noted} == {reply.headers["x-request-id"]}
    assert noted[0]["message"].endswith("failed and is dropped")


def test_a_line_for_people_ends_with_the_id() -> None:
    file = io.StringIO()
    start_logging(LogSettings(), file, note=RequestIdFilter())
    logging.getLogger("weft").info("no request")
    assert file.getvalue().endswith(" weft: no request\n")
