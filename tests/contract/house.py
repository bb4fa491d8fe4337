"""A whole server in the test's own process: settings, store, models, runner, port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.contract.caller import BOUND, Caller, Stream
from weft.clock import Clock
from weft.providers import ChatModel, Models
from weft.runs import LiveRun, Runtime, ServedApp, open_runtime
from weft.server import Serving, serving
from weft.settings import Settings
from weft.testing.node_harness import StillClock, single_model

VERSION = "1.2.3"


@dataclass(slots=True)
class House:
    """A server that accepts requests."""

    runtime: Runtime
    serving: Serving
    session: aiohttp.ClientSession
    folder: Path

    async def serve(self, app: Mapping[str, Any] | Path, name: str | None = None) -> Caller:
        """Serve an app, or the file of one; the same name again publishes a new version."""
        path = app if isinstance(app, Path) else self.folder / f"{name or app['app']['name']}.yml"
        if not isinstance(app, Path):
            # JSON is YAML.
            path.write_text(json.dumps(app, ensure_ascii=False), encoding="utf-8")
        return self.caller(await self.runtime.serve_file(path))

    async def let_go(self, stream: Stream) -> LiveRun:
        """Close a stream that has begun, and wait until the server has noticed; its run."""
        live = self.runtime.runner.live.find(stream.events[0]["task_id"])
        assert live is not None
        noticed, leave = asyncio.Event(), live.leave

        def note(listener: Any) -> None:
            leave(listener)
            noticed.set()

        vars(live)["leave"] = note
        stream.leave()
        async with asyncio.timeout(BOUND):
            await noticed.wait()
        return live

    def caller(self, served: ServedApp) -> Caller:
        """Somebody who calls that app."""
        return Caller(self.session, self.serving.service_api, served.key, served.app.id, served.workflow.id)


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    models: Models | ChatModel | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Open a server on a free port.

    Args:
        folder: For its data and for the files of its apps.
        models: Who answers for models; a single `ChatModel` answers for all of them.
        clock: The time; the machine's own unless given.
        settings: Further settings.
    """
    if models is not None and not isinstance(models, Models):
        models = single_model(models, clock=StillClock())
    chosen = Settings(data=folder / "data", port=0, **settings)
    async with (
        open_runtime(chosen, models=models, clock=clock) as runtime,
        serving(runtime, version=VERSION) as served,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        yield House(runtime, served, session, folder)
