"""What a process looks after besides its own runs: forms whose time is over, paused runs that can go on, and
what other processes ask of it.

It looks every now and then; on Postgres it is told when another process has something to say. Whatever it
does it may do together with others: the rows decide who does it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from weft.clock import Clock
from weft.errors import StoreError, VariableError, WeftError
from weft.runs.runner import Runner
from weft.store import Signal, Store, forms, signals
from weft.variables import thaw_all

log = logging.getLogger(__name__)

SIGNAL_SECONDS = 120.0
"""How long a signal is looked for: longer than anybody needs to see it, and clocks differ a little."""
SWEEP_SECONDS = 60.0
"""How often to look for paused runs whose answer came, and whose process died before it could go on."""


class Watch:
    """Looks after paused runs and signals.

    Args:
        runner: Lets runs go on, and does what other processes ask.
        store: Where everything is.
        clock: The time.
        process_id: This process; its own signals are not for itself.
        every: Seconds between two looks.
    """

    def __init__(self, runner: Runner, store: Store, clock: Clock, *, process_id: str, every: float) -> None:
        self._runner = runner
        self._store = store
        self._clock = clock
        self._process_id = process_id
        self._every = every
        self.lets_go_on = False
        """Whether forms are closed and runs go on here: not in a program that is about to end."""
        self._seen: dict[str, datetime] = {}
        """Signals that were obeyed, and when they were given."""
        self._news = asyncio.Event()
        self._swept: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin; what others said before this process lived is not for it."""
        for signal in await self._signals():
            self._seen[signal.id] = signal.created_at
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def rouse(self) -> None:
        """Look soon: there may be something."""
        self._news.set()

    async def look(self) -> None:
        """Look once.

        Raises:
            StoreError: It could not be looked.
        """
        await self._obey()
        if not self.lets_go_on:
            return
        await self._expire()
        now = self._clock.monotonic()
        if self._swept is None or now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            await self._sweep()

    async def _keep(self) -> None:
        while True:
            try:
                await self.look()
            except StoreError as error:  # whatever it is, it must be looked again
                log.warning("paused runs could not be looked after: %s", error)
            except Exception:  # the border around a background task
                log.exception("paused runs could not be looked after")
            sleep = asyncio.create_task(self._clock.sleep(self._every))
            news = asyncio.create_task(self._news.wait())
            try:
                await asyncio.wait({sleep, news}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
                news.cancel()
            self._news.clear()

    async def _signals(self) -> tuple[Signal, ...]:
        since = self._clock.now() - timedelta(seconds=SIGNAL_SECONDS)
        return await self._store.read_quick(lambda connection: signals.list_since(connection, since))

    async def _obey(self) -> None:
        found = await self._signals()
        present = {signal.id for signal in found}
        new = [signal for signal in found if signal.id not in self._seen]
        self._seen = {id: at for id, at in self._seen.items() if id in present}
        for signal in new:
            self._seen[signal.id] = signal.created_at
            payload = dict(signal.payload or {})
            if payload.pop("from", None) == self._process_id:
                continue
            try:
                await self._runner.obey(signal.kind, signal.target_id, thaw_all(payload))
            except (VariableError, ValueError) as error:
                log.warning("another process asks what cannot be done: %s", error)

    async def _expire(self) -> None:
        now = self._clock.now()
        if not await self._store.read_quick(lambda connection: forms.any_due(connection, now)):
            return
        for run_id, app_id in await self._store.write(lambda connection: forms.expire(connection, now)):
            self._runner.resume_soon(app_id, run_id)

    async def _sweep(self) -> None:
        before = self._clock.now() - timedelta(seconds=2 * SIGNAL_SECONDS)
        await self._store.write(lambda connection: signals.remove_old(connection, before))
        for run_id, app_id in await self._store.read(forms.list_resumable):
            try:
                await self._runner.resume(app_id, run_id)
            except WeftError as error:
                log.warning("run %s could not go on: %s", run_id, error)
