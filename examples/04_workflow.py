"""Run a workflow: inputs in, outputs out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient
from weft.errors import InvalidRequestError
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings

APP = Path(__file__).parent / "apps" / "summary.yml"
SCRIPT: dict[str, object] = {
    "type": "scripted",
    "options": {"rules": [{"text": "lighthouse", "reply": "It shines."}]},
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
                run = await client.run_workflow({"text": "A lighthouse, at length."}, user="ada")
                print(run.data.outputs)
                assert run.data.status == "succeeded"
                assert run.data.outputs == {"summary": "It shines.", "sentences": 1}

                try:
                    await client.run_workflow({}, user="ada")
                except InvalidRequestError as error:
                    print(error)
                else:
                    raise AssertionError("a required input was missing")


asyncio.run(main())
