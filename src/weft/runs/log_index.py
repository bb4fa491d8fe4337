"""Keeping logs quick to page and to search, after the fact.

What runs leave behind is added up and indexed here, in small steps and with pauses as long as they, so that
runs do not notice. Pages are exact all the time; they are quick once this has caught up. Any number of
processes may do it together.
"""

from __future__ import annotations

import asyncio
import logging

from weft.clock import Clock
from weft.errors import StoreError
from weft.store import SearchIndex, Store, run_counts, search_queue

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often to look for what is new."""
STEP_SECONDS = 0.05
"""A step that takes so long had much to do, however few texts there were."""
GATHER_SECONDS = 0.5
"""How long to wait after a small step: a few texts cost nearly as much as many, so let more come."""
_THROWN_AWAY = 1_000


class LogIndexer:
    """Follows the runs.

    Args:
        store: The records.
        index: What searches ask; ``None`` to have none.
        clock: When to look.
    """

    def __init__(self, store: Store, index: SearchIndex | None, clock: Clock) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._begun = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Follow no more; whoever opens next goes on from here."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def catch_up(self) -> None:
        """Add up and index all that there is.

        Raises:
            StoreError: It cannot go on now.
        """
        if await self._store.read_quick(run_counts.is_behind):
            while await self._store.write(run_counts.fold):
                pass
        if self._begun and await self._store.read_quick(search_queue.is_empty):
            return
        while await self._step():
            pass
        self._begun = True

    async def _step(self) -> int:
        began = self._clock.monotonic()
        index, full = self._index, _THROWN_AWAY
        if index is None:
            done = await self._store.write(lambda connection: search_queue.throw_away(connection, full))
        else:
            full = index.step_rows
            done = await index.step(self._store, full)
        if done:
            took = self._clock.monotonic() - began
            is_small = done < full and took < STEP_SECONDS
            await self._clock.sleep(GATHER_SECONDS if is_small else took)
        return done

    async def _keep(self) -> None:
        while True:
            try:
                await self.catch_up()
            except StoreError as error:  # whatever it is, it must be tried again
                log.warning("logs could not be indexed: %s", error)
            except Exception:  # the border around a background task
                log.exception("logs could not be indexed")
            await self._clock.sleep(LOOK_SECONDS)
