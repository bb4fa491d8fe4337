"""Values as JSON that gives back exactly the same values: files, odd numbers and odd texts included.

The JSON of the API is for readers: it shows a file as a mapping, and infinities as null. What a run goes on
with after days must be what it had, so here everything that JSON has no form for stands in a mapping with a
single key that begins with ``$``.
"""

from __future__ import annotations

import math
from typing import cast

import msgspec

from weft.errors import VariableError
from weft.variables.file import File
from weft.variables.value import Value

_MAX_SAFE = 2**53
"""Integers beyond it are written as text: not every reader of JSON keeps them."""


def freeze(value: Value) -> object:
    """The value as data for JSON.

    Raises:
        VariableError: It is nested too deeply, or is nothing that a variable may hold.
    """
    try:
        return _freeze(value)
    except RecursionError as error:
        raise VariableError("a value is nested too deeply to be saved") from error


def thaw(value: object) -> Value:
    """The value that `freeze` was given.

    Raises:
        ValueError: It is nothing that `freeze` gives.
    """
    if isinstance(value, list):
        return [thaw(item) for item in value]
    if not isinstance(value, dict):
        return cast(Value, value)
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key.startswith("$"):
            return _thaw_marked(key, inner)
    return {key: thaw(item) for key, item in value.items()}


def thaw_all(values: object) -> dict[str, Value]:
    """The mapping of values that `freeze` was given.

    Raises:
        ValueError: It is nothing that `freeze` gives.
    """
    thawed = thaw(values)
    if not isinstance(thawed, dict):
        raise ValueError(f"a mapping was expected, not a {type(thawed).__name__}")
    return thawed


def _freeze(value: Value) -> object:
    match value:
        case None | bool():
            return value
        case str():
            return (
                value if _is_writable(value) else {"$text": value.encode("utf-16-le", "surrogatepass").hex()}
            )
        case int():
            return value if -_MAX_SAFE <= value <= _MAX_SAFE else {"$int": hex(value)}
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case File():
            return {"$file": _freeze(cast(Value, msgspec.structs.asdict(value)))}
        case list():
            return [_freeze(item) for item in value]
        case dict():
            if all(type(key) is str and not key.startswith("$") and _is_writable(key) for key in value):
                return {key: _freeze(item) for key, item in value.items()}
            return {"$map": [[_freeze(cast(Value, key)), _freeze(item)] for key, item in value.items()]}
        case _:
            raise VariableError(f"a value of type {type(value).__name__} cannot be saved")


def _thaw_marked(mark: str, inner: object) -> Value:
    match mark, inner:
        case "$file", dict():
            return msgspec.convert(thaw(inner), File)
        case "$map", list():
            return {cast(str, thaw(key)): thaw(item) for key, item in inner}
        case "$int", str():
            return int(inner, 16)
        case "$float", str():
            return float(inner)
        case "$text", str():
            return bytes.fromhex(inner).decode("utf-16-le", "surrogatepass")
        case _:
            raise ValueError(f"unknown mark {mark!r}")


def _is_writable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
