"""Proving that an archive is what was written into it, in three depths.

``structure``: every file that should be there is, and no other; manifests, catalogue, holds, dictionaries
and audit log are whole. ``sizes``: files have the sizes of their rows as well. ``bytes``: every byte of every
file is read, packed files are unpacked, and what they hold is what their name says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from weft.archive.audit import AuditLog
from weft.archive.catalogue import load_catalogue, load_journal, make_row
from weft.archive.cursor import FOLDER as CURSORS
from weft.archive.cursor import Cursor, cursor_file
from weft.archive.errors import DamagedFileError
from weft.archive.file_shelf import FOLDER as FILES
from weft.archive.file_shelf import JOURNAL as FILES_JOURNAL
from weft.archive.file_shelf import SCRATCH, FileKey, parse_file_path
from weft.archive.file_system import iter_files, write_durably
from weft.archive.hold import FILE as HOLDS
from weft.archive.hold import list_holds, missing_error, missing_holds
from weft.archive.instant import parse_instant
from weft.archive.json_text import BadJsonError, JsonObject, digest, seal, unseal
from weft.archive.manifest import Entry, Manifest, describe_stored
from weft.archive.packing import FOLDER as DICTIONARIES
from weft.archive.place import INNER, KINDS, LOGS, MANIFEST, Day, day_of, parse_day
from weft.archive.recovery import describe_file
from weft.archive.secret_book import FOLDER as SECRETS
from weft.archive.secret_book import JOURNAL as SECRETS_JOURNAL
from weft.archive.secret_book import KEY_FILE, Owner
from weft.archive.vault import Vault
from weft.errors import InvalidRequestError

Depth = Literal["structure", "sizes", "bytes"]
Code = Literal[
    "missing-file",
    "unlisted-file",
    "wrong-size",
    "wrong-bytes",
    "wrong-content",
    "wrong-sums",
    "missing-manifest",
    "damaged-manifest",
    "stale-manifest",
    "missing-folder",
    "missing-catalogue",
    "damaged-catalogue",
    "damaged-format",
    "damaged-journal",
    "damaged-dictionary",
    "damaged-audit",
    "damaged-holds",
    "damaged-state",
    "damaged-secrets",
    "unreferenced-file",
    "unreadable",
]
"""What can be wrong with a file; these words do not change from version to version."""
_OWN = frozenset(
    {
        "lock",
        "format.json",
        "catalogue.json",
        "journal.json",
        "redo.bin",
        FILES_JOURNAL,
        SECRETS_JOURNAL,
        "audit.jsonl",
        "audit-head.json",
        "holds.json",
        "verify.json",
        # The search index; `ArchiveIndex.verify` compares it with the archive.
        "search.db",
        "search.db-wal",
        "search.db-shm",
        ".tmp-search.db",
    }
)
_OWN_FOLDERS = {
    DICTIONARIES: re.compile(r"[0-9]+\.(zdict|sha256)"),
    CURSORS: re.compile(r"[0-9a-f]{40}\.json"),
    "parquet": re.compile(r".*"),
    SECRETS: re.compile(r"key\.json|[0-9a-f]{2}/[0-9a-f]{40}\.json"),
}
"""Names of files in them."""


class VerifyResult(IntEnum):
    """The outcome as a number, also the exit status of a command; the numbers do not change."""

    SOUND = 0
    """Everything that was to be looked at was, and is whole."""
    DAMAGED = 1
    """`VerifyReport.findings` names the files."""
    INCOMPLETE = 2
    """The time was up before everything was looked at; what was is whole."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that is not as it should be."""

    code: Code
    path: str
    """Relative to the archive's root."""
    detail: str = ""


@dataclass(slots=True)
class VerifyReport:
    """What was looked at and what was found."""

    depth: Depth
    findings: list[Finding] = field(default_factory=list)
    days: int = 0
    files: int = 0
    bytes: int = 0
    """Read from conversations and runs."""
    complete: bool = True

    @property
    def result(self) -> VerifyResult:
        """The outcome as one number."""
        if self.findings:
            return VerifyResult.DAMAGED
        return VerifyResult.SOUND if self.complete else VerifyResult.INCOMPLETE

    def add(self, code: Code, path: str, detail: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(code, path, detail))


def verify_archive(
    vault: Vault, audit: AuditLog, depth: Depth, *, budget_seconds: float | None = None, rotate: bool = False
) -> VerifyReport:
    """Look at the archive's own files, then at day after day.

    Args:
        budget_seconds: Begin no further day after this time; none looks at all.
        rotate: Begin with the day after the one at which the last rotating run stopped, so that runs with a
            budget see everything in turn. Remembered only when the archive is open for writing.
    """
    report = VerifyReport(depth)
    busy = vault.dirty()
    vault_rows = _own_files(vault, audit, report)
    days = sorted({*vault_rows, *_folders(vault, report)})
    if rotate:
        last = _last_day(vault)
        days = [day for day in days if day.path > last] + [day for day in days if day.path <= last]
    began = vault.clock.monotonic()
    done = ""
    attached: set[FileKey] = set()
    for day in days:
        if budget_seconds is not None and vault.clock.monotonic() - began >= budget_seconds:
            report.complete = False
            break
        _Day(vault, day, report, attached, is_busy=day in busy).check(vault_rows.get(day))
        done = day.path
    if report.complete and not busy:
        _unnamed_files(vault, attached, report)
    if rotate and done and not vault.read_only:
        write_durably(vault.files, vault.inner / "verify.json", seal({"format": 1, "last_day": done}))
    report.findings.sort(key=lambda finding: (finding.path, finding.code))
    return report


class _Day:
    """The look at one day folder."""

    def __init__(
        self, vault: Vault, day: Day, report: VerifyReport, attached: set[FileKey], *, is_busy: bool
    ) -> None:
        self._vault = vault
        self._day = day
        self._report = report
        self._attached = attached
        self._is_busy = is_busy

    def check(self, row: object) -> None:
        vault, day, report = self._vault, self._day, self._report
        report.days += 1
        try:
            names = vault.files.list(vault.root / day.path)
        except (FileNotFoundError, NotADirectoryError):
            report.add("missing-folder", day.path)
            return
        except OSError as error:
            report.add("unreadable", day.path, str(error))
            return
        manifest = self._manifest(row, {name for name, _ in names})
        if manifest is None:
            self._without_manifest([name for name, is_folder in names if not is_folder])
            return
        listed = {entry.file for entry in manifest.files}
        for name, is_folder in names:
            if ((name not in listed and name != MANIFEST) or is_folder) and not self._is_busy:
                report.add("unlisted-file", f"{day.path}/{name}")
        present = {name for name, is_folder in names if not is_folder}
        for entry in manifest.files:
            report.files += 1
            if entry.file in present:
                self._file(entry)
            elif not self._is_busy:
                report.add("missing-file", f"{day.path}/{entry.file}")
            self._attached_files(entry)

    def _attached_files(self, entry: Entry) -> None:
        """Look at what a row names, unless another row named it before."""
        vault, report = self._vault, self._report
        for ref in entry.files:
            key = FileKey(self._day.organization, ref.sha256)
            if key in self._attached:
                continue
            self._attached.add(key)
            report.files += 1
            try:
                if report.depth == "bytes":
                    data = vault.files.read(vault.root / key.path)
                    report.bytes += len(data)
                    if digest(data) != ref.sha256:
                        report.add("wrong-bytes", key.path)
                elif vault.files.size(vault.root / key.path) != ref.size and report.depth == "sizes":
                    report.add("wrong-size", key.path)
            except (FileNotFoundError, NotADirectoryError):
                if not self._is_busy:
                    report.add("missing-file", key.path)
            except OSError as error:
                report.add("unreadable", key.path, str(error))

    def _manifest(self, row: object, names: set[str]) -> Manifest | None:
        vault, day, report = self._vault, self._day, self._report
        path = f"{day.path}/{MANIFEST}"
        if MANIFEST not in names:
            if not self._is_busy:
                report.add("missing-manifest", path)
            return None
        try:
            manifest = vault.read_manifest(day)
        except DamagedFileError as error:
            report.add("damaged-manifest", path, str(error))
            return None
        if manifest is None:
            report.add("missing-manifest", path)
            return None
        if not self._is_busy and row is not None and row != make_row(manifest):
            report.add("stale-manifest", path, "it is not the one that the catalogue knows")
        return manifest

    def _without_manifest(self, names: list[str]) -> None:
        """No row says what the files were; what they hold must still fit their names."""
        for name in names if self._report.depth == "bytes" else ():
            path = f"{self._day.path}/{name}"
            if name == MANIFEST:
                continue
            self._report.files += 1
            try:
                if describe_file(self._vault, self._day, name) is None:
                    self._report.add("wrong-content", path, "it is no conversation or run of its name")
            except OSError as error:
                self._report.add("unreadable", path, str(error))

    def _file(self, entry: Entry) -> None:
        vault, day, report = self._vault, self._day, self._report
        path = f"{day.path}/{entry.file}"
        try:
            if report.depth == "structure":
                return
            if report.depth == "sizes":
                if vault.files.size(vault.root / path) != entry.stored_size:
                    report.add("wrong-size", path)
                return
            stored = vault.files.read(vault.root / path)
            report.bytes += len(stored)
            if digest(stored) != entry.stored_sha256:
                if not self._is_busy:
                    report.add("wrong-bytes", path)
                return
            data = stored if entry.packed_sha256 is None else vault.packer.unpack(stored, path)
            self._content(entry, data, path)
        except DamagedFileError as error:
            report.add("wrong-bytes", path, str(error))
        except OSError as error:
            if not self._is_busy:
                report.add("unreadable", path, str(error))

    def _content(self, entry: Entry, data: bytes, path: str) -> None:
        try:
            organization_id, found = describe_stored(self._day.kind, data, path)
            home = day_of(self._day.kind, organization_id, parse_instant(found.created_at, "created_at"))
        except (BadJsonError, InvalidRequestError) as error:
            self._report.add("wrong-content", path, str(error))
            return
        if digest(data) != entry.sha256:
            self._report.add("wrong-bytes", path)
        elif (found.id, found.file, home) != (entry.id, entry.plain_file, self._day):
            self._report.add("wrong-content", path, "it holds something else than its name says")
        elif _sums(found) != _sums(entry):
            self._report.add("wrong-sums", path, "its row counts otherwise")


def _sums(entry: Entry) -> tuple[object, ...]:
    return (
        entry.content_sha256,
        entry.app_id,
        entry.created_at,
        entry.last_activity,
        entry.messages,
        entry.message_tokens,
        entry.answer_tokens,
        entry.likes,
        entry.dislikes,
        entry.files,
    )


def _unnamed_files(vault: Vault, named: set[FileKey], report: VerifyReport) -> None:
    """Files among the attached ones that no conversation names, or that are none."""
    for path in iter_files(vault.files, vault.root / FILES):
        name = path.relative_to(vault.root).as_posix()
        key = parse_file_path(name)
        if key is None:
            report.add("unlisted-file", name)
        elif key not in named:
            report.add("unreferenced-file", name, "no conversation names it")


def _own_files(vault: Vault, audit: AuditLog, report: VerifyReport) -> dict[Day, object]:
    """Prove what lies in ``logs/.weft`` and give the rows of the catalogue for days that nobody is at."""
    _sealed(vault, report, "format.json", "damaged-format", has="name", optional=False)
    _sealed(vault, report, "verify.json", "damaged-state", has="last_day")
    _sealed(vault, report, FILES_JOURNAL, "damaged-journal", has="files")
    _secrets(vault, report)
    _cursors(vault, report)
    rows, behind = _catalogue(vault, report)
    _holds_and_audit(vault, audit, report)
    for number in vault.packer.numbers():
        try:
            vault.packer.check(number)
        except DamagedFileError as error:
            # Which of the two it is, they do not tell.
            for path in (error.path, f"{INNER}/{DICTIONARIES}/{number}.sha256"):
                report.add("damaged-dictionary", path, str(error))
    _strangers(vault, report)
    return {day: None if day in behind else row for day, row in rows.items()}


def _catalogue(vault: Vault, report: VerifyReport) -> tuple[dict[Day, object], set[Day]]:
    behind: set[Day] = set()
    try:
        behind = load_journal(vault.files.read(vault.inner / "journal.json"))
    except FileNotFoundError:
        pass
    except BadJsonError as error:
        report.add("damaged-journal", f"{INNER}/journal.json", str(error))
    try:
        return dict(load_catalogue(vault.files.read(vault.inner / "catalogue.json"))), behind
    except FileNotFoundError:
        if any(True for _ in _folders(vault, VerifyReport("structure"))) and not behind:
            report.add("missing-catalogue", f"{INNER}/catalogue.json")
    except BadJsonError as error:
        report.add("damaged-catalogue", f"{INNER}/catalogue.json", str(error))
    return {}, behind


def _holds_and_audit(vault: Vault, audit: AuditLog, report: VerifyReport) -> None:
    try:
        missing = missing_holds(list_holds(vault), audit.iter())
        if missing:  # somebody may be placing or releasing one at this moment
            again = missing_holds(list_holds(vault), audit.iter())
            missing = [id for id in missing if id in again]
    except DamagedFileError as error:
        is_log = error.path != f"{INNER}/{HOLDS}"
        report.add("damaged-audit" if is_log else "damaged-holds", error.path, str(error))
        if not is_log:
            _audit(audit, report)
        return
    for id in missing:
        absent = missing_error(id)
        report.add("damaged-holds", absent.path, str(absent))


def _audit(audit: AuditLog, report: VerifyReport) -> None:
    try:
        for _ in audit.iter():
            pass
    except DamagedFileError as error:
        report.add("damaged-audit", error.path, str(error))


def _cursors(vault: Vault, report: VerifyReport) -> None:
    for path in iter_files(vault.files, vault.inner / CURSORS):
        where = path.relative_to(vault.root).as_posix()
        try:
            cursor = unseal(vault.files.read(path), Cursor, where)
            if path.name != cursor_file(cursor.source, cursor.app) and not vault.dirty():
                report.add("damaged-state", where, "it is the cursor of another app")
        except FileNotFoundError:
            continue  # replaced at this moment
        except BadJsonError as error:
            report.add("damaged-state", where, str(error))
        except OSError as error:
            report.add("unreadable", where, str(error))


def _sealed(
    vault: Vault, report: VerifyReport, name: str, code: Code, *, has: str, optional: bool = True
) -> None:
    path = f"{INNER}/{name}"
    try:
        if has not in unseal(vault.files.read(vault.inner / name), JsonObject, path):
            report.add(code, path, f"it has no {has!r}, so it is another file")
    except FileNotFoundError:
        if not optional:
            report.add("missing-file", path)
    except BadJsonError as error:
        report.add(code, path, str(error))
    except OSError as error:
        report.add("unreadable", path, str(error))


def _secrets(vault: Vault, report: VerifyReport) -> None:
    """Prove what is kept of masked texts, as far as that goes without the key, and that it has owners."""
    _sealed(vault, report, SECRETS_JOURNAL, "damaged-journal", has="owners")
    paths = vault.secrets.paths()
    _sealed(vault, report, f"{SECRETS}/{KEY_FILE}", "damaged-secrets", has="salt", optional=not paths)
    if not paths or vault.dirty():
        return
    known = set(_owner_files(vault))
    for path in paths:
        where = path.relative_to(vault.root).as_posix()
        below = path.relative_to(vault.inner / SECRETS).as_posix()
        try:
            found = vault.secrets.read(path)
        except DamagedFileError as error:
            report.add("damaged-secrets", where, str(error))
            continue
        if found is not None and found.owner.file != below:
            report.add("damaged-secrets", where, "it belongs to something else")
        elif found is not None and below not in known:
            report.add("unreferenced-file", where, "what it was masked in is not there")


def _owner_files(vault: Vault) -> Iterator[str]:
    for kind in KINDS:
        for day in vault.days(kind):
            try:
                manifest = vault.find_manifest(day)
            except DamagedFileError:
                continue  # it is named where days are looked at
            for entry in manifest.files if manifest is not None else ():
                yield Owner(day.organization, kind, entry.id).file


def _is_ours(folder: str, *below: str) -> bool:
    names = _OWN_FOLDERS.get(folder)
    return names is not None and names.fullmatch("/".join(below)) is not None


def _strangers(vault: Vault, report: VerifyReport) -> None:
    for path in iter_files(vault.files, vault.inner):
        below = path.relative_to(vault.inner)
        known = below.name in _OWN if len(below.parts) == 1 else _is_ours(*below.parts)
        if not known and not vault.dirty() and not below.name.startswith(SCRATCH):
            report.add("unlisted-file", f"{INNER}/{below.as_posix()}")


def _folders(vault: Vault, report: VerifyReport) -> Iterator[Day]:
    """Every day folder on the disk; files that lie outside of one are noted."""
    seen: set[str] = set()
    for kind in KINDS:
        for path in iter_files(vault.files, vault.root / LOGS / kind):
            folder = path.parent.relative_to(vault.root).as_posix()
            if folder in seen:
                continue
            day = parse_day(folder)
            if day is None:
                report.add("unlisted-file", path.relative_to(vault.root).as_posix())
            else:
                seen.add(folder)
                yield day


def _last_day(vault: Vault) -> str:
    try:
        state = unseal(vault.files.read(vault.inner / "verify.json"), JsonObject, "verify.json")
        return str(state.get("last_day", ""))
    except (FileNotFoundError, BadJsonError):
        return ""
