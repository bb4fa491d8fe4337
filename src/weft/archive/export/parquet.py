"""Parquet for DuckDB, Spark and the like; the totals are in the file's metadata under ``weft.totals``."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

from weft.archive.export.format import Format, Stored, Totals
from weft.archive.export.table import COLUMNS, iter_rows
from weft.archive.instant import parse_instant
from weft.archive.json_text import encode
from weft.errors import ConfigError

GROUP_ROWS = 10_000
GROUP_BYTES = 16 * 1024 * 1024
"""A group of rows is written when it has so many rows, or so much text."""


class ParquetFormat(Format):
    """One row for each message; needs the extra ``analytics``."""

    name = "parquet"
    suffix = ".parquet"
    media_type = "application/vnd.apache.parquet"
    appendable = False

    def __init__(self) -> None:
        # pyarrow has no types of its own; nothing of it leaves this class.
        self._arrow: Any = _load("pyarrow")
        kinds = {
            "text": self._arrow.string(),
            "instant": self._arrow.timestamp("us", tz="UTC"),
            "count": self._arrow.int64(),
            "number": self._arrow.float64(),
        }
        self._schema: Any = self._arrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
        self._sink = _Sink()
        self._writer: Any = _load("pyarrow.parquet").ParquetWriter(
            self._sink, self._schema, compression="zstd"
        )
        self._rows: list[list[object]] = []
        self._bytes = 0

    def begin(self) -> bytes:
        """What the writer has written at its start."""
        return self._sink.take()

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """Rows for each message; bytes come when a group is full."""
        rows = list(iter_rows(stored.conversation))
        self._rows += rows
        self._bytes += len(stored.data)
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()
        return self._sink.take(), len(rows)

    def end(self, totals: Totals) -> bytes:
        """The last group, the totals and the file's own index."""
        self._write_group()
        self._writer.add_key_value_metadata({"weft.totals": encode(totals).decode()})
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        if not self._rows:
            return
        columns = []
        for (name, kind), cells in zip(COLUMNS.items(), zip(*self._rows, strict=True), strict=True):
            values = [_instant(cell) for cell in cells] if kind == "instant" else list(cells)
            columns.append(self._arrow.array(values, type=self._schema.field(name).type))
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows, self._bytes = [], 0


class _Sink(io.RawIOBase):
    """Collects what is written until it is taken."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._held += data
        self._position += len(data)
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data


def _instant(value: object) -> object:
    return None if value is None else parse_instant(value, "instant")


def _load(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            "Parquet needs the package pyarrow; install the extra: pip install 'weft[analytics]'"
        ) from error
