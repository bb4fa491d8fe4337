"""An archive that is read where its copy lies, in a bucket, so that it can be restored from there.

Every byte is proven against the manifests, as it is when an archive on a disk is read. A day whose manifest
is absent was never copied to its end; it and one whose manifest is damaged are named and left.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import NoReturn

from weft.archive.bucket import Bucket
from weft.archive.bucket_secrets import BOOK, restore_secrets, secret_path
from weft.archive.catalogue import DayRow, make_row
from weft.archive.errors import DamagedFileError
from weft.archive.importing import Imported, import_archive
from weft.archive.manifest import Entry, Manifest
from weft.archive.place import INNER, MANIFEST, Day
from weft.archive.query import Query
from weft.archive.saving import Failure, Saver
from weft.archive.secret_book import TOKEN, Owner, SecretBook
from weft.archive.vault import Vault
from weft.clock import Clock
from weft.errors import ArchiveError

_ROOT = Path("/")
_TOKEN = re.compile(TOKEN.pattern.encode())


class BucketFileSystem:
    """A bucket as a file system that can only be read."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self, path: Path) -> bytes:
        """All bytes of an object."""
        found = self._bucket.find(_name(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "it is not in the bucket", str(path))
        return found

    def size(self, path: Path) -> int:
        """Bytes of an object."""
        found = self._bucket.size(_name(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "it is not in the bucket", str(path))
        return found

    def list(self, path: Path) -> list[tuple[str, bool]]:
        """Names in what would be a folder."""
        below = f"{_name(path)}/"
        found: dict[str, bool] = {}
        for name in self._bucket.iter_paths(_name(path)):
            first, slash, _ = name.removeprefix(below).partition("/")
            found[first] = bool(slash)
        return sorted(found.items())

    def create(self, path: Path, data: bytes) -> None:
        """Refuse."""
        _refuse(path)

    def sync_file(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)

    def sync_whole(self, path: Path) -> bool:
        """Refuse."""
        _refuse(path)

    def rename(self, old: Path, new: Path) -> None:
        """Refuse."""
        _refuse(new)

    def sync_folder(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)

    def remove(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)

    def append(self, path: Path, data: bytes) -> None:
        """Refuse."""
        _refuse(path)

    def add_folder(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)

    def make_folder(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)

    def remove_folder(self, path: Path) -> None:
        """Refuse."""
        _refuse(path)


class BucketVault(Vault):
    """The files of an archive in a bucket; its days are those that are there, whatever its catalogue says.

    Raises:
        ArchiveError: There is no archive in the bucket, or a newer program made it.
    """

    def __init__(self, bucket: Bucket, *, clock: Clock) -> None:
        super().__init__(_ROOT, clock=clock, files=BucketFileSystem(bucket), read_only=True)
        self.broken: list[Failure] = []
        """Days that cannot be read, and why."""
        self.masked: set[Owner] = set()
        """Who of those that were read has masked texts and no secrets."""
        self.secret_paths = frozenset(bucket.iter_paths(BOOK))
        """The objects of its book of secrets."""
        self._known: dict[Day, Manifest] = {}
        self.open()
        if bucket.find(f"{INNER}/format.json") is None:
            raise ArchiveError("there is no archive in the bucket; look at its address and its prefix")
        for day, is_whole in bucket.list_days().items():
            path = f"{day.path}/{MANIFEST}"
            try:
                manifest = self.read_manifest(day) if is_whole else None
            except DamagedFileError as error:
                self.broken.append(Failure(path, str(error)))
                continue
            if manifest is None:
                self.broken.append(Failure(path, "it is absent: the day was never copied to its end"))
            else:
                self._known[day] = manifest

    def read(self, day: Day, entry: Entry) -> bytes:
        """The JSON of a file, unpacked and checked."""
        data = super().read(day, entry)
        owner = Owner(day.organization, day.kind, entry.id)
        if _TOKEN.search(data) is not None and secret_path(owner) not in self.secret_paths:
            self.masked.add(owner)
        return data

    def rows(self) -> dict[Day, DayRow]:
        """What each day holds."""
        return {day: make_row(manifest) for day, manifest in self._known.items()}

    def find_manifest(self, day: Day) -> Manifest | None:
        """The manifest of a day, or none where there is no such day."""
        return self._known.get(day)


def restore_from_bucket(
    saver: Saver, bucket: Bucket, query: Query, book: SecretBook | None = None
) -> Imported:
    """Take in what matches from the copy in a bucket, runs, attached files and masked texts included.

    Args:
        book: Of the archive that is restored to, when it was opened with its key.

    Raises:
        BucketError: The store refused; what was flushed stays, run it again.
        ArchiveError: There is no archive in the bucket, or this one cannot be written to.
    """
    vault = BucketVault(bucket, clock=saver.vault.clock)
    done = import_archive(saver, vault, query)
    done.failed += vault.broken
    done.failed += restore_secrets(vault, vault.secret_paths, saver.vault, book, query)
    done.masked = len(vault.masked)
    return done


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def _refuse(path: Path) -> NoReturn:
    raise PermissionError(errno.EROFS, "a bucket is only read", str(path))
