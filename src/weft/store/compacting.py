"""Giving room back to the disk, and overwriting what was deleted.

Deleting rows leaves a SQLite file as large as it was, and their words in it. While a server runs, its free
pages are given back some at a time, between the transactions of others. What that leaves is the little that
lies in the gaps of pages which are still in use (a word in a thousand, measured); only writing the whole file
anew takes that away too, which nobody else can be written beside. So it is done where nobody else is.

`PRAGMA secure_delete` is not used: with it, the same words stayed in the same gaps, and every free page that
it overwrites is given back here anyway.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from weft.clock import Clock
from weft.errors import StoreError
from weft.store import search_queue
from weft.store.opening import database_url, search_file
from weft.store.search_index import open_search_index
from weft.store.sqlite import checkpoint
from weft.store.store import Store

T = TypeVar("T")

_ROWS = 50
"""Texts that the search index learns in one step."""
_PAGES = 256
"""Pages in one transaction; 1 MiB, some hundredths of a second."""
_THROWN_AWAY = 1_000
_READER_SECONDS = 0.2
"""How long others who write may be kept waiting for those who read."""
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a database's files."""

    before: int = 0
    """Bytes, the search index and both logs included."""
    after: int = 0
    is_whole: bool = False
    """Whether the whole file was written anew, so that nothing of what was deleted is left in it."""


async def compact(
    store: Store,
    url: str,
    clock: Clock,
    *,
    search_index: bool = True,
    alone: bool = False,
    tell: Callable[[str], None] = lambda stage: None,
) -> Compacted:
    """Make the files of a database as small as what is in them.

    May be broken off at any moment and done again. On Postgres nothing is done: its own vacuum does it.

    Args:
        store: The open store, through which others write as well.
        url: Its address.
        clock: For pauses that are as long as the work between them.
        search_index: Whether there is one; otherwise what it should learn is thrown away.
        alone: Nobody else uses the database, so that it can be written anew.
        tell: Called with ``index``, ``free`` and ``log`` when that part of the work begins.

    Raises:
        StoreError: It cannot go on now; what was done stays.
    """
    address = database_url(url)
    if address.get_backend_name() != "sqlite":
        return Compacted()
    path = Path(address.database or "")
    index_path = search_file(address).path
    before = await asyncio.to_thread(_size, path, index_path)
    pace = _Pace(clock, alone)
    tell("index")
    await _settle_index(store, url, pace, search_index=search_index)
    tell("free")
    is_whole = alone and await asyncio.to_thread(_write_anew, path)
    while not alone and await pace.over(store.write(_give_back)):
        pass
    tell("log")
    for _ in range(_TRIES):
        if await asyncio.to_thread(_empty_log, path):
            break
        await clock.sleep(_READER_SECONDS)
    return Compacted(before, await asyncio.to_thread(_size, path, index_path), is_whole)


class _Pace:
    """Works half of the time where others want the machine too."""

    def __init__(self, clock: Clock, alone: bool) -> None:
        self._clock = clock
        self._alone = alone

    async def over(self, work: Awaitable[T]) -> T:
        """Do a piece of work, then pause as long as it took."""
        began = self._clock.monotonic()
        done = await work
        if not self._alone:
            await self._clock.sleep(self._clock.monotonic() - began)
        return done


async def _settle_index(store: Store, url: str, pace: _Pace, *, search_index: bool) -> None:
    """Nothing of a deleted text is in the queue of the index any more, nor in the index."""
    if not search_index:
        while await pace.over(store.write(_throw_away)):
            pass
        return
    index = open_search_index(url)
    while await pace.over(index.step(store, _ROWS)):
        pass
    while await pace.over(index.tidy(0.0)):
        pass


def _throw_away(connection: Connection) -> int:
    return search_queue.throw_away(connection, _THROWN_AWAY)


def _give_back(connection: Connection) -> bool:
    """Cut free pages off the file's end; whether there are any left."""

    def free() -> int:
        return int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())

    before = free()
    # One page each: the driver takes no more than the first step of this statement.
    for _ in range(min(before, _PAGES)):
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    # A file that was made without the means to do this stays as it is.
    return 0 < free() < before


def _write_anew(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=_READER_SECONDS * _TRIES, isolation_level=None)) as file:
            file.execute("PRAGMA auto_vacuum = INCREMENTAL")
            file.execute("VACUUM")
    except sqlite3.Error as error:
        raise StoreError(f"database {path} could not be written anew: {error}") from error
    return True


def _empty_log(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=_READER_SECONDS, isolation_level=None)) as file:
            return checkpoint(file, _READER_SECONDS)
    except sqlite3.OperationalError:
        return False  # somebody writes for long


def _size(*paths: Path) -> int:
    found = (path.with_name(path.name + suffix) for path in paths for suffix in ("", "-wal"))
    return sum(file.stat().st_size for file in found if file.exists())
