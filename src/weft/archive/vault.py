"""Changing the files of an archive so that neither a kill nor a loss of power at any step loses anything.

A change goes like this; every arrow may be the last thing that the process does, or the machine::

    journal names the days -> redo record synced: from now on the change is made
    -> for each day: new files under temporary names -> renamed -> manifest replaced -> old files removed
    -> (now and then) all of that synced at once, catalogue written, journal emptied, redo records removed

Whoever reads meanwhile sees each day before or after its manifest was replaced. When the archive is next
opened after a crash, the redo records are done again on top of the manifests that they began with, and what
lies about in the days of the journal is put in order by `recover`: whole new files are adopted, temporary
and superseded ones removed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from weft.archive.catalogue import (
    dump_catalogue,
    dump_journal,
    load_catalogue,
    load_journal,
    make_row,
)
from weft.archive.errors import (
    ArchiveReadOnlyError,
    ArchiveVersionError,
    DamagedFileError,
    from_os_error,
)
from weft.archive.file_shelf import FileKey, FileShelf, Incoming
from weft.archive.file_system import FileSystem, write_durably
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, JsonObject, seal, unseal
from weft.archive.lock import WriterLock
from weft.archive.manifest import (
    FORMAT,
    Entry,
    Manifest,
    dump_manifest,
    load_manifest,
    make_manifest,
    numbered,
    revise_manifest,
)
from weft.archive.place import INNER, KINDS, LOGS, MANIFEST, TEMPORARY, Day, parse_day
from weft.archive.recovery import is_whole, reconcile
from weft.archive.redo import DayRecord, Redo
from weft.archive.secret_book import Owner, SecretShelf
from weft.archive.unsynced import Unsynced
from weft.archive.vault_reader import VaultReader
from weft.clock import Clock
from weft.errors import ArchiveError

CHANGES_UNTIL_CHECKPOINT = 256
"""Changed days after which there is a checkpoint even if nobody asks."""
BYTES_UNTIL_CHECKPOINT = 32 * 1024 * 1024
"""Redo records after which there is one."""


@dataclass(slots=True)
class DayChange:
    """What is to be done to one day folder."""

    writes: list[tuple[Entry, bytes]] = field(default_factory=list)
    """Rows with the bytes of their files as they are to lie on the disk."""
    rows: list[Entry] = field(default_factory=list)
    """Rows that take the place of those of the same file, which stays as it is."""
    removals: list[str] = field(default_factory=list)
    """Ids whose files are to be deleted."""


class Vault(VaultReader):
    """The files of one archive.

    Args:
        root: The folder that holds, or is to hold, ``logs``.
        read_only: Take no lock and change nothing.
    """

    def __init__(
        self, root: Path, *, clock: Clock, files: FileSystem | None = None, read_only: bool = False
    ) -> None:
        super().__init__(root, clock=clock, files=files, read_only=read_only)
        self.shelf = FileShelf(self)
        """The bytes of attached files."""
        self.secrets = SecretShelf(self)
        """What was masked and can be revealed."""
        self._lock = WriterLock(self.inner / "lock")
        self._redo = Redo(self.files, self.inner)
        self._unsynced = Unsynced(self.files, root)
        self._based: set[Day] = set()
        """Days with a redo record, so that their manifest need not be synced."""
        self._suspect: set[Day] = set()
        """Days in which a change has failed half-way."""
        self._behind = 0

    # Opening and closing

    def open(self) -> None:
        """Take the lock, make what is missing, and put in order what a killed writer left.

        Raises:
            ArchiveLockedError: Somebody else writes to it.
            ArchiveVersionError: A newer program made it.
            ArchiveReadOnlyError: The file system does not let us write.
        """
        if self.read_only:
            self._check_format()
            self._finish_for_another()
            return
        try:
            self.files.make_folder(self.inner)
        except OSError as error:
            raise from_os_error(error, f"opening {self.root / LOGS}") from error
        self._lock.acquire(render_instant(self.clock.now()))
        try:
            self._begin()
        except OSError as error:
            self._lock.release()
            raise from_os_error(error, f"opening {self.root / LOGS}") from error
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Write the catalogue and let the lock go."""
        if self.read_only:
            return
        try:
            self.checkpoint()
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """Let the lock go and write nothing, as when the process is killed."""
        self._lock.release()

    def _finish_for_another(self) -> None:
        """Put in order what a writer left that is gone, so that nothing torn is read, if that is possible.

        Where it is not, a power cut may show as damage until the archive is opened for writing.
        """
        if self._redo.is_left():
            writer = Vault(self.root, clock=self.clock, files=self.files)
            with contextlib.suppress(ArchiveError):
                writer.open()
                writer.close()

    def _begin(self) -> None:
        if not self._check_format():
            write_durably(
                self.files, self.inner / "format.json", seal({"format": FORMAT, "name": "weft-archive"})
            )
        self._sweep(self.inner)
        records = self._redo.read()
        known = {day for record in records for one in record if (day := parse_day(one.path)) is not None}
        try:
            self._rows = load_catalogue(self._read_inner("catalogue.json"))
            self._dirty = self._begun(known)
        except (FileNotFoundError, BadJsonError):
            self._rows = {}
            self._dirty = known | set(self._walk())
            self._behind = 1  # what could not be read is written anew, also for an archive without days
        for record in records:
            self._redo_record(record)
        for day in sorted(self._dirty):
            self.recover(day)
            self._unsynced.note_new_folder(self.root / day.path)
        self.checkpoint()
        self._redo.clear()
        self.shelf.recover()
        self.secrets.recover()

    def _begun(self, known: set[Day]) -> set[Day]:
        """The days that somebody was at: those of the journal and those with a redo record."""
        try:
            return known | load_journal(self._read_inner("journal.json"))
        except (FileNotFoundError, BadJsonError):
            if not known:
                raise
            return known  # it is not synced by itself, and names no others

    def _redo_record(self, record: Sequence[DayRecord]) -> None:
        """Do a change again; what of it is there already stays."""
        for one in record:
            day = parse_day(one.path)
            if day is None:
                continue
            if one.base is not None:
                self._forget(day)
                before = load_manifest(one.base, day) if one.base else None
            else:
                before = self.find_manifest(day)
            change = DayChange(one.writes, one.rows, one.removals)
            self.files.add_folder(self.root / day.path)
            there = {entry.file for entry, _ in one.writes if is_whole(self, day, entry)}
            self._change(day, change, before, there)

    def _check_format(self) -> bool:
        try:
            data = self._read_inner("format.json")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise from_os_error(error, f"opening {self.root / LOGS}") from error
        try:
            version = unseal(data, JsonObject, f"{INNER}/format.json").get("format")
        except BadJsonError as error:
            if self.read_only:
                return True  # what can be read is read; `verify` names it
            raise DamagedFileError(
                f"{INNER}/format.json",
                f"{error} (it only holds the format's number: removed, it is made anew)",
            ) from error
        if not isinstance(version, int) or version > FORMAT:
            raise ArchiveVersionError(
                f"{self.root / LOGS}: its format is {version}, this program knows {FORMAT}; upgrade Weft"
            )
        return True

    def _sweep(self, folder: Path) -> None:
        for name, is_folder in self.files.list(folder):
            if is_folder:
                self._sweep(folder / name)
            elif name.startswith(TEMPORARY):
                self.files.remove(folder / name)

    # Changing

    def apply(
        self,
        changes: Mapping[Day, DayChange],
        attached: Sequence[tuple[str, Incoming]] = (),
        secrets: Mapping[Owner, Mapping[str, str]] | None = None,
    ) -> int:
        """Do all this, day by day; what has returned is on the disk.

        Args:
            changes: What is to be done to each day.
            attached: Names of organisations on disk, each with a file that the written rows name; they are
                on the disk before the rows are.
            secrets: What was masked in the written rows, encrypted; on the disk before they are. Those of
                removed rows are gone before these are.

        Returns:
            Bytes of attached files that no row names any more, and that are gone.

        Raises:
            ArchiveError: The disk is full, or refuses; days before the failing one are done, of the failing
                one each file is as it was or as it was to be, and the archive can be used further.
        """
        self.check_writable()
        with self.mutex:
            self._mend()
            replaced = {day: self._replaced(day, change) for day, change in changes.items()}
            loosened, named = _loosened(changes, replaced)
            try:
                self.shelf.take_in(attached, loosened)
            except OSError as error:
                raise from_os_error(error, "writing attached files") from error
            self._mark(changes)
            try:
                self.secrets.put(secrets or {})
                self.secrets.remove(_owners_removed(changes))
            except OSError as error:
                raise from_os_error(error, "writing what was masked") from error
            if changes:
                self._record(changes)
                self._carry_out(changes)
            for day in sorted(changes):
                self.shelf.note(day.organization, replaced[day], [row for row, _ in changes[day].writes])
            try:
                freed = self.shelf.settle(named)
                self.secrets.settle()
            except OSError as error:
                raise from_os_error(error, "removing attached files or secrets") from error
            self._behind += len(changes)
            if self._behind >= CHANGES_UNTIL_CHECKPOINT or self._redo.size >= BYTES_UNTIL_CHECKPOINT:
                self.checkpoint()
        return freed

    def _replaced(self, day: Day, change: DayChange) -> list[Entry]:
        """The rows that a change removes or gives another content."""
        ids = [*change.removals, *(row.id for row, _ in change.writes)]
        try:
            found = [self.find_entry(day, id) for id in ids]
        except DamagedFileError:
            return []  # the change itself says so, when its turn comes
        return [entry for entry in found if entry is not None]

    def _record(self, changes: Mapping[Day, DayChange]) -> None:
        """Make a change durable before it is made."""
        days = []
        for day in sorted(changes):
            change, base = changes[day], None
            if day not in self._based:
                manifest = self.find_manifest(day)
                base = b"" if manifest is None else dump_manifest(manifest)
            days.append(DayRecord(day.path, change.writes, change.rows, change.removals, base))
        try:
            self._redo.append(days)
        except OSError as error:
            with contextlib.suppress(ArchiveError):
                self._mend()
            raise from_os_error(error, f"writing to {INNER}") from error
        self._based.update(changes)

    def _carry_out(self, changes: Mapping[Day, DayChange]) -> None:
        waiting = sorted(changes)
        try:
            while waiting:
                day = waiting[0]
                self._change(day, changes[day], self.find_manifest(day))
                self._note_ids(day, changes[day])
                waiting.pop(0)
        except BaseException as error:
            # Memory and disk may differ now: what is true is read again from the disk.
            for day in waiting:
                self._forget(day)
                self._suspect.add(day)
            if not isinstance(error, OSError):
                raise
            with contextlib.suppress(ArchiveError):
                self._mend()
            raise from_os_error(error, f"writing to {waiting[0].path}") from error

    def _mend(self) -> None:
        """After a change that failed half-way: put its days in order, and begin with new redo records."""
        if not self._suspect and not self._redo.is_torn:
            return
        try:
            for day in sorted(self._suspect):
                self.recover(day)
            # What is in order now has to be so on the disk, before the records are not there any more.
            self._unsynced.sync()
            write_durably(self.files, self.inner / "journal.json", dump_journal(self._dirty))
            self._redo.clear()
        except OSError as error:
            raise from_os_error(error, f"putting {self.root / LOGS} in order") from error
        self._suspect.clear()
        self._based.clear()

    def check_writable(self) -> None:
        """Raise ArchiveReadOnlyError when the archive was opened for reading."""
        if self.read_only:
            raise ArchiveReadOnlyError(
                f"{self.root / LOGS} is open for reading only; open it without read_only=True"
            )

    def checkpoint(self) -> None:
        """Bring everything to the disk and the catalogue up to date, and forget how it came about.

        Raises:
            ArchiveError: It cannot be written; the journal still names what is behind.
        """
        if not self._dirty and not self._behind:
            return
        with self.mutex:
            self._mend()
            try:
                self._unsynced.sync()
                write_durably(self.files, self.inner / "catalogue.json", dump_catalogue(self._rows))
                write_durably(self.files, self.inner / "journal.json", dump_journal(()))
                self._redo.clear()
            except OSError as error:
                raise from_os_error(error, f"writing {INNER}/catalogue.json") from error
            self._dirty.clear()
            self._based.clear()
            self._behind = 0

    def recover(self, day: Day) -> list[str]:
        """Put a day folder in order after a writer was killed in it.

        Returns:
            Files that were adopted or removed, relative to the root.

        Raises:
            OSError: The file system refuses.
        """
        self._forget(day)
        folder = self.root / day.path
        try:
            names = [name for name, is_folder in self.files.list(folder) if not is_folder]
        except (FileNotFoundError, NotADirectoryError):
            self._rows.pop(day, None)
            return []
        try:
            manifest = self.find_manifest(day)
        except DamagedFileError:
            return []  # no crash does this; `verify` names it and `rebuild` mends it
        done = reconcile(self, day, manifest, names)
        removing = set(manifest.removing) & set(done.leftovers) if manifest is not None else set()
        self._remove_files(folder, sorted(removing))
        if done.manifest is not None and done.manifest != manifest:
            self._put_manifest(day, done.manifest)
        self._remove_files(folder, sorted(set(done.leftovers) - removing))
        if done.manifest is None:
            self._drop(day)
        else:
            self._unsynced.contents.update(folder / name for name in (MANIFEST, *done.adopted))
            self._settle(day, done.manifest)
        return [f"{day.path}/{name}" for name in (*done.adopted, *done.leftovers)]

    def rebuild(self, day: Day) -> list[str]:
        """Make a day's manifest anew from the files that are there; what they were before is not checked.

        Returns:
            The files that it lists now, relative to the root.
        """
        self.check_writable()
        self.checkpoint()
        self._mark([day], durably=True)
        try:
            self.files.remove(self.root / day.path / MANIFEST)
            self.recover(day)
            manifest = self.find_manifest(day)
        except OSError as error:
            raise from_os_error(error, f"writing to {day.path}") from error
        self.checkpoint()
        return [f"{day.path}/{entry.file}" for entry in manifest.files] if manifest else []

    def _mark(self, days: Iterable[Day], *, durably: bool = False) -> None:
        """Name days in the journal, for readers and for whoever puts them in order after a kill.

        Args:
            durably: Also after a loss of power, as nothing else would name them.
        """
        new = set(days) - self._dirty
        if not new:
            return
        path, data = self.inner / "journal.json", dump_journal(self._dirty | new)
        try:
            if durably:
                write_durably(self.files, path, data)
            else:
                self._replace(path, data)
        except OSError as error:
            raise from_os_error(error, f"writing {INNER}/journal.json") from error
        self._dirty |= new

    def _change(
        self, day: Day, change: DayChange, before: Manifest | None, there: Collection[str] = ()
    ) -> None:
        """Do a change; files that are there whole are not written again."""
        folder = self.root / day.path
        if before is None:
            self.files.add_folder(folder)
            self._unsynced.note_new_folder(folder)
            before = make_manifest(day, (), 0)
        known = self._by_id(day, before)
        gone = {id: known[id] for id in change.removals if id in known}
        removed = [entry.file for entry in gone.values()]
        come = {row.id: row for row in change.rows if row.id in known and row.id not in gone}
        superseded, sequence = [], before.sequence
        for entry, _ in change.writes:
            old = known.get(entry.id)
            if old is not None and entry.id not in gone and old.file != entry.file:
                superseded.append(old.file)
            sequence += 1
            come[entry.id] = numbered(entry, sequence)
        gone |= {id: known[id] for id in come if id in known}
        self._write_files(folder, change.writes, there)
        after = revise_manifest(before, gone.values(), come.values(), sequence, removed)
        data = self._put_manifest(day, after)
        self._remove_files(folder, [*superseded, *removed])
        if not after.files:
            self._drop(day)
            return
        if removed:
            after = replace(after, removing=[])
            data = self._put_manifest(day, after)
        self._settle(day, after, data)

    def _note_ids(self, day: Day, change: DayChange) -> None:
        index = self._ids.get((day.kind, day.organization))
        if index is not None:
            for id in change.removals:
                index.pop(id, None)
            index.update((entry.id, day) for entry, _ in change.writes)

    def _write_files(
        self, folder: Path, writes: Sequence[tuple[Entry, bytes]], there: Collection[str]
    ) -> None:
        temporary = folder / f"{TEMPORARY}file"
        for entry, data in writes:
            path = folder / entry.file
            self._unsynced.contents.add(path)
            if entry.file not in there:
                self.files.create(temporary, data)
                self.files.rename(temporary, path)

    def _remove_files(self, folder: Path, names: Sequence[str]) -> None:
        for name in names:
            self.files.remove(folder / name)
            self._unsynced.contents.discard(folder / name)
        if names:
            self._unsynced.folders.add(folder)

    def _put_manifest(self, day: Day, manifest: Manifest) -> bytes:
        path = self.root / day.path / MANIFEST
        data = dump_manifest(manifest)
        self._replace(path, data)
        self._unsynced.contents.add(path)
        self._unsynced.folders.add(path.parent)
        return data

    def _replace(self, path: Path, data: bytes) -> None:
        """Replace a file; when the power goes it may be anything."""
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        self.files.create(temporary, data)
        self.files.rename(temporary, path)

    def _settle(self, day: Day, manifest: Manifest, data: bytes | None = None) -> None:
        self._remember(day, manifest)
        self._rows[day] = make_row(manifest, data)

    def _drop(self, day: Day) -> None:
        folder = self.root / day.path
        self.files.remove(folder / MANIFEST)
        self._manifests.pop(day, None)
        self._rows.pop(day, None)
        self._unsynced.contents.discard(folder / MANIFEST)
        for path in (folder, *list(folder.parents)[:3]):
            self._unsynced.folders |= {path, path.parent}
            if path.name not in KINDS:
                self.files.remove_folder(path)

    def _forget(self, day: Day) -> None:
        self.shelf.forget()
        self._manifests.pop(day, None)
        self._ids.pop((day.kind, day.organization), None)
        for other in [other for other in self._indexed if other.kind == day.kind]:
            del self._indexed[other]


def _owners_removed(changes: Mapping[Day, DayChange]) -> list[Owner]:
    return [
        Owner(day.organization, day.kind, id) for day, change in changes.items() for id in change.removals
    ]


def _loosened(
    changes: Mapping[Day, DayChange], replaced: Mapping[Day, Sequence[Entry]]
) -> tuple[set[FileKey], set[FileKey]]:
    """Attached files that may be named by nobody after these changes, and those that surely are named."""
    before = {
        FileKey(day.organization, ref.sha256)
        for day in replaced
        for row in replaced[day]
        for ref in row.files
    }
    after = {
        FileKey(day.organization, ref.sha256)
        for day, change in changes.items()
        for row, _ in change.writes
        for ref in row.files
    }
    return before - after, after
