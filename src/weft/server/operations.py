"""What whoever runs the server asks it: does it live, should it get requests, what are its numbers."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError, StoreError, UnauthorizedError, WeftError
from weft.files import FileMissingError
from weft.runs import Runtime
from weft.server.instrument import CONTENT_TYPE
from weft.server.measures import Measures
from weft.server.reply import json_reply
from weft.store import is_current

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
"""How long database and files may take to answer."""
_KEPT_SECONDS: Final = 1.0
"""How long an answer holds, so that asking often costs nothing."""
_NO_FILE: Final = str(UUID(int=0))


class Operations:
    """The routes for whoever runs the server.

    Args:
        runtime: What the process runs.
        version: This program's own.
        measures: Its numbers, if they are told.
    """

    def __init__(self, runtime: Runtime, version: str, measures: Measures | None) -> None:
        self._runtime = runtime
        self._version = version
        self._measures = measures
        self._looked_at = 0.0
        self._found: dict[str, str] | None = None
        self._looking = asyncio.Lock()

    def routes(self) -> list[Route]:
        """All of them; `/metrics` only where numbers are told."""
        routes = [Route("/health", self.health), Route("/ready", self.ready)]
        if self._measures is not None:
            routes.append(Route("/metrics", self.metrics))
        return routes

    async def health(self, request: Request) -> Response:
        """The process lives."""
        running = len(self._runtime.runner.live)
        return json_reply({"status": "ok", "version": self._version, "running": running})

    async def ready(self, request: Request) -> Response:
        """Whether requests can be answered, and if not why; what is wrong in detail stands in the log."""
        async with self._looking:
            now = self._runtime.clock.monotonic()
            if self._found is None or now - self._looked_at >= _KEPT_SECONDS:
                self._found = await self._look()
                self._looked_at = self._runtime.clock.monotonic()
        checks = {**self._found, "accepting": "ok"}
        if self._runtime.runner.refuses_new:
            checks["accepting"] = "the server is stopping"
        well = set(checks.values()) == {"ok"}
        reply = json_reply({"status": "ready" if well else "unready", "checks": checks}, 200 if well else 503)
        if not well:
            reply.headers["Retry-After"] = str(round(_KEPT_SECONDS))
        return reply

    async def metrics(self, request: Request) -> Response:
        """The numbers, for who has the token."""
        if self._measures is None:
            raise NotFoundError("Metrics are switched off.")
        token = self._runtime.settings.server.metrics_token
        wanted = self._runtime.operator_token if token is None else token.get_secret_value()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        good = hmac.compare_digest(given.strip().encode(), wanted.encode())
        if scheme.lower() != "bearer" or not good:
            raise UnauthorizedError("The metrics need their token: Authorization: Bearer ...")
        return Response(self._measures.text(), media_type=CONTENT_TYPE)

    async def _look(self) -> dict[str, str]:
        database, files = await asyncio.gather(
            _asked("database", self._ask_database, "the database cannot be read"),
            _asked("files", self._ask_files, "the store of files cannot be reached"),
        )
        return {"database": database, "files": files}

    async def _ask_database(self) -> str:
        current = await self._runtime.store.read(is_current)
        return "ok" if current else "the database is of another version than this program"

    async def _ask_files(self) -> str:
        try:
            async for _ in self._runtime.files.content.open(_NO_FILE, end=1):
                pass
        except FileMissingError:
            pass  # it has answered
        return "ok"


async def _asked(name: str, ask: Callable[[], Awaitable[str]], trouble: str) -> str:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await ask()
    except TimeoutError:
        log.warning("not ready: %s did not answer within %g s", name, _LOOK_SECONDS)
    except (StoreError, WeftError) as error:
        log.warning("not ready: %s: %s", name, error)
    return trouble
