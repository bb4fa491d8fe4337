"""The open port itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import perf_counter

import pytest

from tests.contract import apps
from tests.contract.house import VERSION, House
from weft.errors import ConfigError
from weft.server import Serving, serving
from weft.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_port_that_is_taken_is_told_as_such(house: House) -> None:
    settings = Settings(data=house.folder, port=house.serving.port)
    taken = replace(house.runtime, settings=settings)
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{house.serving.port}"):
        async with serving(taken, version=VERSION):
            pass


async def test_a_server_tells_that_it_is_well_and_how_much_it_does(house: House) -> None:
    async with house.session.get(f"{house.serving.url}/health") as reply:
        assert await reply.json() == {"status": "ok", "version": VERSION, "running": 0}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("weft.example", "http://weft.example:80"),
    ],
)
def test_an_address_is_one_that_can_be_called(host: str, url: str) -> None:
    served = Serving(host, 80)
    assert (served.url, served.service_api, served.console_api) == (url, f"{url}/v1", f"{url}/console/api")


async def test_a_small_answer_does_not_wait_for_an_acknowledgement(house: House) -> None:
    flow = await house.serve(apps.echo_flow())
    took = []
    for _ in range(12):
        began = perf_counter()
        await flow.get("/info")
        took.append(perf_counter() - began)
    # A connection that collects small pieces waits at least 40 ms each time.
    assert min(took[4:]) < 0.03


async def test_requests_may_follow_each_other_on_one_connection(house: House) -> None:
    flow = await house.serve(apps.echo_flow())
    reader, writer = await asyncio.open_connection("127.0.0.1", house.serving.port)
    head = f"GET /v1/info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {flow.key}\r\n\r\n".encode()
    writer.write(head * 3)
    async with asyncio.timeout(10):
        answers = [await reader.readuntil(b"\r\n\r\n") + await reader.readuntil(b"}") for _ in range(3)]
    writer.close()
    await writer.wait_closed()
    assert [answer.startswith(b"HTTP/1.1 200 ") for answer in answers] == [True] * 3


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/chat-messages HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_the_server_lives_on(house: House, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.serving.port)
    writer.write(sent)
    async with asyncio.timeout(10):
        answer = await reader.read(64)
    writer.close()
    assert answer[:12] not in (b"HTTP/1.1 200", b"HTTP/1.1 500")
    async with house.session.get(f"{house.serving.url}/health") as reply:
        assert reply.status == 200
