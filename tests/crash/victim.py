"""A server in a process of its own, made to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.contract.caller import Caller

START_SECONDS = 60.0
"""A start that takes longer has failed."""


@dataclass(slots=True)
class Victim:
    """Starts ``weft serve`` for one app, as often as it is killed."""

    app: Path
    data: Path
    models_url: str
    bytecode: Path
    """Where compiled modules are kept, so that not every start compiles them."""
    database_url: str | None = None
    _process: asyncio.subprocess.Process | None = None
    _session: aiohttp.ClientSession | None = None
    _heard: list[bytes] = field(default_factory=list)

    async def start(self) -> Caller:
        """Start the server and wait until it accepts requests."""
        ready = self.data.with_suffix(".ready")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "weft", "serve", str(self.app)),
            *("--data", str(self.data), "--port", "0", "--models", self.models_url),
            *("--ready-file", str(ready)),
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._process = process
        await self._until_ready(process)
        content = json.loads(ready.read_text(encoding="utf-8"))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        (app,) = content["apps"]
        return Caller(self._session, content["service_api"], app["key"], app["id"], "")

    async def kill(self) -> None:
        """End the process without a word of warning."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def close(self) -> None:
        """Kill it and let go of the connections to it."""
        await self.kill()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._heard.clear()
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                self._heard.append(line)
                if line.startswith(b"Ready"):
                    return
        raise AssertionError(f"the server did not start: {b''.join(self._heard).decode()}")

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        ours = {"PYTHONPYCACHEPREFIX": str(self.bytecode)}
        if self.database_url is not None:
            ours["WEFT_DATABASE_URL"] = self.database_url
        return {**inherited, **ours}
