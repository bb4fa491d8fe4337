"""The base of the console's models, and of those that older programs treat as dictionaries."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from weft.wire._model import WireModel
from weft.wire.instant import Instant, parse_instant

D = TypeVar("D")

_ON_EVERY_MODEL = frozenset({"id", "created_at", "updated_at"})


class ConsoleModel(WireModel):
    """A JSON object of the console API.

    `id`, `created_at` and `updated_at` can be read from every model; they are ``None`` where the object has
    none, and are then no part of `to_dict`.
    """

    if TYPE_CHECKING:

        @property
        def id(self) -> str | None:
            """What the server calls the object."""

        @property
        def created_at(self) -> int | None:
            """Unix seconds."""

        @property
        def updated_at(self) -> int | None:
            """Unix seconds."""

    else:

        def __getattr__(self, name: str) -> object:
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name in _ON_EVERY_MODEL:
                    return None
                raise

    @property
    def created_datetime(self) -> datetime | None:
        """`created_at` as an aware UTC datetime; zero is a valid time."""
        return moment(self.created_at)

    @property
    def updated_datetime(self) -> datetime | None:
        """`updated_at` as an aware UTC datetime."""
        return moment(self.updated_at)


class SparseConsoleModel(ConsoleModel):
    """An object that goes back as it came: a key that nobody gave is absent when it is dumped."""

    def to_dict(self, *, include_none: bool = True) -> dict[str, object]:
        """The keys that were given, declared or not, with the values that were given.

        Args:
            include_none: Whether keys that were given as null appear.
        """
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=not include_none)

    def to_json(self) -> bytes:
        """This object as compact UTF-8 JSON."""
        return self.__pydantic_serializer__.to_json(self, exclude_unset=True)


class MappingModel(ConsoleModel):
    """A small object that can also be read like a dictionary of its wire names."""

    def __getitem__(self, name: str) -> object:
        return self.to_dict()[name]

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # keys, like a mapping
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __contains__(self, name: object) -> bool:
        return name in self.to_dict()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dict):
            return self.to_dict() == other
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def keys(self) -> KeysView[str]:
        """The wire names."""
        return self.to_dict().keys()

    def values(self) -> ValuesView[object]:
        """The values as plain JSON values."""
        return self.to_dict().values()

    def items(self) -> ItemsView[str, object]:
        """Pairs of wire name and plain JSON value."""
        return self.to_dict().items()

    def get(self, name: str, default: D | None = None) -> object | D:
        """The value of a wire name, or `default`."""
        return self.to_dict().get(name, default)


Mapping.register(MappingModel)


def moment(value: Instant | None) -> datetime | None:
    """An aware UTC datetime, or ``None``."""
    return None if value is None else parse_instant(value)
