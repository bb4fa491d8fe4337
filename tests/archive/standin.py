"""A console behind a real port, in a thread of its own, for commands that run as processes."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import httpx2
from aiohttp import web

from tests.archive.sources.fake_console import FakeConsole

BOUND = 60.0
Trouble = Literal["close", "cut", "hang"]
"""The connection ends without an answer, in the middle of one, or says nothing for ever."""


class StandIn:
    """Serves a `FakeConsole`.

    Args:
        console: What is served; change it only between commands.
        latency: Seconds that an answer takes at most.
        seed: For how long each one takes.
    """

    def __init__(self, console: FakeConsole, *, latency: float = 0.0, seed: int = 0) -> None:
        self.console = console
        self.requests = 0
        self.url = ""
        self.trouble: Callable[[int, str], Trouble | httpx2.Response | None] = lambda number, path: None
        """Told number and path of each request after the login; may answer it, or not."""
        self._latency = latency
        self._chance = random.Random(seed)
        self._ready = threading.Event()
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in")

    def __enter__(self) -> StandIn:
        self._thread.start()
        assert self._ready.wait(BOUND)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(BOUND)

    def wait_for(self, requests: int) -> bool:
        """Wait until it was asked that often; false when it is not within the bound."""
        with self._news:
            return self._news.wait_for(lambda: self.requests >= requests, BOUND)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # of asyncio's own server
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        with self._news:
            self.requests += 1
            self._news.notify_all()
        if self._latency:
            await asyncio.sleep(self._chance.random() * self._latency)
        is_login = request.path.endswith(("/login", "/profile"))
        found = None if is_login else self.trouble(self.requests, request.path)
        if found == "hang" and request.path.startswith("/files/"):
            found = None  # the patience with a file is longer than that of a test
        if found == "hang":
            await self._end.wait()
        if found in ("close", "hang"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if isinstance(found, httpx2.Response):
            return _reply(found)
        url = httpx2.URL(str(request.url))
        answer = _reply(self.console._answer(httpx2.Request(request.method, url)))
        if found != "cut":
            return answer
        part = web.StreamResponse(status=200, headers={"content-type": "application/json"})
        assert isinstance(answer.body, bytes)
        part.content_length = len(answer.body)
        await part.prepare(request)
        await part.write(answer.body[: len(answer.body) // 2])
        assert request.transport is not None
        request.transport.abort()
        return part


def _reply(answer: httpx2.Response) -> web.Response:
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in ("content-length", "transfer-encoding")
    }
    return web.Response(status=answer.status_code, body=answer.content, headers=headers)
