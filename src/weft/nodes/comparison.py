"""What each comparison operator of a condition asks of a value.

Each function takes the actual and the expected value and tells whether they agree. The rules differ in what
they make of nothing: an absent number compares false to everything, also under `≠`.

Source: Dify app DSL, conditions of the if-else node.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from weft.variables import Value

Comparison: TypeAlias = Callable[[Value, Value], bool]

Operator = Literal[
    "contains",
    "not contains",
    "start with",
    "end with",
    "is",
    "is not",
    "empty",
    "not empty",
    "in",
    "not in",
    "all of",
    "=",
    "≠",
    ">",
    "<",
    "≥",
    "≤",
    "null",
    "not null",
    "exists",
    "not exists",
]

UNARY: frozenset[Operator] = frozenset({"empty", "not empty", "null", "not null", "exists", "not exists"})
"""Operators that look at the actual value alone."""


def _contains(actual: Value, expected: Value) -> bool:
    if not actual:
        return False
    if isinstance(actual, str):
        return (expected if isinstance(expected, str) else str(expected)) in actual
    if isinstance(actual, list):
        return expected in actual
    raise TypeError("only a text or a list can contain something")


def _not_contains(actual: Value, expected: Value) -> bool:
    return not _contains(actual, expected)


def _start_with(actual: Value, expected: Value) -> bool:
    return bool(actual) and _text(actual).startswith(_text(expected))


def _end_with(actual: Value, expected: Value) -> bool:
    return bool(actual) and _text(actual).endswith(_text(expected))


def _is(actual: Value, expected: Value) -> bool:
    return actual is not None and _nominal(actual) == expected


def _is_not(actual: Value, expected: Value) -> bool:
    return actual is not None and _nominal(actual) != expected


def _equal(actual: Value, expected: Value) -> bool:
    return actual is not None and actual == _like(actual, expected)


def _not_equal(actual: Value, expected: Value) -> bool:
    return actual is not None and actual != _like(actual, expected)


def _ordered(compare: Callable[[float, float], bool]) -> Comparison:
    def ordered(actual: Value, expected: Value) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, int | float):
            raise TypeError("only a number can be greater or less")
        return compare(actual, _number(expected))

    return ordered


def _in(actual: Value, expected: Value) -> bool:
    if not actual:
        return False
    if not isinstance(expected, list):
        raise TypeError("what it is to be in must be a list")
    return actual in expected


def _not_in(actual: Value, expected: Value) -> bool:
    return not _in(actual, expected)


def _all_of(actual: Value, expected: Value) -> bool:
    if not isinstance(expected, list):
        raise TypeError("the expected value must be a list of texts or of booleans")
    if isinstance(actual, list) and actual:
        return all(item in actual for item in expected)
    if isinstance(actual, str) and actual:
        return all(isinstance(item, str) and item in actual for item in expected)
    return False


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError("both values must be texts")
    return value


def _nominal(actual: Value) -> str | bool:
    if not isinstance(actual, str | bool):
        raise TypeError("only a text or a boolean can be compared in this way; use = or ≠ for a number")
    return actual


def _like(actual: Value, expected: Value) -> float:
    """The expected value, read as a number of the same kind as the actual one."""
    if not isinstance(actual, int | float):
        raise TypeError("only a number can be compared in this way; use is or is not for a text")
    if not isinstance(expected, str | int | float):
        raise TypeError(f"{expected!r} is not a number")
    if isinstance(actual, bool):
        return bool(expected)
    return int(expected) if isinstance(actual, int) else float(expected)


def _number(expected: Value) -> float:
    if isinstance(expected, str):
        number = float(expected)
        return int(number) if number.is_integer() else number
    if not isinstance(expected, int | float):
        raise TypeError(f"{expected!r} is not a number")
    return expected


COMPARISONS: Mapping[Operator, Comparison] = {
    "contains": _contains,
    "not contains": _not_contains,
    "start with": _start_with,
    "end with": _end_with,
    "is": _is,
    "is not": _is_not,
    "empty": lambda actual, _: not actual,
    "not empty": lambda actual, _: bool(actual),
    "in": _in,
    "not in": _not_in,
    "all of": _all_of,
    "=": _equal,
    "≠": _not_equal,
    ">": _ordered(operator.gt),
    "<": _ordered(operator.lt),
    "≥": _ordered(operator.ge),
    "≤": _ordered(operator.le),
    "null": lambda actual, _: actual is None,
    "not null": lambda actual, _: actual is not None,
    "exists": lambda actual, _: actual is not None,
    "not exists": lambda actual, _: actual is None,
}
"""By operator; each raises `TypeError` or `ValueError` for values that it cannot compare."""
