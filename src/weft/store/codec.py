"""A record as a row and back: the one place where instants, JSON, prices and text are converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeAlias, TypeVar, cast

import msgspec
from sqlalchemy import Boolean, Table

from weft.store.records import Record
from weft.store.tables import Instant, Json, Price, Prose

R = TypeVar("R", bound=Record)
Row: TypeAlias = tuple[object, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def micros(instant: datetime) -> int:
    """Microseconds since the epoch.

    Raises:
        TypeError: The instant has no time zone.
    """
    return (instant - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """The aware UTC instant of that many microseconds since the epoch."""
    return _EPOCH + timedelta(0, 0, micros)


def storable(text: str) -> str:
    """The text with U+FFFD in the place of what a database cannot hold: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def dump_json(value: object) -> str:
    """JSON text with non-ASCII letters kept; infinities and NaN become null."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode(_without_surrogates(value)).decode()


def load_json(text: str) -> object:
    """The value of a JSON text that `dump_json` wrote."""
    return cast(object, _decode(text))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in value]
    return value


Convert: TypeAlias = Callable[..., object]
_CONVERSIONS: tuple[tuple[type, Convert | None, Convert | None], ...] = (
    (Instant, micros, instant),
    (Json, dump_json, load_json),
    (Price, str, Decimal),
    (Prose, storable, None),
    (Boolean, None, bool),
)
"""Column type, record to row, row to record."""


class Codec(Generic[R]):
    """Rows of one table as records of one type, matched by position.

    Args:
        record: The record's class; its fields stand in the order of the columns.
        table: The record's table.
    """

    def __init__(self, record: type[R], table: Table) -> None:
        self.table = table
        self._record = record
        self._to_row = _conversions(table, 0)
        self._from_row = _conversions(table, 1)

    def encode(self, record: R) -> Row:
        """The record's row, columns in the table's order."""
        values = list(msgspec.structs.astuple(record))
        for index, convert in self._to_row:
            value = values[index]
            if value is not None:
                values[index] = convert(value)
        return tuple(values)

    def encoder(self, *names: str) -> Callable[[R], Row]:
        """A function that gives only the columns of these names, in this order."""
        conversions = dict(self._to_row)
        wanted = [
            (index, conversions.get(index)) for index in (self.table.c.keys().index(name) for name in names)
        ]

        def encode(record: R) -> Row:
            values = msgspec.structs.astuple(record)
            return tuple(
                values[index] if convert is None or values[index] is None else convert(values[index])
                for index, convert in wanted
            )

        return encode

    def decode(self, row: Sequence[object]) -> R:
        """The record of a row, columns in the table's order."""
        values = list(row)
        for index, convert in self._from_row:
            value = values[index]
            if value is not None:
                values[index] = convert(value)
        return self._record(*values)

    def decode_all(self, rows: Iterable[Sequence[object]]) -> tuple[R, ...]:
        """The records of many rows."""
        return tuple(map(self.decode, rows))


def _conversions(table: Table, side: int) -> tuple[tuple[int, Convert], ...]:
    found: list[tuple[int, Convert]] = []
    for index, column in enumerate(table.c):
        for kind, *converts in _CONVERSIONS:
            convert = converts[side]
            if convert is not None and isinstance(column.type, kind):
                found.append((index, convert))
    return tuple(found)
