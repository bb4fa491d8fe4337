"""Deleting files: bytes first, then rows, so that what was interrupted can be done again from its start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from weft.files import FileStore
from weft.store import Connection, Store, files

_AT_ONCE = 500


async def delete_app_files(store: Store, content: FileStore, app_id: str) -> int:
    """Delete all files of an app; how many there were.

    Raises:
        StoreError: Some could not be deleted; the same call again goes on.
    """
    return await _delete(
        store, content, lambda connection: files.list_of_app(connection, app_id, limit=_AT_ONCE)
    )


async def delete_unused_files(
    store: Store, content: FileStore, before: datetime, *, app_id: str | None = None
) -> int:
    """Delete files that were made before an instant and belong to no conversation; how many there were.

    These are uploads that nobody used, and the files of apps without conversations.

    Args:
        store: The records.
        content: The bytes.
        before: Younger files stay.
        app_id: Whose files; ``None`` for all.

    Raises:
        StoreError: Some could not be deleted; the same call again goes on.
    """
    return await _delete(
        store,
        content,
        lambda connection: files.list_unused(connection, before, app_id=app_id, limit=_AT_ONCE),
    )


async def sweep_files(store: Store, content: FileStore, before: datetime) -> int:
    """Delete what runs have made that failed or died, and that no message shows; how many files that were.

    Args:
        store: The records.
        content: The bytes.
        before: Younger files stay, as their run may still go on; choose an hour or more ago.

    Raises:
        StoreError: Some could not be deleted; the same call again goes on.
    """
    return await _delete(
        store, content, lambda connection: files.list_stray(connection, before, limit=_AT_ONCE)
    )


async def _delete(store: Store, content: FileStore, find: Callable[[Connection], tuple[str, ...]]) -> int:
    count = 0
    while found := await store.read(find):
        await content.delete(found)
        count += await store.write(partial(files.delete_many, file_ids=found))
    return count
