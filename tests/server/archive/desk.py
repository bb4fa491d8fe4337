"""A server whose archive pulls from folders that stand for other servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.archive.records import NOW, record
from tests.contract.caller import BOUND, JSON, Reply
from tests.contract.house import VERSION
from weft.archive import FolderSource, Source, SourceSpec
from weft.clock import Clock, SystemClock
from weft.errors import UnauthorizedError
from weft.ids import SequentialIds
from weft.jobs import Job
from weft.runs import open_runtime
from weft.server import ArchiveDesk, make_desk, serving
from weft.settings import Settings
from weft.store import Store

PATH = "/api/conversation-logs"
KEY = "app-the-upstream-key"
URL = "https://dify.example/v1"


@dataclass(slots=True)
class Upstream:
    """Servers by address, each a folder of files; the key has to be right."""

    folder: Path
    asked: list[SourceSpec] = field(default_factory=list)

    def put(self, *numbers: int, app: str = "app-a", **fields: Any) -> None:
        """Conversations of an app, in a file each."""
        place = self.folder / app
        place.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            text = json.dumps(record(number, app_id=app, **fields))
            (place / f"{number}.json").write_text(text, encoding="utf-8")

    @asynccontextmanager
    async def open(self, spec: SourceSpec, *, clock: Clock, store: Store) -> AsyncIterator[Source]:
        self.asked.append(spec)
        if spec.kind == "folder" and spec.path is not None:
            yield FolderSource(spec.path)
            return
        if spec.api_key != KEY:
            raise UnauthorizedError("Access token is invalid")
        yield FolderSource(self.folder / spec.app_id)


@dataclass(slots=True)
class Desk:
    """The server, and whoever calls it with the operator's token."""

    url: str
    session: aiohttp.ClientSession
    token: str
    archive: ArchiveDesk
    upstream: Upstream

    @property
    def root(self) -> Path:
        return self.archive.folder

    async def call(
        self,
        method: str,
        path: str = "",
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        data: bytes | None = None,
        token: str | None = None,
    ) -> Reply:
        headers = {"authorization": f"Bearer {self.token if token is None else token}"}
        if body is not None:
            data, headers = json.dumps(body).encode(), {**headers, **JSON}
        async with (
            asyncio.timeout(BOUND),
            self.session.request(
                method,
                self.url + PATH + path,
                data=data,
                headers=headers,
                params={name: str(value) for name, value in (query or {}).items()},
            ) as response,
        ):
            return Reply(response.status, response.headers.copy(), await response.read())

    async def save(self, app: str = "app-a", **fields: Any) -> Reply:
        """Save an app with its right key."""
        return await self.call("POST", "", {"dify_api_url": URL, "app_id": app, "api_key": KEY, **fields})

    async def get(self, path: str = "", **query: str | int) -> Reply:
        return await self.call("GET", path, query=query)

    async def ended(self, job_id: str) -> Job:
        """A job when it has ended."""
        async with asyncio.timeout(BOUND):
            return await self.archive.jobs.wait(job_id)

    def files(self) -> list[str]:
        """Conversation files below the root."""
        return sorted(
            path.relative_to(self.root).as_posix() for path in self.root.rglob("conversation_*.json")
        )


class ServerClock(SystemClock):
    """The machine's own clock, from a day of October 2025 on."""

    def __init__(self) -> None:
        self._shift = NOW - super().now()

    def now(self) -> Any:
        return super().now() + self._shift


@asynccontextmanager
async def open_desk(folder: Path, *, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Desk]:
    """Open a server on a free port.

    Args:
        folder: For its data, and for what stands for other servers.
        clock: The time; the machine's own, set back to October 2025, unless given.
        settings: Further settings.
    """
    upstream = Upstream(folder / "upstream")
    chosen = Settings(data=folder / "data", port=0, **settings)
    clock = clock or ServerClock()
    async with open_runtime(chosen, clock=clock) as runtime:
        desk = make_desk(chosen, runtime.store, clock=clock, ids=SequentialIds(), open_source=upstream.open)
        async with (
            serving(runtime, version=VERSION, archive=desk) as served,
            aiohttp.ClientSession() as session,
        ):
            yield Desk(served.url, session, runtime.operator_token, desk, upstream)
