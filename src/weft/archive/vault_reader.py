"""Reading the files of an archive, in the process that writes to it or in any number of others.

This module knows files, rows and bytes. What a conversation is, it leaves to `manifest`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from weft.archive.catalogue import DayRow, load_catalogue, load_journal, make_row
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_system import FileSystem, LocalFileSystem, iter_files
from weft.archive.json_text import BadJsonError, digest
from weft.archive.manifest import Entry, Manifest, load_manifest
from weft.archive.packing import FOLDER as DICTIONARIES
from weft.archive.packing import Packer
from weft.archive.place import INNER, KINDS, LOGS, MANIFEST, Day, Kind, parse_day
from weft.archive.recovery import describe_file
from weft.clock import Clock

CACHED_MANIFESTS = 64


class VaultReader:
    """The files of one archive, as they are read; `weft.archive.vault.Vault` changes them as well.

    Args:
        root: The folder that holds, or is to hold, ``logs``.
        read_only: Somebody else may be writing, so nothing that was read stays true.
    """

    def __init__(
        self, root: Path, *, clock: Clock, files: FileSystem | None = None, read_only: bool = False
    ) -> None:
        self.root = root
        self.files: FileSystem = files or LocalFileSystem()
        self.clock = clock
        self.read_only = read_only
        self.inner = root / INNER
        self.packer = Packer(self.inner / DICTIONARIES, self.files)
        self.mutex = threading.RLock()
        """Several threads may use one vault; one at a time changes it or its memory."""
        self._rows: dict[Day, DayRow] = {}
        self._dirty: set[Day] = set()
        self._manifests: dict[Day, Manifest] = {}
        self._entries: dict[Day, tuple[Manifest, dict[str, Entry]]] = {}
        self._ids: dict[tuple[Kind, str], dict[str, Day]] = {}
        self._indexed: dict[Day, str] = {}
        """Checksums of the manifests whose ids are known."""

    def rows(self) -> dict[Day, DayRow]:
        """What each day holds, as it is now, without opening a conversation."""
        if not self.read_only:
            with self.mutex:
                return dict(self._rows)
        # The journal first: a day that is taken out of it afterwards is in the catalogue that is read then.
        try:
            dirty = self.journal()
            rows = load_catalogue(self._read_inner("catalogue.json"))
        except (FileNotFoundError, BadJsonError):
            rows, dirty = {}, set(self._walk())
        for day in dirty:
            manifest = self.find_manifest(day)
            if manifest is None or not manifest.files:
                rows.pop(day, None)
            else:
                rows[day] = make_row(manifest)
        return rows

    def dirty(self) -> set[Day]:
        """Days whose folder another writer may be changing at this moment."""
        return self.journal() if self.read_only else set()

    def journal(self) -> set[Day]:
        """Days that were changed since the catalogue was written."""
        if not self.read_only:
            return set(self._dirty)
        try:
            return load_journal(self._read_inner("journal.json"))
        except (FileNotFoundError, BadJsonError):
            return set()

    def days(self, kind: Kind, organization: str | None = None) -> list[Day]:
        """Day folders in order of organisation and date.

        Args:
            organization: Name on disk; none gives all, empty those without an organisation.
        """
        return sorted(
            day
            for day in self.rows()
            if day.kind == kind and (organization is None or day.organization == organization)
        )

    def find_manifest(self, day: Day) -> Manifest | None:
        """The manifest of a day, or none where there is no such folder.

        Raises:
            DamagedFileError: It cannot be trusted.
        """
        known = self._manifests.get(day)
        if known is not None:
            return known
        manifest = self.read_manifest(day)
        if manifest is not None and not self.read_only:
            self._remember(day, manifest)
        return manifest

    def read_manifest(self, day: Day) -> Manifest | None:
        """The manifest of a day as it lies on the disk, or none where there is no such folder.

        Raises:
            DamagedFileError: It cannot be trusted.
        """
        try:
            data = self.files.read(self.root / day.path / MANIFEST)
            return load_manifest(data, day)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except BadJsonError as error:
            raise DamagedFileError(f"{day.path}/{MANIFEST}", str(error)) from error
        except OSError as error:
            raise from_os_error(error, f"reading {day.path}/{MANIFEST}") from error

    def find_entry(self, day: Day, id: str) -> Entry | None:
        """The row of this id in a day folder, or none.

        Raises:
            DamagedFileError: The manifest cannot be trusted.
        """
        manifest = self.find_manifest(day)
        if manifest is None:
            return None
        return self._by_id(day, manifest).get(id)

    def _by_id(self, day: Day, manifest: Manifest) -> Mapping[str, Entry]:
        """The rows of a day by id, made once for each manifest."""
        known = self._entries.get(day)
        if known is None or known[0] is not manifest:
            known = (manifest, manifest.by_id())
            with self.mutex:
                if len(self._entries) >= CACHED_MANIFESTS:
                    self._entries.clear()
                self._entries[day] = known
        return known[1]

    def read_stored(self, day: Day, entry: Entry) -> bytes:
        """The bytes of a file as they lie on the disk, checked against its row.

        Raises:
            DamagedFileError: They are not what was written, or not there.
        """
        path = f"{day.path}/{entry.file}"
        try:
            data = self.files.read(self.root / path)
        except FileNotFoundError as error:
            raise DamagedFileError(path, "it is absent") from error
        except OSError as error:
            raise from_os_error(error, f"reading {path}") from error
        if digest(data) != entry.stored_sha256:
            raise DamagedFileError(path, "its content is not what was written")
        return data

    def read(self, day: Day, entry: Entry) -> bytes:
        """The JSON of a file, unpacked and checked.

        A file that somebody replaced since its row was read is read in its present version.

        Raises:
            DamagedFileError: It is not what was written, or not there.
        """
        try:
            return self._read_checked(day, entry)
        except DamagedFileError:
            manifest = self.find_manifest(day)
            present = None if manifest is None else manifest.by_id().get(entry.id)
            if present is not None and present != entry:
                return self._read_checked(day, present)
            newer = self._read_newer_run(day, entry)
            if newer is None:
                raise
            return newer

    def _read_newer_run(self, day: Day, entry: Entry) -> bytes | None:
        """A run's file that was replaced under its own name a moment ago, before its row was."""
        if day.kind != "runs" or day not in self.journal():
            return None
        found = describe_file(self, day, entry.file)
        if found is None or found[0].id != entry.id or found[0].logged_at[:-1] <= entry.logged_at[:-1]:
            return None
        return found[1]

    def _read_checked(self, day: Day, entry: Entry) -> bytes:
        data = self.read_stored(day, entry)
        if entry.packed_sha256 is None:
            return data
        path = f"{day.path}/{entry.file}"
        plain = self.packer.unpack(data, path)
        if digest(plain) != entry.sha256:
            raise DamagedFileError(path, "what it unpacks to is not what was written")
        return plain

    def locate(self, kind: Kind, organization: str, id: str) -> Day | None:
        """The day that holds this id, or none."""
        with self.mutex:
            if self.read_only or (kind, organization) not in self._ids:
                self._learn(kind, organization)
            day = self._ids[kind, organization].get(id)
        if day is None or not self.read_only:
            return day
        manifest = self.find_manifest(day)
        return day if manifest is not None and id in manifest.by_id() else None

    def _learn(self, kind: Kind, organization: str) -> None:
        """Read the manifests that have changed since they were last read for their ids."""
        found = self._ids.setdefault((kind, organization), {})
        for day, row in self.rows().items():
            if (day.kind, day.organization) != (kind, organization):
                continue
            if self._indexed.get(day) != row.manifest_sha256:
                manifest = self.find_manifest(day)
                if manifest is not None:
                    found.update((entry.id, day) for entry in manifest.files)
                self._indexed[day] = row.manifest_sha256

    def _walk(self) -> Iterator[Day]:
        for kind in KINDS:
            folders = {path.parent for path in iter_files(self.files, self.root / LOGS / kind)}
            for folder in sorted(folders):
                day = parse_day(folder.relative_to(self.root).as_posix())
                if day is not None:
                    yield day

    def _remember(self, day: Day, manifest: Manifest) -> None:
        with self.mutex:
            self._manifests.pop(day, None)
            self._manifests[day] = manifest
            if len(self._manifests) > CACHED_MANIFESTS:
                del self._manifests[next(iter(self._manifests))]

    def _read_inner(self, name: str) -> bytes:
        return self.files.read(self.inner / name)
