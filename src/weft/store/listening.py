"""Hearing of signals at once, where the database tells: Postgres notifies, SQLite does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import SQLAlchemyError

from weft.clock import Clock
from weft.store.opening import database_url
from weft.store.signals import CHANNEL

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0
"""How long to wait before a broken connection is opened anew; whoever listens also looks by itself."""


@asynccontextmanager
async def listening(url: str, notified: Callable[[], None], *, clock: Clock) -> AsyncIterator[None]:
    """Call `notified` whenever a signal may have been posted, for as long as the context is open.

    Args:
        url: Address of the database; nothing is heard of SQLite.
        notified: Called on the event loop; also after a time in which nothing could be heard.
        clock: For waiting until the database is there again.
    """
    address = database_url(url)
    if address.get_backend_name() == "sqlite":
        yield
        return
    from weft.store.postgres import engine  # slow to import, as `migration` says

    made = engine(address)
    task = asyncio.create_task(_listen(made, notified, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await made.dispose()


async def _listen(made: AsyncEngine, notified: Callable[[], None], clock: Clock) -> None:
    while True:
        try:
            await _listen_once(made, notified)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the database cannot tell of signals now: %s", type(error).__name__)
        await clock.sleep(_AGAIN_SECONDS)


async def _listen_once(made: AsyncEngine, notified: Callable[[], None]) -> None:
    lost = asyncio.Event()
    async with made.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast(Any, raw.driver_connection)  # asyncpg's, which has no types
        driver.add_termination_listener(lambda _: lost.set())
        await driver.add_listener(CHANNEL, lambda *_: notified())
        notified()
        try:
            await lost.wait()
        finally:
            await connection.invalidate()  # it has a listener, so nobody else may get it
