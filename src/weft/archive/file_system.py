"""The few things that the archive asks of a file system, so that tests can make each of them fail.

Each method is one step that is done or not done when the power goes; only `create` may leave half a
file behind, under a name that nothing reads.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from weft.archive.whole_sync import sync_whole

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class FileSystem(Protocol):
    """Steps on the disk. Every method raises OSError as the operating system does."""

    def read(self, path: Path) -> bytes:
        """All bytes of a file."""
        ...

    def create(self, path: Path, data: bytes) -> None:
        """Write a new file, replacing one of that name; not yet safe from a power cut."""
        ...

    def sync_file(self, path: Path) -> None:
        """Return when the file's content is on the disk."""
        ...

    def sync_whole(self, path: Path) -> bool:
        """Bring everything at once to the disk that a folder lies on; False when that cannot be had."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its name, replacing atomically what had it before."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Return when the folder's names are on the disk."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is absent already is no error."""
        ...

    def append(self, path: Path, data: bytes) -> None:
        """Add to the end of a file, made when absent, and return when it is on the disk."""
        ...

    def add_folder(self, path: Path) -> None:
        """Make a folder and those above it; not yet safe from a power cut."""
        ...

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, and return when their names are on the disk."""
        ...

    def remove_folder(self, path: Path) -> None:
        """Remove a folder if it is empty."""
        ...

    def list(self, path: Path) -> list[tuple[str, bool]]:
        """Names in a folder with whether each is a folder itself, sorted; links count as files."""
        ...

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        ...


class LocalFileSystem:
    """The machine's own file system."""

    def read(self, path: Path) -> bytes:
        """All bytes of a file; a link in its place is not followed."""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            parts = []
            while part := os.read(descriptor, max(size + 1, 4096)):
                parts.append(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            os.close(descriptor)

    def create(self, path: Path, data: bytes) -> None:
        """Write a file; a link in its place is not followed."""
        descriptor = os.open(path, _CREATE, 0o666)
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
        finally:
            os.close(descriptor)

    def sync_file(self, path: Path) -> None:
        """Flush a file."""
        _sync(path, os.O_RDWR)

    def sync_whole(self, path: Path) -> bool:
        """Sync the file system, where that is as good as syncing each file."""
        return sync_whole(path)

    def rename(self, old: Path, new: Path) -> None:
        """Rename atomically."""
        os.replace(old, new)

    def sync_folder(self, path: Path) -> None:
        """Flush a folder; Windows has no such call and needs none."""
        if sys.platform != "win32":
            _sync(path, os.O_RDONLY)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def append(self, path: Path, data: bytes) -> None:
        """Append and flush."""
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def add_folder(self, path: Path) -> None:
        """Make folders."""
        path.mkdir(parents=True, exist_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make folders, each flushed into the one above it."""
        if path.is_dir():
            # Whoever made it may have been killed before its name was flushed.
            with contextlib.suppress(PermissionError):
                self.sync_folder(path.parent)
            return
        self.make_folder(path.parent)
        path.mkdir(exist_ok=True)
        self.sync_folder(path.parent)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder that is empty."""
        with contextlib.suppress(OSError):
            path.rmdir()

    def list(self, path: Path) -> list[tuple[str, bool]]:
        """Names in a folder."""
        with os.scandir(path) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        return path.lstat().st_size


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(files: FileSystem, path: Path, data: bytes) -> None:
    """Replace a file atomically and return when it is on the disk."""
    temporary = path.with_name(f".tmp-{path.name}")
    files.create(temporary, data)
    files.sync_file(temporary)
    files.rename(temporary, path)
    files.sync_folder(path.parent)


def iter_files(files: FileSystem, folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order of its path; nothing where the folder is absent."""
    try:
        entries = files.list(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, is_folder in entries:
        if is_folder:
            yield from iter_files(files, folder / name)
        else:
            yield folder / name
