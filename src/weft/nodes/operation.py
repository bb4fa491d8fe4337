"""What the items of an assigner do to a value: which operation suits which type, and what comes out.

Source: Dify app DSL, assigner version 2.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Literal

from weft.nodes.assignment import VariableOperatorNodeError
from weft.variables import ARRAY_TYPES, Value, ValueType, element_type, matches, zero_value

Operation = Literal[
    "over-write",
    "clear",
    "set",
    "append",
    "extend",
    "remove-first",
    "remove-last",
    "+=",
    "-=",
    "*=",
    "/=",
]
InputType = Literal["variable", "constant"]

VALUELESS: frozenset[Operation] = frozenset({"clear", "remove-first", "remove-last"})
"""Operations that need nothing but the variable."""

_ARITHMETIC: Mapping[Operation, Callable[[float, float], float]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
    "/=": operator.truediv,
}
_ONLY_CONSTANT: frozenset[Operation] = frozenset({"set", *_ARITHMETIC})
_OF_ARRAYS: frozenset[Operation] = frozenset({"append", "extend", "remove-first", "remove-last"})
_SETTABLE: frozenset[ValueType] = frozenset({"string", "number", "boolean", "object"})
_MAX_INTEGER = 9_223_372_036_854_775_807
"""What every reader of our JSON can hold; a product may grow without end."""


class OperationNotSupportedError(VariableOperatorNodeError):
    """The operation does not exist for variables of that type."""


class InputTypeNotSupportedError(VariableOperatorNodeError):
    """The operation does not take its value from there."""


class InvalidInputValueError(VariableOperatorNodeError):
    """The value does not suit the variable, or the operation."""


class InvalidDataError(VariableOperatorNodeError):
    """The item, or what the variable holds, makes no sense."""


def check_supported(name: str, type: ValueType, operation: Operation, input_type: InputType) -> None:
    """Refuse what the operation cannot do to a variable of that type.

    Args:
        name: What to call the variable in the error.
        type: The variable's.
        operation: What is to be done.
        input_type: Where the value comes from.

    Raises:
        OperationNotSupportedError: The type has no such operation.
        InputTypeNotSupportedError: The value may not come from there.
    """
    if not _is_supported(type, operation):
        raise OperationNotSupportedError(
            f"{operation!r} is not possible on {name!r}, which is of type {type}"
        )
    if input_type == "variable":
        if operation in _ONLY_CONSTANT:
            raise InputTypeNotSupportedError(f"{operation!r} on {name!r} takes a constant, not a variable")
    elif not _takes_constant(type, operation):
        raise InputTypeNotSupportedError(
            f"{operation!r} on {name!r}, which is of type {type}, takes a variable, not a constant"
        )


def apply(name: str, type: ValueType, operation: Operation, current: Value, value: Value) -> Value:
    """The new value of a variable; `check_supported` has passed.

    Args:
        name: What to call the variable in the error.
        type: The variable's.
        operation: What is to be done.
        current: What the variable holds.
        value: What the item brings along.

    Raises:
        InvalidInputValueError: The value does not suit, or the result would be no number to store.
        InvalidDataError: What the variable holds is not of its type.
    """
    if operation == "clear":
        return zero_value(type)
    if operation in _OF_ARRAYS:
        return _apply_to_array(name, type, operation, current, value)
    if not matches(type, value):
        raise InvalidInputValueError(f"{name!r} is of type {type} and cannot hold {value!r:.200}")
    if operation in _ARITHMETIC:
        return _calculate(name, operation, current, value)
    return value


def _is_supported(type: ValueType, operation: Operation) -> bool:
    if operation in _OF_ARRAYS:
        return type in ARRAY_TYPES
    if operation in _ARITHMETIC:
        return type == "number"
    return operation != "set" or type in _SETTABLE


def _takes_constant(type: ValueType, operation: Operation) -> bool:
    return (operation in ("over-write", "set") and type in _SETTABLE) or operation in _ARITHMETIC


def _apply_to_array(name: str, type: ValueType, operation: Operation, current: Value, value: Value) -> Value:
    if not isinstance(current, list):
        raise InvalidDataError(f"{name!r} is of type {type}, but holds {current!r:.200}")
    match operation:
        case "remove-first":
            return current[1:]
        case "remove-last":
            return current[:-1]
        case "append":
            element = element_type(type)
            suits = matches(element, value) if element is not None else value is not None
            added = [value]
        case _:
            suits = matches(type, value)
            added = value if isinstance(value, list) else []
    if not suits:
        raise InvalidInputValueError(
            f"{operation!r} cannot add {value!r:.200} to {name!r}, which is of type {type}"
        )
    return [*current, *added]


def _calculate(name: str, operation: Operation, current: Value, value: Value) -> Value:
    if not isinstance(current, int | float) or not isinstance(value, int | float):
        raise InvalidDataError(f"{name!r} is of type number, but holds {current!r:.200}")
    if operation == "/=" and value == 0:
        raise InvalidInputValueError(f"{name!r} cannot be divided by zero")
    result = _ARITHMETIC[operation](current, value)
    if not math.isfinite(result) or (isinstance(result, int) and abs(result) > _MAX_INTEGER):
        raise InvalidInputValueError(f"{name!r} {operation} {value!r:.200} gives a number too large to store")
    return result
