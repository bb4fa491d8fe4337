"""What one connection may do."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.house import House, open_house
from weft.providers import ChatRequest

pytestmark = pytest.mark.anyio

BOUND = 10.0
MIB = 1024 * 1024
POST = b"POST /v1/chat-messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
TOO_LATE = (408, "request_timeout")
TOO_LARGE = (431, "request_header_fields_too_large")
NO_HTTP = (400, "bad_request")
QUICK = {"max_head_seconds": 0.1, "max_upload_seconds": 0.1, "max_head_bytes": 4096, "max_stall_seconds": 0.1}


@pytest.fixture
async def quick(tmp_path: Path, actor: Actor) -> AsyncIterator[House]:
    """A server without patience."""
    async with open_house(tmp_path, models=actor, server=QUICK) as opened:
        yield opened


@pytest.fixture
def actor() -> Actor:
    return Actor()


class Connection:
    """A client that says what a test tells it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, house: House, *, buffer: int | None = None) -> Connection:
        sock = socket.socket()
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", house.serving.port))
        return cls(*await asyncio.open_connection(sock=sock, limit=2**14))

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what comes next."""
        async with asyncio.timeout(BOUND):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def refusal(self) -> tuple[int, str]:
        """Status and code of an error, after which the connection is closed."""
        status, headers, body = await self.answer()
        told: dict[str, Any] = json.loads(body)
        assert sorted(told) == ["code", "message", "status"]
        assert (told["status"], headers["content-type"], headers["connection"]) == (
            status,
            "application/json",
            "close",
        )
        await self.closed()
        return status, told["code"]

    async def closed(self) -> None:
        """Wait until the server has closed, and nothing more has come."""
        async with asyncio.timeout(BOUND):
            with suppress(ConnectionResetError):
                assert await self.reader.read(1) == b""
        self.writer.close()


async def refused(house: House, *said: bytes) -> tuple[int, str]:
    connection = await Connection.to(house)
    for part in said:
        connection.say(part)
    return await connection.refusal()


async def test_a_connection_that_says_nothing_is_closed(quick: House) -> None:
    connection = await Connection.to(quick)
    await connection.closed()


async def test_a_head_that_does_not_end_is_too_late(quick: House) -> None:
    assert await refused(quick, b"GET /health HTTP/1.1\r\nHost: x\r\n") == TOO_LATE


async def test_a_body_that_does_not_come_is_too_late(quick: House) -> None:
    key = (await quick.serve(apps.echo_flow())).key
    head = POST + f"Authorization: Bearer {key}\r\nContent-Length: 100\r\n\r\n".encode()
    assert await refused(quick, head, b'{"query":') == TOO_LATE


async def test_a_body_that_comes_drop_by_drop_is_too_late(quick: House) -> None:
    key = (await quick.serve(apps.echo_flow())).key
    connection = await Connection.to(quick)
    connection.say(POST + f"Authorization: Bearer {key}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    async def drip() -> None:
        while True:
            connection.say(b"1\r\n \r\n")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    try:
        assert (await connection.answer())[0] == 408
    finally:
        dripping.cancel()
        connection.writer.close()


async def test_a_body_nobody_wants_is_not_taken_for_ever(quick: House) -> None:
    connection = await Connection.to(quick)
    connection.say(b"POST /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert (await connection.answer())[0] == 405
    await connection.closed()


async def test_a_connection_may_rest_between_requests_but_not_on_blank_lines(quick: House) -> None:
    connection = await Connection.to(quick)
    connection.say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await connection.answer())[0] == 200
    connection.say(b"\r\n")
    await connection.closed()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nA: " + b"x" * 5000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"".join(b"A%d: x\r\n" % number for number in range(101)) + b"\r\n",
    ],
    ids=["address", "header", "headers"],
)
async def test_a_head_that_is_too_large_is_refused(quick: House, head: bytes) -> None:
    assert await refused(quick, head) == TOO_LARGE


async def test_a_header_that_never_ends_is_refused_before_it_ends(quick: House) -> None:
    connection = await Connection.to(quick)
    for part in (b"GET /health HTTP/1.1\r\nA: ", *[b"x" * 1000] * 5):
        connection.say(part)
        for _ in range(10):  # for the server, which shares the loop, to take it
            await asyncio.sleep(0)
    assert (await connection.answer())[0] == 431
    connection.writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        POST + b"Content-Length: x\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"GET /health HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told_so_as_json(quick: House, sent: bytes) -> None:
    connection = await Connection.to(quick)
    connection.say(sent)
    status, headers, body = await connection.answer()
    assert (status, headers["content-type"], json.loads(body)["status"]) in [
        (400, "application/json", 400),
        (401, "application/json", 401),  # the route was quicker than the rest of the body
    ]
    connection.writer.close()


async def test_more_than_was_announced_is_another_request_and_no_part_of_this_one(quick: House) -> None:
    connection = await Connection.to(quick)
    connection.say(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}NONSENSE")
    assert (await connection.answer())[0] in (200, 400)
    async with asyncio.timeout(BOUND):
        rest = await connection.reader.read()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    connection.writer.close()


async def test_trailers_do_not_become_headers(quick: House) -> None:
    key = (await quick.serve(apps.echo_flow())).key
    connection = await Connection.to(quick)
    connection.say(
        b"GET /v1/info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + f"Authorization: Bearer {key}\r\n\r\n".encode()
    )
    assert (await connection.answer())[0] == 401
    connection.writer.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_compressed_body_is_refused(quick: House, method: str) -> None:
    flow = await quick.serve(apps.echo_flow())
    headers = {
        "authorization": f"Bearer {flow.key}",
        "content-type": "application/json",
        "content-encoding": "gzip",
    }
    reply = await flow.call(method, "/chat-messages", data=b"\x1f\x8b\x08", headers=headers)
    assert reply.error[:2] == (415, "unsupported_media_type")


async def test_a_client_that_does_not_read_is_let_go_and_its_run_goes_on(
    tmp_path: Path, actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "weft")
    more, piece = Gate(), "x" * 100_000

    async def endless(request: ChatRequest) -> AsyncIterator[str]:
        for _ in range(200):  # 20 MB, far more than a reader may lag behind
            yield piece
            await asyncio.sleep(0)
        await more.wait()
        yield "end"

    actor.play("much", endless)
    async with open_house(tmp_path, models=actor, server={"max_stall_seconds": 60}) as house:
        flow = await house.serve(apps.echo_flow())
        connection = await Connection.to(house, buffer=4096)
        body = json.dumps(
            {
                "query": "much",
                "inputs": {},
                "user": "u",
                "response_mode": "streaming",
                "auto_generate_name": False,
            }
        ).encode()
        connection.say(
            POST + f"Authorization: Bearer {flow.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        await more.seen()
        (live,) = house.runtime.runner.live
        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert [text.partition(" 8")[0] for text in warnings] == ["a reader lags"]
        assert len(vars(live)["_listeners"]) == 1  # the recorder, no reader
        more.open()
        async with asyncio.timeout(BOUND):
            await live.ended()
        assert live.message is not None
        assert (live.run.status, len(live.message.answer)) == ("succeeded", 200 * len(piece) + 3)
        connection.writer.close()


async def test_a_client_that_takes_nothing_for_long_is_let_go(
    quick: House, actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "weft")
    more = Gate()

    async def much(request: ChatRequest) -> AsyncIterator[str]:
        for _ in range(40):  # 4 MB, no more than a reader may lag behind
            yield "x" * 100_000
        await more.wait()
        yield "end"

    actor.play("much", much)
    flow = await quick.serve(apps.echo_flow())
    connection = await Connection.to(quick, buffer=4096)
    body = b'{"query":"much","inputs":{},"user":"u","response_mode":"streaming","auto_generate_name":false}'
    connection.say(
        POST + f"Authorization: Bearer {flow.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    await more.seen()
    (live,) = quick.runtime.runner.live
    let_go, leave = asyncio.Event(), live.leave

    def note(listener: Any) -> None:
        leave(listener)
        let_go.set()

    vars(live)["leave"] = note
    async with asyncio.timeout(BOUND):
        await let_go.wait()
    assert "a client took nothing for 0.1 s" in caplog.text
    more.open()
    async with asyncio.timeout(BOUND):
        await live.ended()
    assert live.run.status == "succeeded"
    connection.writer.close()
