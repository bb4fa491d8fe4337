"""What is left of an app after it was deleted, removed little by little.

The app itself is gone at once. That its records have to follow stands in the audit log, so that a process
which ends in the middle of it leaves a note for the next.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from weft.clock import Clock
from weft.errors import StoreError
from weft.files import FileStore
from weft.ids import Ids
from weft.runs.file_deletion import delete_app_files
from weft.runs.live import STOP_SECONDS, LiveRuns
from weft.store import AuditEntry, Store, app_removal, audit_log

log = logging.getLogger(__name__)

DELETED: Final = "app.delete"
"""Action of the entry that an app was deleted."""
_PURGED = "app.purge"
_PORTION = 100
"""Conversations or runs that are removed in one write; others write in between."""


async def remove_deleted(
    store: Store, content: FileStore, live: LiveRuns, clock: Clock, ids: Ids, workspace_id: str
) -> int:
    """Remove the records and files of all apps of a workspace that were deleted; how many apps that were.

    Answers that are still being given are stopped first. What cannot be done now is left for the next time.
    """
    done = 0
    try:
        waiting = await store.read(
            lambda connection: audit_log.list_open(connection, workspace_id, DELETED, _PURGED)
        )
        for app_id in waiting:
            await _stop(live, app_id)
            await delete_app_files(store, content, app_id)
            await _remove(store, app_id)
            entry = AuditEntry(ids.new(), workspace_id, _PURGED, clock.now(), app_id=app_id)
            await store.write(partial(audit_log.append, entry=entry))
            done += 1
    except StoreError:
        log.exception("records of deleted apps could not be removed yet")
    return done


async def _remove(store: Store, app_id: str) -> None:
    while await store.write(
        lambda connection: app_removal.remove_records(connection, app_id, limit=_PORTION)
    ):
        pass


async def _stop(live: LiveRuns, app_id: str) -> None:
    running = [run for run in live if run.run.app_id == app_id]
    for run in running:
        run.stop("The app was deleted.")
    if running:
        ends = [asyncio.ensure_future(run.ended()) for run in running]
        _, late = await asyncio.wait(ends, timeout=STOP_SECONDS)
        for end in late:
            end.cancel()
