"""The bytes of attached files: each stored once, under its own SHA-256, as long as a conversation names it.

They lie in ``logs/files/[organization_id/]ab/cd/<sha256>``; which conversation needs which is told by the
rows of the manifests. A change goes like this; every arrow may be the last thing that the process does::

    files journal names what comes and what may go -> new bytes synced, renamed, folder synced
    -> the conversations' own change (see `vault`) -> bytes that nobody names removed -> files journal emptied

So a kill leaves at worst bytes that no conversation names, which the journal knows and `recover` removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from weft.archive.attachment import FileRef
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_system import FileSystem, write_durably
from weft.archive.json_text import BadJsonError, digest, seal, unseal
from weft.archive.manifest import Entry, Manifest
from weft.archive.name import decode_name, encode_name
from weft.archive.place import INNER, LOGS, TEMPORARY, Day, Kind

FOLDER = f"{LOGS}/files"
JOURNAL = "files-journal.json"
SCRATCH = f"{TEMPORARY}file-"
"""Begins the names of what is still on its way in; leftovers go when the archive is next opened."""
HELD_BYTES = 1024 * 1024
"""What of a file on its way in is held in memory before it is written."""
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class FileKey:
    """Where bytes lie: the organisation's name on disk, and their SHA-256."""

    organization: str
    sha256: str

    @property
    def path(self) -> str:
        """The file, relative to the archive's root, with slashes."""
        below = f"{self.organization}/" if self.organization else ""
        return f"{FOLDER}/{below}{self.sha256[:2]}/{self.sha256[2:4]}/{self.sha256}"


def parse_file_path(path: str) -> FileKey | None:
    """What bytes lie at this path, or none if it is no place for any."""
    parts = path.removeprefix(f"{FOLDER}/").split("/")
    if len(parts) not in (3, 4) or _SHA256.fullmatch(parts[-1]) is None:
        return None
    organization = parts[0] if len(parts) == 4 else ""
    if organization and decode_name(organization) is None:
        return None
    key = FileKey(organization, parts[-1])
    return key if key.path == path else None


def file_path(ref: FileRef, organization_id: str | None = None) -> str:
    """Where an attached file of this organisation lies, relative to the archive's root.

    Raises:
        InvalidRequestError: The organisation's id cannot name a folder.
    """
    organization = "" if organization_id is None else encode_name(organization_id, "organization_id")
    return FileKey(organization, ref.sha256).path


class Room(Protocol):
    """What the shelf needs of the vault."""

    root: Path
    inner: Path
    files: FileSystem

    def days(self, kind: Kind, organization: str | None = None) -> list[Day]:
        """Day folders."""
        ...

    def find_manifest(self, day: Day) -> Manifest | None:
        """The manifest of a day."""
        ...


class Incoming:
    """Bytes on their way in: written piece by piece, counted and summed; `ref` is true for all so far.

    A thread that still writes when it is discarded leaves nothing behind.
    """

    def __init__(self, files: FileSystem, path: Path) -> None:
        self.path = path
        self._files = files
        self._digest = hashlib.sha256()
        self._size = 0
        self._held = bytearray()
        self._is_begun = False
        self._is_over = False
        self._mutex = threading.RLock()

    @property
    def ref(self) -> FileRef:
        """What was written so far."""
        return FileRef(self._digest.hexdigest(), self._size)

    def write(self, piece: bytes) -> None:
        """Add bytes to the end.

        Raises:
            ArchiveError: The disk is full, or refuses.
        """
        with self._mutex:
            if self._is_over:
                return
            self._digest.update(piece)
            self._size += len(piece)
            self._held += piece
            if len(self._held) >= HELD_BYTES:
                self.flush()

    def flush(self) -> None:
        """Put into the file what is held in memory.

        Raises:
            ArchiveError: The disk is full, or refuses.
        """
        with self._mutex:
            if self._is_over:
                return
            try:
                if not self._is_begun:
                    self._files.create(self.path, bytes(self._held))
                elif self._held:
                    self._files.append(self.path, bytes(self._held))
            except OSError as error:
                raise from_os_error(error, "writing an attached file") from error
            self._is_begun = True
            self._held.clear()

    def discard(self) -> None:
        """Forget it; without effect when it was taken in."""
        with self._mutex:
            self._is_over = True
            self._held.clear()
            with contextlib.suppress(OSError):
                self._files.remove(self.path)


class _Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What may lie there without being named, as pairs of organisation and SHA-256."""

    format: int = 1
    files: list[tuple[str, str]]


class FileShelf:
    """The attached files of one archive; the vault calls it, under its mutex, while it changes something."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._marked: set[FileKey] = set()
        self._counts: dict[str, Counter[str]] = {}
        self._numbers = itertools.count()

    # Reading

    def has(self, organization: str, ref: FileRef) -> bool:
        """Whether bytes of that size lie there; what they are is for `read` and `verify` to say."""
        try:
            return self._room.files.size(self._path(FileKey(organization, ref.sha256))) == ref.size
        except (FileNotFoundError, NotADirectoryError):
            return False

    def read(self, organization: str, ref: FileRef) -> bytes:
        """The bytes, proven.

        Raises:
            DamagedFileError: They are absent, or not what was written.
        """
        key = FileKey(organization, ref.sha256)
        try:
            data = self._room.files.read(self._path(key))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DamagedFileError(key.path, "it is absent") from error
        except OSError as error:
            raise from_os_error(error, f"reading {key.path}") from error
        if digest(data) != ref.sha256:
            raise DamagedFileError(key.path, "its content is not what was written")
        return data

    def is_whole(self, organization: str, ref: FileRef) -> bool:
        """Whether the bytes are there and are what was written."""
        try:
            self.read(organization, ref)
        except DamagedFileError:
            return False
        return True

    # Changing

    def incoming(self) -> Incoming:
        """A place for bytes on their way in; at the end it is given to `Vault.apply` or discarded."""
        return Incoming(self._room.files, self._room.inner / f"{SCRATCH}{next(self._numbers)}")

    def take_in(self, new: Sequence[tuple[str, Incoming]], loosened: Iterable[FileKey]) -> None:
        """Put bytes in their places, also where they are already.

        Args:
            new: Names of organisations on disk, each with bytes.
            loosened: What the change that follows may leave without a conversation.

        Raises:
            OSError: The file system refuses.
        """
        places: dict[FileKey, Incoming] = {}
        for organization, one in new:
            key = FileKey(organization, one.ref.sha256)
            if key in places:
                one.discard()
            else:
                # In the place of the same bytes too: those may be damaged, and to prove them takes memory.
                places[key] = one
        self._mark({*places, *loosened})
        files = self._room.files
        for key, one in places.items():
            target = self._path(key)
            one.flush()
            files.make_folder(target.parent)
            files.sync_file(one.path)
            files.rename(one.path, target)
            files.sync_folder(target.parent)

    def note(self, organization: str, gone: Iterable[Entry], come: Iterable[Entry]) -> None:
        """Count anew after rows were replaced or removed."""
        counts = self._counts.get(organization)
        if counts is not None:
            counts.subtract(ref.sha256 for entry in gone for ref in entry.files)
            counts.update(ref.sha256 for entry in come for ref in entry.files)

    def forget(self) -> None:
        """Count anew from the manifests when it is next needed."""
        self._counts.clear()

    def settle(self, named: Iterable[FileKey] = ()) -> int:
        """Remove what is marked and no conversation names, and empty the journal.

        Args:
            named: What is known to be named, so that nothing has to be counted for it.

        Returns:
            Bytes that were given back.

        Raises:
            OSError: The file system refuses; the journal still names what is left.
        """
        if not self._marked:
            return 0
        freed = 0
        files = self._room.files
        for key in sorted(self._marked - set(named)):
            if self._is_named(key):
                continue
            path = self._path(key)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                freed += files.size(path)
                files.remove(path)
                files.sync_folder(path.parent)
            self._tidy(path.parent)
        write_durably(files, self._room.inner / JOURNAL, seal(_Journal(files=[])))
        self._marked.clear()
        return freed

    def recover(self) -> None:
        """Finish what a killed writer had begun; the manifests are in order by now.

        Raises:
            OSError: The file system refuses.
        """
        try:
            data = self._room.files.read(self._room.inner / JOURNAL)
            found = unseal(data, _Journal, f"{INNER}/{JOURNAL}").files
        except FileNotFoundError:
            return
        except BadJsonError:
            return  # no crash does this; `verify` names it, and what nobody names as well
        self.forget()
        self._marked = {FileKey(*pair) for pair in found}
        self.settle()

    def _mark(self, keys: set[FileKey]) -> None:
        if keys <= self._marked:
            return
        marked = sorted(self._marked | keys)
        journal = _Journal(files=[(key.organization, key.sha256) for key in marked])
        write_durably(self._room.files, self._room.inner / JOURNAL, seal(journal))
        self._marked.update(keys)

    def _is_named(self, key: FileKey) -> bool:
        counts = self._counts.get(key.organization)
        if counts is None:
            counts = self._counts[key.organization] = Counter(self._iter_named(key.organization))
        return counts[key.sha256] > 0

    def _iter_named(self, organization: str) -> Iterator[str]:
        for day in self._room.days("conversations", organization):
            manifest = self._room.find_manifest(day)
            for entry in manifest.files if manifest is not None else ():
                yield from (ref.sha256 for ref in entry.files)

    def _path(self, key: FileKey) -> Path:
        return self._room.root / key.path

    def _tidy(self, folder: Path) -> None:
        top = self._room.root / FOLDER
        while folder != top.parent:
            self._room.files.remove_folder(folder)
            folder = folder.parent
