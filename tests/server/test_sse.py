"""An event stream to one reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

from weft.server.guarded_protocol import LEAVING
from weft.server.sse import FrameStream

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
Message = MutableMapping[str, Any]


class Connection:
    """What a server would be to the stream; it accepts nothing while it is busy."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.free = asyncio.Event()
        self.free.set()
        self.gone = asyncio.Event()
        self.watched = asyncio.Event()
        self.busy = asyncio.Event()
        self._grown = asyncio.Event()

    async def receive(self) -> Message:
        self.watched.set()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self._grown.set()
        if not self.free.is_set():
            self.busy.set()
            await self.free.wait()

    async def has(self, part: bytes, times: int = 1) -> None:
        """Wait until that has been sent so often."""
        async with asyncio.timeout(10):
            while self.body.count(part) < times:
                self._grown.clear()
                await self._grown.wait()

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


async def begin(stream: FrameStream, connection: Connection) -> asyncio.Task[None]:
    """Let the stream send a first frame."""
    stream.put([b"0"])
    task = asyncio.create_task(stream({"type": "http"}, connection.receive, connection.send))
    await connection.has(b"0")
    return task


async def test_frames_that_wait_leave_together_and_the_end_follows() -> None:
    left: list[bool] = []
    connection, stream = Connection(), FrameStream(ping_seconds=60, on_leave=left.append)
    task = await begin(stream, connection)
    connection.free.clear()
    stream.put([b"1"])
    await connection.busy.wait()
    stream.put([b"2", b"3"])
    stream.put([b"4"])
    stream.end()
    connection.free.set()
    await task
    assert [(message["body"], message["more_body"]) for message in connection.sent[1:]] == [
        (b"0", True),
        (b"1", True),
        (b"234", False),
    ]
    assert left == [False]


async def test_a_reader_that_leaves_is_told_of_once() -> None:
    left: list[bool] = []
    connection, stream = Connection(), FrameStream(ping_seconds=60, on_leave=left.append)
    task = await begin(stream, connection)
    await connection.watched.wait()
    connection.gone.set()
    await task
    stream.put([b"late"])
    stream.end()
    assert (connection.body, left) == (b"0", [True])


async def test_a_server_that_tells_who_leaves_is_not_asked() -> None:
    left: list[bool] = []
    heard: list[Callable[[], None] | None] = []
    connection, stream = Connection(), FrameStream(ping_seconds=60, on_leave=left.append)
    stream.put([b"0"])
    scope = {"type": "http", "extensions": {LEAVING: heard.append}}
    task = asyncio.create_task(stream(scope, connection.receive, connection.send))
    await connection.has(b"0")
    await asyncio.sleep(0)
    leave = heard[0]
    assert leave is not None
    leave()
    async with asyncio.timeout(10):
        await task
    assert (left, heard[1:], connection.watched.is_set()) == ([True], [None], False)


async def test_a_reader_that_lags_too_far_behind_is_let_go_while_it_still_hangs() -> None:
    left: list[bool] = []
    connection, stream = Connection(), FrameStream(ping_seconds=60, on_leave=left.append)
    task = await begin(stream, connection)
    connection.free.clear()
    stream.put([b"1"])
    await connection.busy.wait()
    for _ in range(17):
        stream.put([b"x" * MIB])
    stream.end()
    await asyncio.sleep(0)
    told_while_it_hangs = list(left)
    connection.free.set()
    await task
    assert (told_while_it_hangs, left) == ([True], [True])
    assert (connection.body, connection.sent[-1]["more_body"]) == (b"01", True)


async def test_a_silent_stream_is_kept_alive() -> None:
    connection, stream = Connection(), FrameStream(ping_seconds=0.001, on_leave=lambda left: None)
    task = await begin(stream, connection)
    await connection.has(b"event: ping\n\n", 3)
    stream.end()
    await task
    assert set(connection.body[1:].split(b"\n\n")) == {b"event: ping", b""}
