"""SQLite: one thread that writes, a few that read, and a connection for quick looks.

A commit costs a sync of the disk, hundreds of times the work of the statements in it. So the writer
takes everything that has queued up meanwhile into one transaction, and tells all callers at once
when it is on disk. Readers work beside it on their own connections (write-ahead log).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from weft.errors import StoreError
from weft.store.handover import Handover
from weft.store.statement import wrapped
from weft.store.store import refusal

T = TypeVar("T")

_Write: TypeAlias = tuple[Callable[[Connection], object], "asyncio.Future[object]"]
_Outcome: TypeAlias = tuple["asyncio.Future[object]", object, BaseException | None]

ATTACHED = "search"
"""Schema of the search index, and key of `Connection.info` that says that it is there."""

MAX_GROUP = 1_000
"""Writes in one transaction; keeps the log, and the wait of the first in the group, within bounds."""

GATHER_TURNS = 8
"""Turns of the event loop for which a write may wait for others."""


class SqliteStore:
    """A `Store` in one file; several processes may have it open.

    Args:
        path: The database file, with its tables already there.
        readers: Threads that read.
        busy_timeout: Seconds to wait for another process that writes.
        index: The file of the search index, which is there already.
    """

    def __init__(self, path: Path, *, readers: int, busy_timeout: float, index: Path | None = None) -> None:
        self._where = f"database {path}"
        self._loop = asyncio.get_running_loop()
        self._handover = Handover(self._loop.call_later)
        self._closed = False
        self._queue: SimpleQueue[list[_Write] | None] = SimpleQueue()
        self._gathered: list[_Write] = []
        """What has come up in the last turns of the event loop."""
        self._writes = engine(path, busy_timeout, begin=None)
        # The event loop must not hang where a thread may wait.
        self._quick = engine(path, min(busy_timeout, 1.0), begin=None, read_only=True).connect()
        snapshots = engine(path, busy_timeout, begin="BEGIN", read_only=True, index=index)
        self._idle = deque(snapshots.connect() for _ in range(readers))
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="weft-store-read")
        self._writer = threading.Thread(target=self._write_until_closed, name="weft-store-write", daemon=True)
        self._writer.start()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a reading thread."""
        self._check_open()
        with self._handover:
            return await self._loop.run_in_executor(self._threads, self._read, fn)

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` right here, on the event loop."""
        self._check_open()
        try:
            return fn(self._quick)
        except SQLAlchemyError as error:
            raise refusal(error, self._where) from error

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Queue `fn` for the writer's next transaction and wait until that is on disk."""
        self._check_open()
        done: asyncio.Future[object] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._gather, 0, GATHER_TURNS)
        self._gathered.append((fn, done))
        with self._handover:
            return cast(T, await done)

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._threads.shutdown()
        for connection in (*self._idle, self._quick):
            connection.close()
        # The writer goes last: whoever closes last moves the log into the database file.
        self._writer.join()

    def _gather(self, before: int, turns: int) -> None:
        """Hand over once a turn of the event loop has brought nothing more, or there were many.

        A transaction costs far more than the writes in it, and waking the writer more than one of them.
        """
        number = len(self._gathered)
        if before < number < MAX_GROUP and turns:
            self._loop.call_soon(self._gather, number, turns - 1)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._where} is closed; open it again")

    def _read(self, fn: Callable[[Connection], T]) -> T:
        connection = self._idle.pop()
        try:
            with connection.begin():
                return fn(connection)
        except SQLAlchemyError as error:
            raise refusal(error, self._where) from error
        finally:
            self._idle.append(connection)

    def _write_until_closed(self) -> None:
        with self._writes.connect() as connection:
            while group := self._next_group():
                outcomes = write_group(connection, group, self._where)
                # The loop is gone only when the program is ending; nobody waits any more then.
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(_tell, outcomes)

    def _next_group(self) -> list[_Write]:
        """Everything queued, waiting for the first; empty when the store is closed."""
        group = self._queue.get()
        if group is None:
            return []
        while len(group) < MAX_GROUP:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            group += more
        return group


def write_group(connection: Connection, group: list[_Write], where: str) -> list[_Outcome]:
    """Run all writes of a group and commit; what one raises never harms another.

    Together first. If that fails, again with a savepoint around each, which costs more and still one
    sync. If even that transaction is lost (a full disk, say), each by itself.
    """
    for attempt in (_together, _apart):
        try:
            _driver(connection).execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:  # another process writes; waiting once more would not help
            return [(done, None, _ours(wrapped("BEGIN", error), where)) for _, done in group]
        try:
            outcomes = attempt(connection, group, where)
            _commit(connection)
            return outcomes
        except Exception as error:  # a write may raise anything, and it belongs to its caller
            _roll_back(connection)
            if len(group) == 1:
                return [(group[0][1], None, _ours(error, where))]
    return [outcome for write in group for outcome in write_group(connection, [write], where)]


def _commit(connection: Connection) -> None:
    """End the transaction well: our own, or the one that SQLAlchemy believes to have begun meanwhile.

    SQLAlchemy's own begin and commit cost more than a small write itself.
    """
    if connection.in_transaction():
        connection.commit()
        return
    try:
        _driver(connection).execute("COMMIT")
    except sqlite3.Error as error:
        raise wrapped("COMMIT", error) from error


def _roll_back(connection: Connection) -> None:
    if connection.in_transaction():
        connection.rollback()
    driver = _driver(connection)
    if driver.in_transaction:
        driver.execute("ROLLBACK")


def _driver(connection: Connection) -> _Driver:
    return cast(_Driver, connection.connection.driver_connection)


def _together(connection: Connection, group: list[_Write], where: str) -> list[_Outcome]:
    return [(done, _kept(connection, fn, where), None) for fn, done in group]


def _apart(connection: Connection, group: list[_Write], where: str) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    for fn, done in group:
        savepoint = connection.begin_nested()
        try:
            outcomes.append((done, _kept(connection, fn, where), None))
        except Exception as error:  # as above
            savepoint.rollback()
            outcomes.append((done, None, _ours(error, where)))
        else:
            savepoint.commit()
    return outcomes


def _kept(connection: Connection, fn: Callable[[Connection], object], where: str) -> object:
    """What `fn` returns, unless it lost the transaction: SQLite ends it by itself when the disk is full."""
    result = fn(connection)
    if not _driver(connection).in_transaction:
        raise StoreError(f"{where}: a write ended the transaction it was part of; nothing of it is kept")
    return result


def _ours(error: Exception, where: str) -> Exception:
    if not isinstance(error, SQLAlchemyError):
        return error
    ours = refusal(error, where)
    ours.__cause__ = error
    return ours


def _tell(outcomes: list[_Outcome]) -> None:
    for done, result, error in outcomes:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)


class _Driver(Protocol):
    """What we use of `sqlite3.Connection`."""

    isolation_level: str | None
    in_transaction: bool

    def execute(self, statement: str, parameters: tuple[str, ...] = (), /) -> object: ...

    def create_function(
        self, name: str, narg: int, func: Callable[..., str | None], *, deterministic: bool = False
    ) -> None: ...


class _Record(Protocol):
    """What we use of SQLAlchemy's `ConnectionPoolEntry`."""

    info: dict[str, object]


def engine(
    path: Path,
    busy_timeout: float,
    *,
    begin: str | None,
    read_only: bool = False,
    index: Path | None = None,
) -> Engine:
    """An engine whose connections begin a transaction with exactly that statement, or never.

    Args:
        path: The database file; it is made when absent.
        busy_timeout: Seconds to wait for another process that writes.
        begin: ``BEGIN IMMEDIATE`` to write, ``BEGIN`` for a snapshot, `None` for single statements.
        read_only: Refuse to write.
        index: The file of the search index, to be read as the schema `ATTACHED`.
    """
    made = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": busy_timeout, "cached_statements": 256},
    )

    @event.listens_for(made, "connect")
    def prepare(driver: _Driver, record: _Record) -> None:
        driver.isolation_level = None  # the driver's own way of beginning would be a deferred BEGIN
        driver.execute("PRAGMA synchronous = FULL")
        driver.execute("PRAGMA foreign_keys = ON")
        driver.execute("PRAGMA cache_size = -16000")
        # SQLite's own knows ASCII only; Postgres lowers every alphabet.
        driver.create_function("lower", 1, _lower, deterministic=True)
        if index is not None:
            driver.execute(f"ATTACH ? AS {ATTACHED}", (str(index),))
            record.info[ATTACHED] = True
        if read_only:
            driver.execute("PRAGMA query_only = ON")
        else:
            # Some builds of SQLite do so by themselves; others would leave a tenth of what is deleted in the
            # gaps of pages that are still in use, and all of it in those that are not.
            driver.execute("PRAGMA secure_delete = ON")

    if begin is not None:

        @event.listens_for(made, "begin")
        def begin_as_told(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return made


def checkpoint(connection: sqlite3.Connection, seconds: float) -> bool:
    """Move the write-ahead log into the database and empty it; false when somebody reads for too long.

    Args:
        connection: Outside of a transaction.
        seconds: How long to wait for readers; writers wait as long.
    """
    # Most of the work is done without keeping anybody waiting.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def prepare_file(path: Path) -> None:
    """Make the file and its folder when absent, readable for nobody else: it holds conversations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
