"""Messages as Parquet files in ``logs/.weft/parquet``, one for each day folder, made anew when it changes.

Any program that reads Parquet may use them: one row for each message, and one for a conversation without any.
"""

from __future__ import annotations

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.export.table import COLUMNS, iter_rows
from weft.archive.file_system import write_durably
from weft.archive.index.message_row import iter_message_rows, to_decimal
from weft.archive.instant import parse_instant
from weft.archive.json_text import BadJsonError, decode_object, seal, unseal
from weft.archive.manifest import Entry
from weft.archive.place import TEMPORARY, Day
from weft.archive.vault import Vault
from weft.errors import ArchiveError, ConfigError

FOLDER = "parquet"
STATE = "state.json"
GROUP_ROWS = 10_000
FURTHER = ("model", "cost", "currency", "failed")
"""Columns beside those of the export as a table."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    manifest_sha256: str


class _State(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    days: dict[str, _Part]


class ParquetFolder:
    """Keeps the files; one thread at a time calls `refresh`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.path: Path = vault.inner / FOLDER

    def files(self) -> list[Path]:
        """The files that together hold every message, as of the last `refresh`.

        Raises:
            ArchiveError: They were never made.
        """
        state = self._state()
        if state is None:
            raise ArchiveError(f"{self.path}: not made yet; ask once with the archive open for writing")
        return [self.path / part.file for _, part in sorted(state.days.items())]

    def refresh(self) -> list[str]:
        """Make the files of the days that changed.

        Returns:
            Conversations that could not be read and are left out, relative to the root.

        Raises:
            ConfigError: pyarrow is absent.
            ArchiveError: The disk is full, or refuses.
        """
        self._vault.check_writable()
        state = self._state()
        known = state.days if state is not None else {}
        days: dict[str, _Part] = {}
        damaged: list[str] = []
        try:
            self._vault.files.make_folder(self.path)
            for day, row in self._vault.rows().items():
                if day.kind != "conversations":
                    continue
                part = known.get(day.path)
                if part is None or part.manifest_sha256 != row.manifest_sha256:
                    part = self._write(day, row.manifest_sha256, damaged)
                days[day.path] = part
            if state is None or days != known:
                write_durably(self._vault.files, self.path / STATE, seal(_State(days=days)))
            self._sweep({part.file for part in days.values()})
        except OSError as error:
            raise from_os_error(error, f"writing {self.path}") from error
        return damaged

    def _state(self) -> _State | None:
        try:
            return unseal(self._vault.files.read(self.path / STATE), _State, STATE)
        except (FileNotFoundError, BadJsonError):
            return None

    def _sweep(self, wanted: set[str]) -> None:
        for name, is_folder in self._vault.files.list(self.path):
            if not is_folder and name != STATE and name not in wanted:
                self._vault.files.remove(self.path / name)

    def _write(self, day: Day, manifest_sha256: str, damaged: list[str]) -> _Part:
        arrow, parquet = load_extra("pyarrow"), load_extra("pyarrow.parquet")
        # A file is never replaced under its name: whoever reads the old one goes on reading it.
        name = f"{day.organization or '_'}_{day.date.isoformat()}_{manifest_sha256[:12]}.parquet"
        schema = _schema(arrow)
        temporary = self.path / f"{TEMPORARY}{name}"
        manifest = self._vault.find_manifest(day)
        with parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
            rows = (
                row
                for entry in (manifest.files if manifest is not None else ())
                for row in self._rows(day, entry, damaged)
            )
            while group := list(islice(rows, GROUP_ROWS)):
                columns = zip(*group, strict=True)
                arrays = [
                    arrow.array(list(cells), type=field.type)
                    for cells, field in zip(columns, schema, strict=True)
                ]
                writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
        self._vault.files.sync_file(temporary)
        self._vault.files.rename(temporary, self.path / name)
        return _Part(file=name, manifest_sha256=manifest_sha256)

    def _rows(self, day: Day, entry: Entry, damaged: list[str]) -> list[list[object]]:
        path = f"{day.path}/{entry.file}"
        try:
            data = self._vault.read(day, entry)
            conversation = Conversation(decode_object(data, path))
            further = [
                [
                    row.model or None,
                    to_decimal(*row.cost) if row.currency else None,
                    row.currency or None,
                    row.failed,
                ]
                for row in iter_message_rows(data, day, path)
            ] or [[None, None, None, None]]
        except (DamagedFileError, BadJsonError):
            damaged.append(path)
            return []
        kinds = list(COLUMNS.values())
        return [
            [
                *(
                    parse_instant(cell, "instant") if kind == "instant" and cell is not None else cell
                    for cell, kind in zip(row, kinds, strict=True)
                ),
                *more,
            ]
            for row, more in zip(iter_rows(conversation), further, strict=True)
        ]


def _schema(arrow: Any) -> Any:
    kinds = {
        "text": arrow.string(),
        "instant": arrow.timestamp("us", tz="UTC"),
        "count": arrow.int64(),
        "number": arrow.float64(),
    }
    fields = [(name, kinds[kind]) for name, kind in COLUMNS.items()]
    types = (arrow.string(), arrow.decimal128(38, 12), arrow.string(), arrow.bool_())
    return arrow.schema([*fields, *zip(FURTHER, types, strict=True)])


def load_extra(name: str) -> Any:
    """A package of the extra ``analytics``, which has no types of its own.

    Raises:
        ConfigError: It is absent.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"SQL over the archive needs the package {name.partition('.')[0]}; "
            "install the extra: pip install 'weft[analytics]'"
        ) from error
