"""Weft itself with one of the measured apps, everything recorded durably, as `weft serve` would run it.

Prints its address when it accepts requests. The data goes to a temporary folder unless a database is named.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import tempfile
from pathlib import Path

import uvloop

from benchmarks._apps import APPS
from weft.cli.memory import settle_memory
from weft.runs import WORKSPACE_ID, hash_key, open_runtime
from weft.server import serving
from weft.settings import Settings
from weft.store import ApiToken, Connection, keys
from weft.version import __version__

KEY = "app-benchmark000000000000000"


async def serve(name: str, models: str | None, database: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        data = Path(folder)
        file = data / "app.yml"
        file.write_text(APPS[name])
        settings = Settings.model_validate(
            {"data": data, "port": 0, "models_url": models} | ({"database_url": database} if database else {})
        )
        async with open_runtime(settings) as runtime:
            served = await runtime.serve_file(file)
            token = ApiToken(
                id=runtime.ids.new(),
                kind="app",
                token_hash=hash_key(KEY),
                hint=KEY[-4:],
                created_at=runtime.clock.now(),
                app_id=served.app.id,
                workspace_id=WORKSPACE_ID,
            )

            def create(connection: Connection) -> None:
                if keys.find_by_hash(connection, token.token_hash) is None:
                    keys.create(connection, token)

            await runtime.store.write(create)
            async with serving(runtime, version=__version__) as server:
                print(server.url, flush=True)
                stop = asyncio.Event()
                loop = asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, stop.set)
                settle_memory()
                await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("app", choices=sorted(APPS))
    parser.add_argument("--models")
    parser.add_argument("--database")
    given = parser.parse_args()
    uvloop.run(serve(given.app, given.models, given.database))


if __name__ == "__main__":
    main()
