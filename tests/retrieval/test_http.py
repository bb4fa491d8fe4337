from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from weft.retrieval import JsonReply, RetrievalError
from weft.retrieval.http import OpenHttp

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/search", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/search"
    finally:
        await runner.cleanup()


async def post(url: str, *, api_key: str = "k", timeout: float = 10) -> JsonReply:
    http = OpenHttp()
    try:
        return await http.post(url, {"query": "ü"}, api_key=api_key, timeout=timeout)
    finally:
        await http.close()


async def test_json_goes_out_with_the_key_and_json_comes_back() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"key": request.headers.get("Authorization"), "got": await request.json()})

    async with serving(handle) as url:
        assert await post(url) == JsonReply(200, {"key": "Bearer k", "got": {"query": "ü"}})
        assert await post(url, api_key="") == JsonReply(200, {"key": None, "got": {"query": "ü"}})


async def test_a_redirect_is_not_followed() -> None:
    async def handle(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/elsewhere")

    async with serving(handle) as url:
        assert (await post(url)).status == 307


async def test_an_answer_that_is_no_json_is_none() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>")

    async with serving(handle) as url:
        assert await post(url) == JsonReply(502, None)


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text="x" * 1000)

    monkeypatch.setattr("weft.retrieval.http._MAX_BYTES", 999)
    async with serving(handle) as url:
        with pytest.raises(RetrievalError, match="more than 999 bytes"):
            await post(url)


async def test_a_service_that_says_nothing_is_left_after_a_time() -> None:
    leave = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        await leave.wait()
        return web.Response()

    async with serving(handle) as url:
        with pytest.raises(RetrievalError, match=r"no answer within 0\.05 seconds"):
            await post(url, timeout=0.05)
        leave.set()


async def test_nobody_there_is_no_answer() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(handle) as url:
        pass
    with pytest.raises(RetrievalError, match="no answer: ClientConnectorError"):
        await post(url)
