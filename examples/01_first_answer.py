"""Serve a chatflow and ask it something.

Everything runs in this process: the server on a free port, the client that calls it, and a scripted model
that needs neither key nor network.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings

APP = Path(__file__).parent / "apps" / "hello.yml"
SCRIPT: dict[str, object] = {"type": "scripted", "options": {"rules": [{"reply": "Hello, I heard: {query}"}]}}


async def main() -> None:
    with TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), port=0, providers={"openai": SCRIPT})
        async with open_runtime(settings) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                answer = await client.chat_messages("good morning", user="ada")
                print(answer.answer)
                assert answer.answer == "Hello, I heard: good morning"


asyncio.run(main())
