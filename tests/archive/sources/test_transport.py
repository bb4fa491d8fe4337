"""The client over aiohttp: the same answers, the same errors."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from weft.archive import AiohttpTransport
from weft.client import AsyncClient, AsyncConsoleClient, Network, Timeouts
from weft.errors import ServerError, TransportError, UnauthorizedError

pytestmark = pytest.mark.anyio
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
INFO = {"name": "App ☃", "mode": "advanced-chat", "description": "", "tags": []}


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runners.append(web.AppRunner(app, access_log=None))
        await runners[-1].setup()
        site = web.TCPSite(runners[-1], "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


Serve = Callable[[Handler], Awaitable[str]]


def client(url: str, network: Network | None = None, timeouts: Timeouts | None = None) -> AsyncClient:
    transport = AiohttpTransport(network)
    return AsyncClient(url, "app-0123456789abcdef", transport=transport, timeouts=timeouts)


async def test_packed_answers_are_unpacked_and_headers_are_those_of_the_client(serve: Serve) -> None:
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path_qs, request.headers["Authorization"]))
        body = gzip.compress(json.dumps(INFO).encode())
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=body, headers=headers)

    async with client(await serve(handler)) as opened:
        assert (await opened.info()).name == "App ☃"
    assert seen == [("/v1/info", "Bearer app-0123456789abcdef")]


async def test_a_query_reaches_the_server_as_it_was_written(serve: Serve) -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.query.get("user"))
        return web.json_response({"limit": 20, "has_more": False, "data": []})

    async with client(await serve(handler)) as opened:
        await opened.conversations(user="a+b c&d=é/%41?")
    assert seen == ["a+b c&d=é/%41?"]


async def test_refusals_are_the_errors_of_the_client(serve: Serve) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"code": "unauthorized", "message": "no", "status": 401}, status=401)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Bad gateway</html>", status=502, content_type="text/html")

    async with client(await serve(refuse)) as opened:
        with pytest.raises(UnauthorizedError):
            await opened.info()
    async with client(await serve(page)) as opened:
        with pytest.raises(ServerError):
            await opened.info()


async def test_failed_connections_are_transport_errors(serve: Serve) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"name"')
        assert request.transport is not None
        request.transport.close()
        return response

    async with client(await serve(cut)) as opened:
        with pytest.raises(TransportError):
            await opened.info()
    async with client("http://127.0.0.1:1") as opened:
        with pytest.raises(TransportError, match="ConnectError"):
            await opened.info()


async def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_client_says(serve: Serve) -> None:
    silent = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await silent.wait()
        return web.Response()

    async with client(await serve(wait), timeouts=Timeouts(read=0.05)) as opened:
        with pytest.raises(TransportError, match="ReadTimeout"):
            await opened.info()
    silent.set()


async def test_a_proxy_of_the_environment_is_used_unless_that_is_not_wanted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return web.json_response(INFO)

    monkeypatch.setenv("http_proxy", await serve(proxy))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with client("http://dify.example") as opened:
        assert (await opened.info()).name == "App ☃"
    assert seen == ["http://dify.example/v1/info"]
    async with client("http://127.0.0.1:1") as opened:
        with pytest.raises(TransportError):
            await opened.info()
    async with client("http://dify.invalid", Network(trust_environment=False)) as opened:
        with pytest.raises(TransportError):
            await opened.info()


async def test_cookies_of_a_console_are_kept_by_the_client(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path.endswith("/login"):
            response = web.json_response({"result": "success"})
            response.set_cookie("access_token", "t", path="/")
            response.set_cookie("csrf_token", "c", path="/")
            return response
        if request.cookies.get("access_token") != "t" or request.headers.get("X-CSRF-Token") != "c":
            return web.json_response({"code": "unauthorized", "message": "no", "status": 401}, status=401)
        return web.json_response({"id": "a", "name": "A", "email": "a@b.c"})

    url = await serve(handler)
    async with AsyncConsoleClient(url, "a@b.c", "p", transport=AiohttpTransport(Network())) as console:
        assert (await console.profile()).name == "A"
