"""Opening the store of files that a setting names."""

from __future__ import annotations

from weft.errors import ConfigError
from weft.files.error import FileStoreError
from weft.files.object_store import ObjectFileStore
from weft.files.port import FileStore


async def open_file_store(url: str) -> FileStore:
    """A store that has been seen to work, to be closed after use.

    Args:
        url: ``file://`` and a folder, ``memory://``, or ``s3://``, ``gs://`` or ``az://`` with a bucket and
            perhaps a prefix. Whatever else a cloud needs (keys, region, another endpoint) is read from the
            environment variables that its own tools read.

    Raises:
        ConfigError: The folder cannot be written, or the bucket cannot be reached, is missing or refuses us.
    """
    shown = url.partition("?")[0]
    try:
        store = ObjectFileStore.of(url)
    except (OSError, ValueError, FileStoreError) as error:
        raise ConfigError(f"the setting files_url ({shown}) cannot be used: {error}") from error
    try:
        await store.probe()
    except FileStoreError as error:
        await store.close()
        raise ConfigError(
            f"the setting files_url ({shown}) names a store of files that does not work: {error}"
        ) from error
    return store
