"""Background work until a signal comes."""

from __future__ import annotations

import asyncio
import sys

from weft.cli.living import living_as_worker
from weft.cli.memory import settle_memory
from weft.cli.screen import Screen
from weft.cli.stop_signal import stop_signals
from weft.clock import SystemClock
from weft.files import open_file_store
from weft.ids import TimeOrderedIds
from weft.server import make_desk
from weft.settings import Settings
from weft.store import open_store


async def work(settings: Settings) -> int:
    """Do jobs until a signal comes.

    Raises:
        ConfigError: A setting cannot be right.
        StoreError: The database cannot be opened.
    """
    screen = Screen(sys.stdout)
    clock, ids, stop = SystemClock(), TimeOrderedIds(), asyncio.Event()
    with stop_signals(stop.set), living_as_worker(settings, ids.new()):
        async with open_store(
            settings.database_url, clock=clock, search_index=settings.server.search_index
        ) as store:
            files = await open_file_store(settings.files_url)
            try:
                desk = make_desk(settings, store, clock=clock, ids=ids, files=files)
                async with desk.open(work=True):
                    screen.line(f"Working on {desk.folder}. Ctrl-C stops.", "green")
                    settle_memory()
                    await stop.wait()
            finally:
                await files.close()
    screen.line("Stopped.")
    return 0
