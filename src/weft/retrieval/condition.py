"""Conditions on what was noted down about a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from weft.variables import Value

MetadataOperator = Literal[
    "contains",
    "not contains",
    "start with",
    "end with",
    "is",
    "is not",
    "in",
    "not in",
    "empty",
    "not empty",
    "=",
    "≠",
    ">",
    "<",
    "≥",
    "≤",
    "before",
    "after",
]
Wanted = str | float | list[str] | None

_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda actual, wanted: actual == wanted,
    "≠": lambda actual, wanted: actual != wanted,
    ">": lambda actual, wanted: actual > wanted,
    "<": lambda actual, wanted: actual < wanted,
    "≥": lambda actual, wanted: actual >= wanted,
    "≤": lambda actual, wanted: actual <= wanted,
    "before": lambda actual, wanted: actual < wanted,
    "after": lambda actual, wanted: actual > wanted,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda actual, wanted: wanted in actual,
    "not contains": lambda actual, wanted: wanted not in actual,
    "start with": lambda actual, wanted: actual.startswith(wanted),
    "end with": lambda actual, wanted: actual.endswith(wanted),
    "is": lambda actual, wanted: actual == wanted,
    "is not": lambda actual, wanted: actual != wanted,
}


@dataclass(frozen=True, slots=True)
class MetadataCondition:
    """A comparison of one entry with a value."""

    name: str
    operator: MetadataOperator
    value: Wanted = None

    def matches(self, metadata: Mapping[str, Value]) -> bool:
        """Whether a document is like that; one without the entry is, where something is denied."""
        actual = metadata.get(self.name)
        if self.operator in ("empty", "not empty"):
            return (actual in (None, "", [])) is (self.operator == "empty")
        if actual is None:
            return self.operator in ("not contains", "is not", "≠", "not in")
        if self.operator in ("in", "not in"):
            wanted = self.value if isinstance(self.value, list) else str(self.value or "").split(",")
            return (str(actual) in [item.strip() for item in wanted]) is (self.operator == "in")
        if self.operator in _NUMBERS:
            left, right = _number(actual), _number(self.value)
            return left is not None and right is not None and _NUMBERS[self.operator](left, right)
        return _TEXTS[self.operator](str(actual), "" if self.value is None else str(self.value))


@dataclass(frozen=True, slots=True)
class MetadataFilter:
    """Conditions joined by one operator."""

    conditions: Sequence[MetadataCondition]
    logical_operator: Literal["and", "or"] = "and"

    def matches(self, metadata: Mapping[str, Value]) -> bool:
        """Whether a document may be looked at; without any condition every one may."""
        if not self.conditions:
            return True
        joined = any if self.logical_operator == "or" else all
        return joined(condition.matches(metadata) for condition in self.conditions)


def _number(value: object) -> float | None:
    """A number, or the seconds since 1970 of a date in ISO form."""
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
