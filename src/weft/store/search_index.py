"""Building the search index, wherever it is: in a file beside SQLite, in a table of Postgres."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from weft.ids import Ids, TimeOrderedIds
from weft.store import search_queue, search_table
from weft.store.opening import database_url, search_file
from weft.store.search_file import CROSSED_OUT, SearchFile, StaleIndexError
from weft.store.store import Store

log = logging.getLogger(__name__)


class SearchIndex(Protocol):
    """What searches ask; it learns in steps what has changed."""

    step_rows: int
    """Rows of the queue that make a good step: some hundredths of a second's work."""

    async def step(self, store: Store, limit: int) -> int:
        """Learn the next rows of the queue.

        Any number of processes may do so at once. A step that is broken off has done all or nothing.

        Args:
            store: The records.
            limit: Rows, at most.

        Returns:
            How many rows there were; 0 when everything is known, and little of what was deleted is left.

        Raises:
            StoreError: It cannot go on now.
        """
        ...

    async def tidy(self, least: float) -> bool:
        """Do a little of what takes the words of deleted texts out of the files; whether there was any.

        Args:
            least: Share of deleted texts, 0 to 1, below which nothing is begun.

        Raises:
            StoreError: It cannot go on now.
        """
        ...


def open_search_index(url: str, ids: Ids | None = None) -> SearchIndex:
    """The search index of the database at that address.

    Args:
        url: As `open_store` takes it.
        ids: Names for indexes that are begun anew.

    Raises:
        ConfigError: The address is of another kind.
    """
    address, ids = database_url(url), ids or TimeOrderedIds()
    if address.get_backend_name() == "sqlite":
        return _InFile(search_file(address), ids)
    return _InTable(ids)


class _InFile:
    # A thread does it, and beginning and ending a step costs as much as fifty texts.
    step_rows = 200

    def __init__(self, file: SearchFile, ids: Ids) -> None:
        self._file = file
        self._ids = ids

    async def step(self, store: Store, limit: int) -> int:
        """See `SearchIndex`."""
        try:
            batch = await asyncio.to_thread(self._file.index, limit)
        except StaleIndexError as error:
            log.debug("%s", error)
            generation = self._ids.new()
            # First in the database: until the file says the same, nobody asks it.
            await store.write(lambda connection: search_queue.begin(connection, generation))
            await asyncio.to_thread(self._file.restart, generation)
            return 1
        if batch.ids:
            await store.write(
                lambda connection: search_queue.settle(
                    connection, batch.ids, batch.rows, batch.skipped, batch.done
                )
            )
            return len(batch.ids)
        return int(await self.tidy(CROSSED_OUT))

    async def tidy(self, least: float) -> bool:
        """See `SearchIndex`."""
        return await asyncio.to_thread(self._file.tidy, least)


class _InTable:
    # The event loop itself takes the texts apart.
    step_rows = 50

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._begun = False

    async def step(self, store: Store, limit: int) -> int:
        """See `SearchIndex`."""
        if not self._begun:
            generation = self._ids.new()
            await store.write(lambda connection: search_table.begin(connection, generation))
            self._begun = True
        return await store.write(lambda connection: search_table.index(connection, limit))

    async def tidy(self, least: float) -> bool:
        """Postgres keeps nothing of a row that its own vacuum would not take away."""
        return False
