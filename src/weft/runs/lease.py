"""Who owns which run, and what becomes of the runs of those who died.

Every process says every few seconds that it lives. On one machine a dead process is known at once, because
the lock on its file in the data folder is gone; elsewhere it is dead when it has been silent for too long.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from datetime import timedelta
from pathlib import Path

from weft.clock import Clock
from weft.errors import StoreError
from weft.store import Connection, Store, processes, runs

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0
"""A process that was not heard of for so long is dead."""


class Lease:
    """This process's claim on the runs that it starts.

    Args:
        process_id: Id of this process.
        store: Where it says that it lives.
        clock: When.
        folder: Where the processes of this machine keep their locks; ``None`` when other machines share
            the store.
    """

    def __init__(self, process_id: str, *, store: Store, clock: Clock, folder: Path | None) -> None:
        self.process_id = process_id
        self._store = store
        self._clock = clock
        self._folder = folder
        self._lock: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Claim, and close the runs of the dead."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / self.process_id, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        await self._beat()
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Give up the claim; all runs have ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            await self._store.write(lambda connection: processes.remove(connection, self.process_id))
        except StoreError as error:
            log.warning("this process could not be signed off: %s", error)
        if self._lock is not None and self._folder is not None:
            (self._folder / self.process_id).unlink(missing_ok=True)
            os.close(self._lock)

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(BEAT_SECONDS)
            try:
                await self._beat()
            except (StoreError, OSError) as error:  # whatever it is, the next beat must come
                log.warning("this process could not say that it lives: %s", error)

    async def _beat(self) -> None:
        now = self._clock.now()
        silent = now - timedelta(seconds=SILENT_SECONDS)
        dead = self._dead()

        def write(connection: Connection) -> tuple[str, ...]:
            processes.beat(connection, self.process_id, now)
            for process_id in dead:
                processes.remove(connection, process_id)
            alive = {process.id for process in processes.list_alive(connection, silent)}
            processes.remove_silent(connection, silent)
            return runs.close_orphans(connection, alive, now)

        closed = await self._store.write(write)
        if closed:
            log.warning("closed %d runs whose process had died", len(closed))

    def _dead(self) -> list[str]:
        """The processes of this machine that left their file without their lock."""
        dead: list[str] = []
        for path in sorted(self._folder.iterdir()) if self._folder is not None else ():
            if path.name == self.process_id:
                continue
            try:
                handle = os.open(path, os.O_RDWR)
            except OSError:
                continue  # gone meanwhile, or none of ours
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # its owner lives
            else:
                path.unlink(missing_ok=True)
                dead.append(path.name)
            finally:
                os.close(handle)
        return dead
