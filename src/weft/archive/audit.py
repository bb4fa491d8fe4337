"""What was deleted, when and by which rule: chained lines, so that none can be changed or dropped.

A line is on the disk before the deed is done; after a crash between the two it may stand there twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_system import write_durably
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, digest, seal, unseal
from weft.archive.place import INNER
from weft.archive.vault import Vault

FILE = "audit.jsonl"
HEAD = "audit-head.json"
PATH = f"{INNER}/{FILE}"
_FIRST = "0" * 64


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One deed; its last member ``checksum`` covers all others."""

    at: str
    action: str
    """``delete``, ``hold``, ``release``, ``reveal``; ``delete-from-store`` for what stays in the archive."""
    path: str
    """The file, relative to the archive's root; empty for holds."""
    id: str
    """Of the conversation, run or hold."""
    organization_id: str | None
    sha256: str
    """Of the JSON that was deleted, as it was read back."""
    reason: str
    previous: str
    """SHA-256 of the line before this one, its line feed included."""


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log reached at least; so lines that are cut off its end are missed."""

    format: int = 1
    lines: int = 0
    last: str = _FIRST


class AuditLog:
    """Appends to, and proves, ``audit.jsonl``; ``audit-head.json`` says how long it is at least."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._path = vault.inner / FILE
        self._head: _Head | None = None

    def append(self, lines: Iterable[AuditLine]) -> None:
        """Add lines, which get their instant and their link here, and return when they are on the disk.

        Raises:
            DamagedFileError: The log is not what was written; nothing is added to it.
            ArchiveError: They cannot be written; then nothing may be done that they speak of.
        """
        self._vault.check_writable()
        head = self._head if self._head is not None else self._begin()
        at = render_instant(self._vault.clock.now())
        data = bytearray()
        for line in lines:
            sealed = seal(msgspec.structs.replace(line, at=at, previous=head.last))
            head = _Head(lines=head.lines + 1, last=digest(sealed))
            data += sealed
        if not data:
            return
        self._head = None  # until it is certain what the disk holds
        try:
            self._vault.files.append(self._path, bytes(data))
            write_durably(self._vault.files, self._vault.inner / HEAD, seal(head))
        except OSError as error:
            raise from_os_error(error, f"writing {PATH}") from error
        self._head = head

    def iter(self) -> Iterator[AuditLine]:
        """All lines, oldest first, each proven.

        Raises:
            DamagedFileError: A line was changed, dropped or put in.
        """
        lines, _ = self._read()
        head = self._read_head(has_lines=bool(lines))
        previous = _FIRST
        if head.lines > len(lines):
            raise DamagedFileError(PATH, f"it has {len(lines)} lines, and had {head.lines}")
        for number, sealed in enumerate(lines, 1):
            try:
                line = unseal(sealed, AuditLine, f"{PATH}, line {number}")
            except BadJsonError as error:
                raise DamagedFileError(PATH, str(error)) from error
            if line.previous != previous:
                raise DamagedFileError(PATH, f"line {number} does not follow the one before it")
            previous = digest(sealed)
            if number == head.lines and previous != head.last:
                raise DamagedFileError(PATH, f"line {number} is not the one that was written")
            yield line

    def mend(self) -> None:
        """Cut off lines in the middle of which the power went; what they were to speak of was not done.

        Only lines that the head does not count yet can be such.

        Raises:
            ArchiveError: The disk is full, or refuses.
        """
        lines, torn = self._read()
        try:
            counted = self._read_head(has_lines=bool(lines)).lines
        except DamagedFileError:
            counted = len(lines)  # `iter` says so
        whole = next(
            (number for number, line in enumerate(lines) if number >= counted and not _is_sealed(line)),
            len(lines),
        )
        if not torn and whole == len(lines):
            return
        try:
            write_durably(self._vault.files, self._path, b"".join(lines[:whole]))
        except OSError as error:
            raise from_os_error(error, f"writing {PATH}") from error

    def _begin(self) -> _Head:
        self.mend()
        lines = list(self.iter())
        sealed, _ = self._read()
        head = _Head(lines=len(lines), last=digest(sealed[-1]) if sealed else _FIRST)
        if not lines:
            try:
                write_durably(self._vault.files, self._vault.inner / HEAD, seal(head))
            except OSError as error:
                raise from_os_error(error, f"writing {INNER}/{HEAD}") from error
        return head

    def _read(self) -> tuple[list[bytes], bool]:
        """The lines, and whether a torn one follows them, which is left out."""
        try:
            data = self._vault.files.read(self._path)
        except FileNotFoundError:
            return [], False
        except OSError as error:
            raise from_os_error(error, f"reading {PATH}") from error
        parts = data.split(b"\n")
        lines, rest = [part + b"\n" for part in parts[:-1]], parts[-1]
        if rest and _is_sealed(rest[:-1] + b"\n"):
            return [*lines, rest], False  # not torn: somebody changed its last byte
        return lines, bool(rest)

    def _read_head(self, *, has_lines: bool) -> _Head:
        try:
            return unseal(self._vault.files.read(self._vault.inner / HEAD), _Head, f"{INNER}/{HEAD}")
        except FileNotFoundError as error:
            if has_lines:
                raise DamagedFileError(f"{INNER}/{HEAD}", "it is absent") from error
            return _Head()
        except BadJsonError as error:
            raise DamagedFileError(f"{INNER}/{HEAD}", str(error)) from error
        except OSError as error:
            raise from_os_error(error, f"reading {INNER}/{HEAD}") from error


def _is_sealed(line: bytes) -> bool:
    try:
        unseal(line, AuditLine, PATH)
    except BadJsonError:
        return False
    return True
