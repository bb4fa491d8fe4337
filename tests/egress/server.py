"""Servers on this machine that write down what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

from aiohttp import web

from weft.egress import Egress, EgressConfig, EgressRequest, open_egress

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OPEN = EgressConfig(allow_private_addresses=True)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(slots=True)
class LocalServer:
    """A running server."""

    url: str
    """Without a slash at its end."""
    requests: list[Recorded] = field(default_factory=list)
    connections: int = 0

    @property
    def last(self) -> Recorded:
        """The newest request."""
        return self.requests[-1]


async def ok(request: web.Request) -> web.StreamResponse:
    """The plainest response."""
    return web.Response(text="ok")


@asynccontextmanager
async def serve(
    handler: Handler = ok, *, host: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None
) -> AsyncIterator[LocalServer]:
    """Serve HTTP; every path goes to the handler."""

    async def record(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        server.requests.append(Recorded(request.method, request.raw_path, headers, body))
        return await handler(request)

    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", record)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    name = f"[{host}]" if ":" in host else host
    server = LocalServer(f"{'https' if tls else 'http'}://{name}:{port}")
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_raw(handler: RawHandler, *, host: str = "127.0.0.1") -> AsyncIterator[LocalServer]:
    """Serve bytes; the handler is called for every connection, which is closed after it."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        tasks.add(asyncio.create_task(talk(reader, writer)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(connected, host, 0)
    server = LocalServer(f"http://{host}:{listening.sockets[0].getsockname()[1]}")
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def sends(*pieces: bytes) -> RawHandler:
    """Reads the head of a request and answers these bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        await reader.read()

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a request's head, and then nothing happens."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.Event().wait()


@asynccontextmanager
async def opened(
    config: EgressConfig = OPEN, resolve: Callable[[str, int], Awaitable[list[str]]] | None = None
) -> AsyncIterator[Egress]:
    """A way out that is closed afterwards."""
    egress = open_egress(config, resolve=resolve)
    try:
        yield egress
    finally:
        await egress.close()


async def fetch(
    egress: Egress, url: str, *, headers: dict[str, str] | None = None, max_bytes: int = 1_000_000
) -> tuple[int, bytes]:
    """Status and body of what a GET request brings."""
    request = EgressRequest(method="GET", url=url, headers=tuple((headers or {}).items()))
    async with egress.request(request) as response:
        return response.status, await response.read(max_bytes)
