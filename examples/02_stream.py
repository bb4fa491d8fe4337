"""Read an answer while it comes into being, and what is known once it is complete."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings
from weft.wire import MessageEvent, NodeFinishedEvent

APP = Path(__file__).parent / "apps" / "hello.yml"
SCRIPT: dict[str, object] = {
    "type": "scripted",
    "options": {"rules": [{"reply": "one two three", "delay_s": 0.05}]},
}


async def main() -> None:
    with TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), port=0, providers={"openai": SCRIPT})
        async with open_runtime(settings) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                pieces, nodes = [], []
                async with client.stream_chat_messages("count", user="ada") as stream:
                    async for event in stream:
                        if isinstance(event, MessageEvent):
                            print(event.answer, end="", flush=True)
                            pieces.append(event.answer)
                        elif isinstance(event, NodeFinishedEvent):
                            nodes.append(event.data.node_id)
                result = stream.result
                print(f"\n{result.status}, {result.usage.total_tokens if result.usage else 0} tokens")
                assert len(pieces) >= 3
                assert "".join(pieces) == result.answer == "one two three"
                assert nodes == ["start", "llm", "answer"]


asyncio.run(main())
