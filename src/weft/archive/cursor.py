"""How far each app of each source was pulled; one sealed file for each in ``logs/.weft/cursors``."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from weft.archive.errors import from_os_error
from weft.archive.file_system import iter_files, write_durably
from weft.archive.json_text import BadJsonError, digest, seal, unseal
from weft.archive.place import INNER
from weft.archive.source import SourceItem
from weft.archive.vault import Vault

FOLDER = "cursors"


class FailedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that could not be had; it is tried again with every pull."""

    item: SourceItem
    reason: str
    attempts: int = 1


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one app; everything before `position` is in the archive, or in `failed`."""

    format: int = 1
    source: str
    app: str
    position: str = ""
    failed: list[FailedItem] = msgspec.field(default_factory=list)
    updated_at: str = ""
    files: bool = False
    """Whether attached files were wanted of everything before `position`."""


class Cursors:
    """Reads and writes cursors."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._folder = vault.inner / FOLDER

    def get(self, source: str, app: str) -> Cursor:
        """The cursor of an app; a new one when it was never pulled, or when the file is damaged.

        Beginning anew loses nothing: what is in the archive already is not written again.
        """
        try:
            cursor = unseal(self._vault.files.read(self._folder / cursor_file(source, app)), Cursor, "cursor")
        except (FileNotFoundError, BadJsonError):
            return Cursor(source=source, app=app)
        except OSError as error:
            raise from_os_error(error, f"reading {INNER}/{FOLDER}") from error
        return cursor if (cursor.source, cursor.app) == (source, app) else Cursor(source=source, app=app)

    def put(self, cursor: Cursor) -> None:
        """Make a cursor durable.

        Raises:
            ArchiveError: The disk is full, or refuses; the cursor before it still holds.
        """
        self._vault.check_writable()
        try:
            self._vault.files.make_folder(self._folder)
            path = self._folder / cursor_file(cursor.source, cursor.app)
            write_durably(self._vault.files, path, seal(cursor))
        except OSError as error:
            raise from_os_error(error, f"writing {INNER}/{FOLDER}") from error


def iter_cursors(vault: Vault) -> Iterator[Cursor]:
    """Every cursor that can be trusted, in no order that means anything."""
    for path in iter_files(vault.files, vault.inner / FOLDER):
        try:
            yield unseal(vault.files.read(path), Cursor, "cursor")
        except (FileNotFoundError, BadJsonError):
            continue  # replaced at this moment, or damaged, which `verify` says


def cursor_file(source: str, app: str) -> str:
    """The name of the file that holds the cursor of an app."""
    return f"{digest(f'{len(source)}:{source}{app}'.encode('utf-8', 'surrogatepass'))[:40]}.json"
