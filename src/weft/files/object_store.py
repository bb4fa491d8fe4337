"""Files in a folder, in memory, or in the object store of a cloud: `obstore` behind our port.

Its blocking half is used, on threads of our own. The half for asyncio hands results over from threads of its
own, and a program that ends at such a moment is aborted by the runtime below it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from weft.files.error import FileMissingError, FileStoreError, FileTooLargeError
from weft.files.key import file_key
from weft.files.port import ByteSource

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

MIB = 1024 * 1024
_PART_BYTES = 5 * MIB
"""The least that S3 takes as a part of a larger object."""
_PARTS_AT_ONCE = 2
_LOCAL_PIECE_BYTES = MIB
_CLOUD_PIECE_BYTES = 4 * MIB
_THREADS = 16
_PROBE = ".weft"
"""Written at each start, to see that writing works."""


class ObjectFileStore:
    """A store of files; see `weft.files.FileStore`.

    Args:
        open_store: Makes the store below, when it is needed first.
        folder: Where it keeps its files, if that is a folder of this machine.
        piece_bytes: How much is read at a time.
    """

    def __init__(
        self, open_store: Callable[[], ObjectStore], *, folder: Path | None = None, piece_bytes: int
    ) -> None:
        self._open_store = open_store
        self._opened: ObjectStore | None = None
        self._folder = folder
        self._piece_bytes = piece_bytes
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="weft-files")

    @classmethod
    def of(cls, url: str) -> ObjectFileStore:
        """The store of an address; see `weft.files.open_file_store`.

        Raises:
            OSError: Its folder cannot be made.
            FileStoreError: The address cannot be understood.
        """
        scheme, _, rest = url.partition("://")
        if scheme == "file":
            folder = Path(rest).absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(partial(_local, folder), folder=folder, piece_bytes=_LOCAL_PIECE_BYTES)
        if scheme == "memory":
            return cls(_memory, piece_bytes=_LOCAL_PIECE_BYTES)
        store = cls(partial(_cloud, url), piece_bytes=_CLOUD_PIECE_BYTES)
        store._store()
        return store

    async def probe(self) -> None:
        """Make sure that files can be kept here.

        Raises:
            FileStoreError: They cannot.
        """
        if self._folder is None:
            await self._run(lambda store: _put(store, _PROBE, b"files of weft\n"))
        elif not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise FileStoreError(f"the folder {self._folder} cannot be written")

    async def put(self, file_id: str, source: bytes | ByteSource, *, max_bytes: int) -> int:
        """Keep a file."""
        key = file_key(file_id)

        def write(store: ObjectStore) -> int:
            pieces = _Pieces(file_id, source, max_bytes)
            first = next(pieces, b"")
            if len(first) < _PART_BYTES:
                _put(store, key, first)
            else:
                pieces.push_back(first)
                _put(store, key, pieces)
            if self._folder is not None:
                _sync(self._folder / key)
            return pieces.size

        return await self._run(write)

    async def open(self, file_id: str, *, start: int = 0, end: int) -> AsyncIterator[bytes]:
        """A part of a file in pieces."""
        key = file_key(file_id)
        while start < end:
            stop = min(start + self._piece_bytes, end)
            piece = await self._run(partial(_read, file_id=file_id, key=key, start=start, end=stop))
            if len(piece) < stop - start:
                raise FileStoreError(f"file {file_id} ends at byte {start + len(piece)}, before {end}")
            yield piece
            start = stop

    async def delete(self, file_ids: Sequence[str]) -> None:
        """Forget files."""
        keys = [file_key(file_id) for file_id in file_ids]
        if keys:
            await self._run(lambda store: _delete(store, keys))

    async def close(self) -> None:
        """Wait for what is going on, and give back the threads."""
        await asyncio.to_thread(self._threads.shutdown)
        self._opened = None

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.exceptions import BaseError

            try:
                self._opened = self._open_store()
            except (BaseError, ValueError) as error:
                raise FileStoreError(_reason(error)) from error
        return self._opened

    async def _run(self, work: Callable[[ObjectStore], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._guarded, work)

    def _guarded(self, work: Callable[[ObjectStore], T]) -> T:
        from obstore.exceptions import BaseError  # 30 ms that only those wait for who use files

        try:
            return work(self._store())
        except (BaseError, OSError) as error:
            raise FileStoreError(_reason(error)) from error


class _Pieces:
    """What is to be kept, in pieces of one part each, counted."""

    def __init__(self, file_id: str, source: bytes | ByteSource, max_bytes: int) -> None:
        self.size = 0
        self._file_id = file_id
        self._max_bytes = max_bytes
        self._parts = (
            _cut(source) if isinstance(source, bytes) else iter(partial(source.read, _PART_BYTES), b"")
        )
        self._again: bytes | None = None

    def push_back(self, piece: bytes) -> None:
        """Give this piece once more before the others."""
        self._again = piece

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        again, self._again = self._again, None
        if again is not None:
            return again
        piece = next(self._parts)
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise FileTooLargeError(self._file_id, self._max_bytes)
        return piece


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES))


def _put(store: ObjectStore, key: str, source: bytes | _Pieces) -> None:
    import obstore

    whole = isinstance(source, bytes)
    obstore.put(
        store,
        key,
        source,
        use_multipart=not whole,
        chunk_size=_PART_BYTES,
        max_concurrency=_PARTS_AT_ONCE,
    )


def _read(store: ObjectStore, *, file_id: str, key: str, start: int, end: int) -> bytes:
    import obstore

    try:
        return bytes(obstore.get_range(store, key, start=start, end=end))
    except FileNotFoundError as error:
        raise FileMissingError(file_id) from error


def _delete(store: ObjectStore, keys: Sequence[str]) -> None:
    import obstore

    try:
        obstore.delete(store, keys)
    except FileNotFoundError:  # some stores mind, and stop at the first that is missing
        for key in keys:
            try:
                obstore.delete(store, key)
            except FileNotFoundError:
                continue


def _sync(path: Path) -> None:
    """Have a file and its place in its folder on the disk."""
    for place in (path, path.parent, path.parent.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _local(folder: Path) -> ObjectStore:
    from obstore.store import LocalStore

    return LocalStore(prefix=folder, mkdir=True)


def _memory() -> ObjectStore:
    from obstore.store import MemoryStore

    return MemoryStore()


def _cloud(url: str) -> ObjectStore:
    from obstore.store import from_url

    return from_url(
        url,
        client_options={
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),  # of one piece
            "allow_http": _endpoint_without_tls(),
        },
        retry_config={
            "max_retries": 3,
            "retry_timeout": timedelta(seconds=30),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    )


def _endpoint_without_tls() -> bool:
    """Whether whoever runs this server has named an endpoint of plain HTTP, such as one beside it."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)


def _reason(error: Exception) -> str:
    """The first lines of what is often a whole page."""
    text = str(error).partition("\n\nDebug source")[0]
    return " ".join(text.split())[:500] or type(error).__name__
