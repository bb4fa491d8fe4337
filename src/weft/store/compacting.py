"""Giving room back to the disk, and overwriting what was deleted.

Deleting rows leaves a SQLite file as large as it was. Every connection that writes has
`PRAGMA secure_delete` on, so that their words are overwritten at once; without it a tenth of them stayed in
the gaps of pages that are still in use. With it there is a text in a thousand of which the file holds a
second copy that no row knows of, made when pages were full (measured). Only writing the whole file anew takes
that away too, and nobody else can write meanwhile. So it is done where nobody else is, and where it takes
some tenths of a second.

Otherwise the free pages are given back some at a time, between the transactions of others. A file that was
made by an early version cannot do that before it was written anew once.
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
_SMALL = 16 * 1024 * 1024
"""Bytes of rows that are written anew in some tenths of a second, for which those who write may wait."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a database's files."""

    before: int = 0
    """Bytes, the search index and both logs included."""
    after: int = 0
    is_whole: bool = False
    """Whether the whole file was written anew, so that nothing of what was deleted is left in it."""
    is_stiff: bool = False
    """Whether the file cannot become smaller until it is written anew by somebody who is alone with it."""


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
    is_whole = False
    if alone:
        await asyncio.to_thread(_write_anew, path, _READER_SECONDS * _TRIES)
        is_whole = True
    elif await store.read(_is_small):
        is_whole = await asyncio.to_thread(_try_to_write_anew, path)
    while not is_whole and await pace.over(store.write(_give_back)):
        pass
    tell("log")
    for _ in range(_TRIES):
        if await asyncio.to_thread(_empty_log, path):
            break
        await clock.sleep(_READER_SECONDS)
    after = await asyncio.to_thread(_size, path, index_path)
    return Compacted(before, after, is_whole, not is_whole and await store.read(_is_stiff))


async def free_share(store: Store) -> float:
    """Share of the pages of a database's file that nothing is in, 0 to 1; 0 on Postgres.

    Raises:
        StoreError: It cannot be read.
    """
    return await store.read(_free_share)


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
    before = _pragma(connection, "freelist_count")
    # One page each: the driver takes no more than the first step of this statement.
    for _ in range(min(before, _PAGES)):
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    # A file that was made without the means to do this stays as it is.
    return 0 < _pragma(connection, "freelist_count") < before


def _free_share(connection: Connection) -> float:
    if connection.dialect.name != "sqlite":
        return 0.0
    return _pragma(connection, "freelist_count") / max(_pragma(connection, "page_count"), 1)


def _is_small(connection: Connection) -> bool:
    used = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return used * _pragma(connection, "page_size") <= _SMALL


def _is_stiff(connection: Connection) -> bool:
    return _pragma(connection, "auto_vacuum") == 0


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _write_anew(path: Path, seconds: float) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=seconds, isolation_level=None)) as file:
            file.execute("PRAGMA auto_vacuum = INCREMENTAL")
            file.execute("VACUUM")
    except sqlite3.Error as error:
        raise StoreError(f"database {path} could not be written anew: {error}") from error


def _try_to_write_anew(path: Path) -> bool:
    try:
        _write_anew(path, _READER_SECONDS)
    except StoreError:
        return False  # somebody writes for long, or the disk is full; some room can be given back anyway
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
