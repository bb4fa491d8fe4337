"""Values as plain data: what JSON can hold and nothing else.

A run may hold anything that its workflow made: models, dates, sets. `plain` is the one place that says what
becomes of them, and refuses what cannot be kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

JsonObject: TypeAlias = dict[str, object]
"""A JSON object, parsed."""


@runtime_checkable
class Dumpable(Protocol):
    """An object that knows its plain form."""

    def to_dict(self) -> JsonObject:
        """Its plain form."""
        ...


@runtime_checkable
class Model(Protocol):
    """What is used of a pydantic model, which this room does not import."""

    def model_dump(self, *, mode: str = "python", exclude_none: bool = False) -> JsonObject:
        """Its fields."""
        ...

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        """Its fields as JSON text."""
        ...


Plain: TypeAlias = "Mapping[str, object] | Dumpable"
"""Part of a run that is a JSON object, or an object that knows how to become one."""

_SCALARS = frozenset({str, int, float, bool, type(None)})


def plain(value: object) -> object:
    """The value with nothing in it but what JSON knows; nothing of it is shared with the original.

    Models and objects with a `to_dict` are dumped, instants become ISO 8601 text, UUIDs and decimals text,
    enums their values, sets and tuples lists. A set is sorted, so that the same set is always the same list.

    Raises:
        TypeError: It holds bytes, or an object of which no plain form is known.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    convert = _CONVERTERS.get(kind)
    if convert is None:
        convert = _CONVERTERS[kind] = _converter(kind)
    return convert(value)


_Convert: TypeAlias = Callable[..., object]


def _mapping(value: Mapping[object, object]) -> JsonObject:
    return {key if type(key) is str else _key(key): plain(item) for key, item in value.items()}


def _list(value: Iterable[object]) -> list[object]:
    return [plain(item) for item in value]


def _set(value: Iterable[object]) -> list[object]:
    return sorted((plain(item) for item in value), key=_order)


def _model(value: Model) -> object:
    return plain(value.model_dump(mode="json", exclude_none=True))


def _dumpable(value: Dumpable) -> object:
    return plain(value.to_dict())


def _record(value: Dumpable) -> object:
    """One of ours, whose plain form is plain all through."""
    return value.to_dict()


def _dataclass(value: object) -> object:
    return {field.name: plain(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]  # it is one


def _bytes(value: object) -> object:
    raise TypeError("bytes cannot be kept in a session; keep them as a file and a reference to it")


def _unknown(value: object) -> object:
    raise TypeError(
        f"a value of type {type(value).__name__} cannot be kept in a session; "
        "give it a to_dict(), or keep a dict, a list or text instead"
    )


_BY_CLASS: tuple[tuple[type | tuple[type, ...], _Convert], ...] = (
    (Enum, lambda value: plain(value.value)),
    ((str, int, float), lambda value: value),
    ((datetime, date, time), lambda value: value.isoformat()),
    ((UUID, Decimal), str),
    ((bytes, bytearray, memoryview), _bytes),
    (Mapping, _mapping),
    (Set, _set),
)


def _converter(kind: type) -> _Convert:
    """What makes values of a class plain; looked for once, as looking takes longer than doing."""
    for classes, convert in _BY_CLASS:
        if issubclass(kind, classes):
            return convert
    if hasattr(kind, "model_dump"):
        return _model
    if hasattr(kind, "to_dict"):
        return _record if kind.__module__.startswith("weft.sessions.") else _dumpable
    if issubclass(kind, Sequence):
        return _list
    return _dataclass if is_dataclass(kind) else _unknown


_CONVERTERS: dict[type, _Convert] = {dict: _mapping, list: _list, tuple: _list}


def _order(item: object) -> tuple[str, str]:
    return type(item).__name__, item if isinstance(item, str) else json.dumps(item, sort_keys=True).zfill(20)


def _key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    return str(key)


def plain_object(value: Mapping[str, object]) -> JsonObject:
    """As `plain`, of a mapping."""
    return {_key(key): plain(item) for key, item in value.items()}


_NAMES: dict[type, dict[str, None]] = {}


def field_names(record: type) -> Mapping[str, None]:
    """Names of a dataclass's fields that its constructor takes, in their order."""
    found = _NAMES.get(record)
    if found is None:
        found = _NAMES[record] = dict.fromkeys(field.name for field in fields(record) if field.init)
    return found


def held(record: object) -> Iterator[tuple[str, object]]:
    """Fields of a dataclass's instance that are not `None`, by name; most of a run's are."""
    names = field_names(type(record))
    return ((name, value) for name, value in vars(record).items() if value is not None and name in names)


def known(record: type, data: Mapping[str, object], *, without: Collection[str] = ()) -> dict[str, object]:
    """The part of the data that is fields of a dataclass; everything below the top is copied."""
    names = field_names(record)
    return {name: plain(value) for name, value in data.items() if name in names and name not in without}


def objects(value: object) -> list[Mapping[str, object]]:
    """The mappings of a list; empty for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, Sequence) else []
