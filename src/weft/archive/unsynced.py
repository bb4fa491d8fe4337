"""What was written to the day folders and may not have reached the disk yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weft.archive.file_system import FileSystem

FEWEST_FOR_WHOLE = 16
"""Files from which on syncing the whole file system costs less than syncing each."""
FILES_PER_THREAD = 8
MAX_THREADS = 4
"""Threads that wait for the disk where each file has to be synced."""


class Unsynced:
    """Files and folders below one folder.

    Args:
        root: That folder; it and what is above it are taken to be on the disk.
    """

    def __init__(self, files: FileSystem, root: Path) -> None:
        self._files = files
        self._root = root
        self.contents: set[Path] = set()
        """Files whose content was written."""
        self.folders: set[Path] = set()
        """Folders whose names were changed."""

    def note_new_folder(self, path: Path) -> None:
        """Note a folder that was made, perhaps with those above it."""
        self.folders.add(path)
        while path != self._root:
            path = path.parent
            self.folders.add(path)

    def sync(self) -> None:
        """Return when all of it is on the disk; what has been removed since is passed over.

        Raises:
            OSError: The file system refuses; all of it is still noted.
        """
        if len(self.contents) < FEWEST_FOR_WHOLE or not self._files.sync_whole(self._root):
            self._sync_each()
        self.contents.clear()
        self.folders.clear()

    def _sync_each(self) -> None:
        contents, threads = sorted(self.contents), min(len(self.contents) // FILES_PER_THREAD, MAX_THREADS)
        if threads < 2:
            _all(self._files.sync_file, contents)
        else:
            # Syncs at the same time share what the disk has to do for them.
            with ThreadPoolExecutor(threads, "weft-sync") as pool:
                parts = [contents[first::threads] for first in range(threads)]
                for _ in pool.map(lambda part: _all(self._files.sync_file, part), parts):
                    pass
        _all(self._files.sync_folder, sorted(self.folders))


def _all(sync: Callable[[Path], None], paths: Sequence[Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # its folder, where the name was, is noted as well
            sync(path)
