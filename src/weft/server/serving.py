"""An open port: uvicorn around the app, with a start that can be waited for and an end that drains."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from weft.errors import ConfigError
from weft.runs import Runtime
from weft.server.app import create_app
from weft.server.archive_api import ArchiveDesk, make_desk
from weft.server.guarded_protocol import ConnectionLimits, guarded_protocol
from weft.server.tracing import tracing

_LAST_SECONDS = 5
"""For streams to send what they have left, once all runs have ended."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that accepts requests."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The server's own address; addresses that mean all of the machine's are told as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def service_api(self) -> str:
        """Base address of the Chatflow App API."""
        return f"{self.url}/v1"

    @property
    def console_api(self) -> str:
        """Base address of the console API."""
        return f"{self.url}/console/api"


@asynccontextmanager
async def serving(
    runtime: Runtime, *, version: str, archive: ArchiveDesk | None = None
) -> AsyncIterator[Serving]:
    """Serve on the settings' host and port for as long as the context is open.

    Leaving stops accepting at once and gives running answers `server.drain_seconds` to finish.

    Args:
        runtime: What is served.
        version: This program's own.
        archive: The conversation archive; made of the runtime unless given.

    Raises:
        ConfigError: The port cannot be had, or OpenTelemetry is wanted and not installed.
    """
    settings = runtime.settings
    limits = ConnectionLimits(
        max_head_bytes=int(settings.server.max_head_bytes),
        max_head_seconds=settings.server.max_head_seconds,
        max_upload_seconds=settings.server.max_upload_seconds,
        max_stall_seconds=settings.server.max_stall_seconds,
    )
    if archive is None:
        archive = make_desk(
            settings,
            runtime.store,
            clock=runtime.clock,
            ids=runtime.ids,
            files=runtime.files.content,
        )
    listener = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        create_app(runtime, version=version, connections=limits, archive=archive),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        http=guarded_protocol(limits),
        proxy_headers=bool(settings.server.trusted_proxies),
        forwarded_allow_ips=settings.server.trusted_proxies.replace(",", " ").split(),
        ws="none",
        timeout_graceful_shutdown=_LAST_SECONDS,
        timeout_keep_alive=75,
    )
    server = _Server(config)
    async with (
        tracing(settings.tracing, runtime.runner.live, version=version),
        archive.open(work=settings.jobs.in_server),
    ):
        task = asyncio.create_task(server.serve([listener]))
        try:
            await server.accepting(task)
            host, port = listener.getsockname()[:2]
            served = Serving(host, port)
            if settings.server.public_url is None:
                runtime.files.links.base = served.url
            runtime.watch.lets_go_on = True
            runtime.watch.rouse()
            yield served
        finally:
            server.stop_listening()
            archive.end_watching()
            runtime.watch.lets_go_on = False
            runtime.runner.refuse_new()
            await runtime.runner.live.drain(settings.server.drain_seconds)
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the event loop, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the sockets."""
        await super().startup(sockets)
        self._up.set()

    def stop_listening(self) -> None:
        """Refuse new connections; those that are open stay."""
        for server in self.servers:
            server.close()

    async def accepting(self, task: asyncio.Task[None]) -> None:
        """Wait until requests are accepted, or the server has failed."""
        up = asyncio.create_task(self._up.wait())
        done, _ = await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
        if up not in done:
            up.cancel()
            task.result()


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            "choose another --port (0 takes a free one)"
        ) from error
    # Connections inherit it. asyncio sets it only for sockets made with the protocol's number, which these
    # are not, and without it every small answer waits for the client's delayed acknowledgement, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
