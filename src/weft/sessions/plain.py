"""Values as plain data: what JSON can hold and nothing else.

A run may hold anything that its workflow made: models, dates, sets. `plain` is the one place that says what
becomes of them, and refuses what cannot be kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Protocol, Self, TypeAlias, runtime_checkable
from uuid import UUID

JsonObject: TypeAlias = dict[str, object]
"""A JSON object, parsed."""


@runtime_checkable
class Dumpable(Protocol):
    """An object that knows its plain form."""

    def to_dict(self) -> JsonObject:
        """Its plain form."""
        ...


class Part:
    """A part of a session, which knows its plain form."""

    def to_dict(self) -> JsonObject:
        """Its plain form, which shares nothing with it.

        Raises:
            TypeError: It holds something that has no plain form.
        """
        return self.dumped(plain)

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields, each made plain by `convert`."""
        raise NotImplementedError

    @classmethod
    def built(cls, fields: Mapping[str, object]) -> Self:
        """One with these fields, in half the time of a constructor of which most arguments are absent."""
        blank = _BLANKS.get(cls)
        if blank is None:
            blank = _BLANKS[cls] = _Blank(cls)
        if not blank.suffices:
            return cls(**fields)
        made = cls.__new__(cls)
        vars(made).update(blank.defaults)
        for name, make in blank.factories:
            if name not in fields:
                vars(made)[name] = make()
        vars(made).update(fields)
        return made


class _Blank:
    """What the constructor of a dataclass fills in."""

    def __init__(self, record: type) -> None:
        self.suffices = not hasattr(record, "__post_init__") and "__init__" in vars(record)
        self.defaults: dict[str, object] = {}
        self.factories: list[tuple[str, Callable[[], object]]] = []
        for field in fields(record):
            self.defaults[field.name] = None if field.default is MISSING else field.default
            if field.default_factory is not MISSING:
                self.factories.append((field.name, field.default_factory))


_BLANKS: dict[type, _Blank] = {}


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

Convert: TypeAlias = "Callable[[object], object]"
"""What becomes of a value: `plain`, `shared` or `taken`."""

SCALARS = frozenset({str, int, float, bool, type(None)})


def plain(value: object) -> object:
    """The value with nothing in it but what JSON knows; nothing of it is shared with the original.

    Models and objects with a `to_dict` are dumped, instants become ISO 8601 text, UUIDs and decimals text,
    enums their values, sets and tuples lists. A set is sorted, so that the same set is always the same list.

    Raises:
        TypeError: It holds bytes, or an object of which no plain form is known.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    convert = _CONVERTERS.get(kind)
    if convert is None:
        convert = _CONVERTERS[kind] = _converter(kind)
    return convert(value)


def shared(value: object) -> object:
    """As `plain`, for those who write the result and forget it: dicts are not copied, and must be plain."""
    kind = type(value)
    if kind in SCALARS or kind is dict:
        return value
    if kind is list:
        return [shared(item) for item in value]  # type: ignore[attr-defined]  # told by `kind`
    return value.dumped(shared) if isinstance(value, Part) else plain(value)


def taken(value: object) -> object:
    """As `plain`, of what is plain already and belongs to nobody else: JSON that has just been read."""
    return value


_Convert: TypeAlias = Callable[..., object]


def _mapping(value: Mapping[object, object] | Mapping[str, object]) -> JsonObject:
    # Most of what is in there are scalars, and a call for each would take most of the time.
    return {
        key if type(key) is str else _key(key): item if type(item) in SCALARS else plain(item)
        for key, item in value.items()
    }


def _list(value: Iterable[object]) -> list[object]:
    return [item if type(item) in SCALARS else plain(item) for item in value]


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
        return _record if getattr(kind, "to_dict", None) is Part.to_dict else _dumpable
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
    return _mapping(value)


_NAMES: dict[type, dict[str, None]] = {}


def field_names(record: type) -> Mapping[str, None]:
    """Names of a dataclass's fields that its constructor takes, in their order."""
    found = _NAMES.get(record)
    if found is None:
        found = _NAMES[record] = dict.fromkeys(field.name for field in fields(record) if field.init)
    return found


def held(record: object) -> list[tuple[str, object]]:
    """Fields of a dataclass's instance that are not `None`, by name; most of a run's are."""
    names = field_names(type(record))
    return [(name, value) for name, value in vars(record).items() if value is not None and name in names]


def known(
    record: type, data: Mapping[str, object], *, without: Collection[str] = (), convert: Convert = plain
) -> dict[str, object]:
    """The part of the data that is fields of a dataclass; what is below the top goes through `convert`."""
    names = field_names(record)
    return {
        name: value if type(value) in SCALARS else convert(value)
        for name, value in data.items()
        if name in names and name not in without
    }


def objects(value: object) -> list[Mapping[str, object]]:
    """The mappings of a list; empty for anything else."""
    if value is None or not isinstance(value, list | Sequence):
        return []
    return [item for item in value if isinstance(item, dict | Mapping)]
