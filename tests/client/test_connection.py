"""Both clients against a real socket: what the HTTP library does on the wire, and what it logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.client.fake import KEY, frames
from tests.client.test_events import END, piece
from weft import errors
from weft.client import AsyncClient, Client, Timeouts

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Ask = Callable[[str, Timeouts], Awaitable[str]]


@asynccontextmanager
async def server(*pieces: bytes, hold: bool = False) -> AsyncIterator[str]:
    """Answers every request with these bytes; keeps the connection open afterwards with `hold`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in pieces:
                writer.write(part)
                await writer.drain()
            if hold:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        listening.close()
        await listening.wait_closed()


async def ask_async(base: str, timeouts: Timeouts) -> str:
    async with AsyncClient(base, KEY, timeouts=timeouts) as client:
        return (await client.stream_chat_messages("hi", user="u1").collect()).answer


async def ask_blocking(base: str, timeouts: Timeouts) -> str:
    def ask() -> str:
        with Client(base, KEY, timeouts=timeouts) as client:
            return client.stream_chat_messages("hi", user="u1").collect().answer

    return await asyncio.to_thread(ask)


@pytest.fixture(params=[ask_async, ask_blocking], ids=["async", "blocking"])
def ask(request: pytest.FixtureRequest) -> Ask:
    chosen: Ask = request.param
    return chosen


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces)


async def test_a_stream_is_read_from_a_socket_and_the_key_is_not_logged(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with server(HEAD, chunked(*frames(piece("Grüße"), END)), b"0\r\n\r\n") as base:
        assert await ask(base, Timeouts()) == "Grüße"
    assert caplog.records
    assert KEY not in caplog.text


async def test_a_connection_cut_in_the_middle_is_a_broken_stream(ask: Ask) -> None:
    async with server(HEAD, chunked(*frames(piece("Hel"))), b"40\r\ndata: {") as base:
        with pytest.raises(errors.StreamBrokenError) as caught:
            await ask(base, Timeouts())
    assert caught.value.answer == "Hel"
    assert KEY not in str(caught.getrepr(style="long", showlocals=True))


async def test_a_stream_that_falls_silent_is_given_up(ask: Ask) -> None:
    async with server(HEAD, chunked(*frames(piece("Hel"))), hold=True) as base:
        with pytest.raises(errors.StreamBrokenError, match="ReadTimeout"):
            await ask(base, Timeouts(read=0.05))


async def test_nobody_listening_is_a_transport_error(ask: Ask) -> None:
    async with server() as base:
        pass
    with pytest.raises(errors.TransportError, match="POST /chat-messages: no answer: ConnectError"):
        await ask(base, Timeouts())
