"""What can go wrong with an archive, below `weft.errors.ArchiveError`.

::

    ArchiveError
      ArchiveLockedError      another process writes to it
      ArchiveReadOnlyError    it was opened, or can only be opened, for reading
      ArchiveFullError        the disk has no room left
      ArchiveVersionError     a newer program made it
      WrongKeyError           its secrets were written with another key
      DamagedFileError        a file is not what the manifest says it is
      ExportError  RetentionError
"""

from __future__ import annotations

import errno

from weft.errors import ArchiveError


class ArchiveLockedError(ArchiveError):
    """Another process, or another `Archive` of this one, has the archive open for writing."""


class ArchiveReadOnlyError(ArchiveError):
    """The archive was opened for reading, or the file system lets nobody write to it."""


class ArchiveFullError(ArchiveError):
    """The disk has no room left; what was acknowledged before stays as it is."""


class ArchiveVersionError(ArchiveError):
    """The archive's format is newer than this program."""


class WrongKeyError(ArchiveError):
    """The key for redaction is not the one that the archive's secrets were written with."""


class DamagedFileError(ArchiveError):
    """A file of the archive is absent or is not what its manifest says.

    Attributes:
        path: Where it lies, relative to the archive's root.
    """

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}; restore this file from a copy, or pull its conversation again")


class ExportError(ArchiveError):
    """An export cannot be made or continued as asked."""


class RetentionError(ArchiveError):
    """Retention refused to delete; nothing was deleted."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def from_os_error(error: OSError, doing: str) -> ArchiveError:
    """The error of this family that says what the operating system said, and what to do about it."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return ArchiveFullError(f"{doing}: {reason}; make room on the disk and run it again")
    if error.errno in _DENIED:
        return ArchiveReadOnlyError(
            f"{doing}: {reason}; give this user write access to the archive, or open it with read_only=True"
        )
    return ArchiveError(f"{doing}: {reason}")
