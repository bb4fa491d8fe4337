"""Parameters that a model is to find in a text: their schema, their check, and their form.

Source: Dify app DSL, node type ``parameter-extractor``. What a model gets wrong never fails the node: the
values are brought into their types as far as they go, and the reason is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.variables import Value

ParameterType = Literal[
    "string",
    "number",
    "boolean",
    "select",
    "array[string]",
    "array[number]",
    "array[object]",
    "array[boolean]",
]

RESERVED_NAMES = frozenset({"__reason", "__is_success", "__usage"})

_SYNONYMS = {"bool": "boolean", "array[bool]": "array[boolean]"}
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})


class Parameter(BaseModel):
    """One thing to find."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1)
    type: ParameterType = "string"
    options: list[str] = Field(default_factory=list)
    """What a ``select`` may be; for other types nothing is said by them."""
    description: str = ""
    required: bool = False

    @field_validator("name")
    @classmethod
    def _allowed(cls, value: str) -> str:
        if value in RESERVED_NAMES:
            raise ValueError(f"a parameter may not be called {value!r}; the node has an output of that name")
        return value

    @field_validator("type", mode="before")
    @classmethod
    def _type(cls, value: object) -> object:
        return _SYNONYMS.get(value, value) if isinstance(value, str) else value

    @field_validator("options", mode="before")
    @classmethod
    def _options(cls, value: object) -> object:
        return [str(item) for item in value] if isinstance(value, list) else []

    @field_validator("description", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("required", mode="before")
    @classmethod
    def _required(cls, value: object) -> object:
        return value or False


def object_schema(parameters: Sequence[Parameter]) -> dict[str, object]:
    """The JSON Schema of an object with these parameters."""
    return {
        "type": "object",
        "properties": {item.name: _schema(item) for item in parameters},
        "required": [item.name for item in parameters if item.required],
    }


def find_problem(parameters: Sequence[Parameter], found: Mapping[str, Value]) -> str | None:
    """What is wrong with what a model found; ``None`` if nothing is."""
    for item in parameters:
        value = found.get(item.name)
        if item.name not in found or value is None:
            if item.required:
                return f"the required parameter {item.name!r} was not found"
            continue
        if item.type == "select" and value not in item.options:
            return f"the parameter {item.name!r} is none of its options"
        if not _fits(item.type, value):
            return f"the parameter {item.name!r} is not of type {item.type}"
    if len(found) != len(parameters):
        return f"{len(parameters)} parameters were asked for, but {len(found)} were found"
    return None


def shape(parameters: Sequence[Parameter], found: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters in their types; what is absent or cannot be read is empty."""
    return {item.name: _shaped(item.type, found.get(item.name)) for item in parameters}


def _schema(item: Parameter) -> dict[str, object]:
    schema: dict[str, object]
    if item.type.startswith("array["):
        schema = {"type": "array", "items": {"type": item.type[6:-1]}}
    else:
        schema = {"type": "string" if item.type == "select" else item.type}
    if item.type == "select" and item.options:
        schema["enum"] = list(item.options)
    if item.description:
        schema["description"] = item.description
    return schema


def _fits(type: str, value: Value) -> bool:
    if type.startswith("array["):
        return isinstance(value, list) and all(_fits(type[6:-1], item) for item in value)
    match type:
        case "number":
            return isinstance(value, int | float)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case _:
            return isinstance(value, str)


def _shaped(type: str, value: Value) -> Value:
    if type.startswith("array["):
        read = _READERS[type[6:-1]]
        items = (read(item) for item in value) if isinstance(value, list) else ()
        return [item for item in items if item is not None]
    shaped = _READERS[type](value)
    return _EMPTY[type] if shaped is None else shaped


def _read_text(value: Value) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _read_number(value: Value) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read_boolean(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _read_object(value: Value) -> Value:
    return value if isinstance(value, dict) else None


_READERS: dict[str, Callable[[Value], Value]] = {
    "string": _read_text,
    "select": _read_text,
    "number": _read_number,
    "boolean": _read_boolean,
    "object": _read_object,
}
_EMPTY: dict[str, Value] = {"string": "", "select": "", "number": 0, "boolean": False}
