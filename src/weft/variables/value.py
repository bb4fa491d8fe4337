"""Types of values: naming them, checking them, and what each is when it is empty."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from weft.errors import VariableError
from weft.variables.file import File

if TYPE_CHECKING:
    Value: TypeAlias = "str | bool | int | float | dict[str, Value] | list[Value] | File | None"
else:
    Value = Any
    """Plain data and files. msgspec cannot tell a mapping from a file in a union, so decoded data goes
    through `revive`."""

ValueType = Literal[
    "string",
    "number",
    "boolean",
    "object",
    "secret",
    "file",
    "none",
    "array[any]",
    "array[string]",
    "array[number]",
    "array[boolean]",
    "array[object]",
    "array[file]",
]

ARRAY_TYPES: frozenset[ValueType] = frozenset(
    {
        "array[any]",
        "array[string]",
        "array[number]",
        "array[boolean]",
        "array[object]",
        "array[file]",
    }
)

_ELEMENTS: dict[ValueType, ValueType] = {
    "array[string]": "string",
    "array[number]": "number",
    "array[boolean]": "boolean",
    "array[object]": "object",
    "array[file]": "file",
}
_ARRAYS: dict[ValueType, ValueType] = {element: array for array, element in _ELEMENTS.items()}


def element_type(type: ValueType) -> ValueType | None:
    """What an array of that type holds; ``None`` for ``array[any]`` and for what is no array."""
    return _ELEMENTS.get(type)


def infer_type(value: object) -> ValueType:
    """The type of an undeclared value.

    Raises:
        VariableError: The value is not of a kind that a run can hold.
    """
    match value:
        case None:
            return "none"
        case str():
            return "string"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case dict():
            return "object"
        case File():
            return "file"
        case list():
            kinds = {infer_type(item) for item in value}
            if len(kinds) == 1:
                return _ARRAYS.get(kinds.pop(), "array[any]")
            return "array[any]"
        case _:
            raise VariableError(f"a value of type {type(value).__name__} cannot be held by a variable")


def matches(type: ValueType, value: object) -> bool:
    """Whether a value may be held by a variable declared with that type."""
    match type:
        case "string" | "secret":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "file":
            return isinstance(value, File)
        case "none":
            return value is None
        case "array[any]":
            return isinstance(value, list)
        case _:
            element = _ELEMENTS[type]
            return isinstance(value, list) and all(matches(element, item) for item in value)


def zero_value(type: ValueType) -> Value:
    """What a variable of that type holds after it was cleared."""
    match type:
        case "string" | "secret":
            return ""
        case "number":
            return 0
        case "boolean":
            return False
        case "object":
            return {}
        case "file" | "none":
            return None
        case _:
            return []


def coerce(type: ValueType, value: object, *, name: str) -> Value:
    """A declared value from what a file or a form holds; a text that does not fit is tried as JSON.

    Args:
        type: The declared type.
        value: The given value.
        name: What to call the variable in the error.

    Raises:
        VariableError: The value does not fit the type.
    """
    if matches(type, value):
        return value  # type: ignore[return-value]  # `matches` is the check
    if isinstance(value, str):
        if not value.strip() and (type in ARRAY_TYPES or type == "object"):
            return zero_value(type)
        try:
            decoded = msgspec.json.decode(value)
        except msgspec.DecodeError:
            decoded = value
        if matches(type, decoded):
            return decoded  # type: ignore[no-any-return]  # checked by `matches`
    raise VariableError(
        f"variable {name!r} is declared as {type}, but its value is of type {infer_type(value)}"
    )


def to_native(value: Value) -> object:
    """The value as plain data for code and Jinja2: files become mappings."""
    if isinstance(value, File):
        return {"dify_model_identity": "__dify__file__", **msgspec.structs.asdict(value)}
    if isinstance(value, list):
        return [to_native(item) for item in value]
    if isinstance(value, dict):
        return {key: to_native(item) for key, item in value.items()}
    return value


def revive(value: object) -> Value:
    """A value from decoded JSON: mappings that are file records become files again.

    JSON that only looks like a file record stays a mapping, and what is nested too deeply to look into
    stays as it is.
    """
    try:
        return _revive(value)
    except RecursionError:
        return value  # type: ignore[return-value]  # decoded JSON holds nothing else


def _revive(value: object) -> Value:
    if isinstance(value, list):
        return [_revive(item) for item in value]
    if isinstance(value, dict):
        if value.get("dify_model_identity") == "__dify__file__":
            with contextlib.suppress(msgspec.ValidationError):
                return msgspec.convert(value, File, strict=False)
        return {str(key): _revive(item) for key, item in value.items()}
    return value  # type: ignore[return-value]  # decoded JSON holds nothing else
