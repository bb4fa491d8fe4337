"""All values of one run.

A pool is two levels deep: node id, then variable name. A container gives each of its items an overlay: reads
fall through to the pool below, writes stay on top. Values are never changed in place, so an overlay behaves
as the deep copy that it replaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any, Final

from weft.errors import VariableError
from weft.variables.file import File
from weft.variables.frozen import freeze, thaw_all
from weft.variables.selector import Selector
from weft.variables.value import Value, ValueType, infer_type

RESERVED = frozenset({"sys", "env", "conversation", "rag"})
"""First parts of selectors that no node may use as its id."""


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING
"""No value at that path; a value may itself be ``None``."""


class VariablePool:
    """Values by selector."""

    __slots__ = ("_below", "_types", "_values")

    def __init__(self, below: VariablePool | None = None) -> None:
        self._values: dict[str, dict[str, Value]] = {}
        self._types: dict[Selector, ValueType] = {} if below is None else below._types
        self._below = below

    def find(self, selector: Selector) -> Value | Missing:
        """The value at that path, or `MISSING`; further parts walk into objects and files."""
        if len(selector) < 2:
            return MISSING
        pool: VariablePool | None = self
        while pool is not None:
            values = pool._values.get(selector[0])
            if values is not None and selector[1] in values:
                value = values[selector[1]]
                return value if len(selector) == 2 else walk(value, selector[2:])
            pool = pool._below
        return MISSING

    def get(self, selector: Selector) -> Value:
        """The value at that path.

        Raises:
            VariableError: There is none.
        """
        value = self.find(selector)
        if value is MISSING:
            raise VariableError(f"variable {'.'.join(selector)!r} was not found; no node that ran has set it")
        return value

    def set(self, node_id: str, name: str, value: Value, type: ValueType | None = None) -> None:
        """Put a value, and remember its declared type if it has one."""
        self._values.setdefault(node_id, {})[name] = value
        if type is not None:
            self._types[node_id, name] = type

    def update(self, node_id: str, values: Mapping[str, Value]) -> None:
        """Put all outputs of a node."""
        known = self._values.get(node_id)
        if known is None:
            self._values[node_id] = dict(values)
        else:
            known.update(values)

    def assign(self, selector: Selector, value: Value) -> None:
        """Replace a value: a conversation variable in this pool, any other in the pool that holds it."""
        pool: VariablePool | None = self
        if selector[0] != "conversation":
            while pool is not None and selector[1] not in pool._values.get(selector[0], ()):
                pool = pool._below
        (pool or self).set(selector[0], selector[1], value)

    def type_of(self, selector: Selector) -> ValueType:
        """The declared type, else the type of the value itself.

        Raises:
            VariableError: There is no such variable.
        """
        declared = self._types.get(selector)
        return declared if declared is not None else infer_type(self.get(selector))

    def declared_type(self, selector: Selector) -> ValueType | None:
        """The type that was given along with the value, if one was."""
        return self._types.get(selector)

    def forget(self, node_ids: Iterable[str]) -> None:
        """Drop everything that these nodes have put into this pool."""
        for node_id in node_ids:
            self._values.pop(node_id, None)

    def overlay(self) -> VariablePool:
        """A pool on top of this one."""
        return VariablePool(self)

    def own(self, node_id: str) -> Mapping[str, Value]:
        """What was put under that first part in this very pool, not in the ones below."""
        return self._values.get(node_id, {})

    def own_values(self) -> dict[str, Value]:
        """Everything that was put into this very pool, by first part and name."""
        return {node_id: dict(values) for node_id, values in self._values.items()}

    def save(self, *, without: Collection[str] = ()) -> dict[str, object]:
        """Values and declared types of this pool as data for JSON; what lies below is not told.

        Args:
            without: First parts to leave out.
        """
        return {
            "values": {
                node_id: freeze(values) for node_id, values in self._values.items() if node_id not in without
            },
            "types": [
                [node_id, name, type]
                for (node_id, name), type in self._types.items()
                if node_id not in without
            ],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put in what `save` gave, on top of what is there.

        Raises:
            VariableError: It is nothing that `save` gives.
        """
        try:
            for node_id, values in saved["values"].items():
                self.update(node_id, thaw_all(values))
            for node_id, name, type in saved["types"]:
                self._types[node_id, name] = type
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise VariableError(f"the saved variables cannot be read: {error!r}") from error

    def all(self, node_id: str) -> dict[str, Value]:
        """Everything visible under that first part."""
        below = {} if self._below is None else self._below.all(node_id)
        return {**below, **self._values.get(node_id, {})}


def walk(value: Value, parts: Selector) -> Value | Missing:
    """The value that a path of keys leads to; lists are never entered."""
    for part in parts:
        if isinstance(value, dict):
            if part not in value:
                return MISSING
            value = value[part]
        elif isinstance(value, File):
            try:
                value = value.attribute(part)  # type: ignore[assignment]  # attributes are texts and numbers
            except KeyError:
                return MISSING
        else:
            return MISSING
    return value
