"""What a tool can be told, and how a given value becomes the one that the tool expects.

Source: Dify plugin protocol, tool parameters and their casting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from weft.variables import File, Value, render_text, to_native

ParameterType: TypeAlias = Literal[
    "string",
    "number",
    "boolean",
    "select",
    "secret-input",
    "file",
    "files",
    "array",
    "object",
    "any",
]
ParameterForm: TypeAlias = Literal["llm", "form"]
"""Who gives the value: the flow or a model, or only whoever set the tool up."""

_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})
_JSON_TYPES: dict[ParameterType, str] = {
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}


class ToolParameter(Struct, frozen=True, kw_only=True):
    """One parameter of a tool."""

    name: str
    type: ParameterType = "string"
    required: bool = False
    form: ParameterForm = "llm"
    description: str = ""
    """For the model that fills it in."""
    default: Value = None
    options: tuple[str, ...] = ()
    """The only values of a ``select``; no matter for other types but as a hint for models."""
    schema: dict[str, object] | None = None
    """JSON Schema of the value where it is known more closely than `type` says."""

    @property
    def is_file(self) -> bool:
        """Whether it takes files, which a model cannot give."""
        return self.type in ("file", "files")

    def json_schema(self) -> dict[str, object]:
        """What a model is told of it."""
        if self.schema is not None:
            described = {"description": self.description} if self.description else {}
            return {**described, **self.schema}
        schema: dict[str, object] = {}
        if self.type != "any":
            schema["type"] = _JSON_TYPES.get(self.type, "string")
        if self.type == "array":
            schema["items"] = {}
        if self.description:
            schema["description"] = self.description
        if self.options:
            schema["enum"] = list(self.options)
        return schema

    def cast(self, value: Value) -> Value:
        """The value as this parameter's type; ``None`` if there is none.

        Raises:
            ValueError: It cannot be read as that type; the message says so without naming the parameter.
        """
        match self.type:
            case "string" | "secret-input":
                return value if value is None else _text(value)
            case "select":
                return self._choice(value)
            case "number":
                return _number(value)
            case "boolean":
                return _boolean(value)
            case "file":
                return _file(value)
            case "files":
                return _files(value)
            case "array":
                return _array(value)
            case "object":
                return _object(value)
            case _:
                return value

    def _choice(self, value: Value) -> Value:
        if value is None or value == "":
            return None
        text = _text(value)
        if not self.options or text in self.options:
            return text
        # A file may hold the boolean that an editor shows as a choice.
        for option in self.options:
            if option.lower() == text.lower():
                return option
        raise ValueError(f"{shortened(text)!r} is none of: {', '.join(self.options)}")


def shortened(text: str, limit: int = 100) -> str:
    """A text for a message."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def arguments_schema(parameters: Sequence[ToolParameter]) -> dict[str, object]:
    """JSON Schema of an object with these parameters."""
    return {
        "type": "object",
        "properties": {parameter.name: parameter.json_schema() for parameter in parameters},
        "required": [parameter.name for parameter in parameters if parameter.required],
    }


def cast_arguments(parameters: Sequence[ToolParameter], values: Mapping[str, Value]) -> dict[str, Value]:
    """The arguments of a call: every given value as its type, defaults where none is given.

    Values that no parameter takes are dropped, parameters without any value are left out.

    Raises:
        ValueError: A value is missing or wrong; the message names the parameter.
    """
    arguments: dict[str, Value] = {}
    for parameter in parameters:
        try:
            value = parameter.cast(values.get(parameter.name))
            if value is None or (value == "" and parameter.default is not None):
                value = parameter.cast(parameter.default)
        except ValueError as error:
            raise ValueError(f"parameter {parameter.name!r}: {error}") from error
        if value is not None:
            arguments[parameter.name] = value
        elif parameter.required:
            raise ValueError(f"parameter {parameter.name!r} is required; give it a value")
    return arguments


def _text(value: Value) -> str:
    if isinstance(value, dict | list):
        return msgspec.json.encode(to_native(value)).decode()
    return value.link if isinstance(value, File) else render_text(value)


def _number(value: Value) -> Value:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            number = int(text) if text.lstrip("+-").isdecimal() else float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        raise ValueError(f"{shortened(text)!r} is no number")
    raise ValueError(f"a number is expected, not {_kind(value)}")


def _boolean(value: Value) -> Value:
    if isinstance(value, str):
        text = value.strip().lower()
        if not text:
            return None
        if text in _YES | _NO:
            return text in _YES
        raise ValueError(f"{shortened(text)!r} is neither true nor false")
    return value if value is None else bool(value)


def _file(value: Value) -> Value:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in (None, "", []) or isinstance(value, File):
        return value or None
    raise ValueError(f"a file is expected, not {_kind(value)}")


def _files(value: Value) -> Value:
    if isinstance(value, File):
        return [value]
    if value is None or value == "":
        return None
    if isinstance(value, list) and all(isinstance(item, File) for item in value):
        return value
    raise ValueError(f"files are expected, not {_kind(value)}")


def _array(value: Value) -> Value:
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        decoded = _decoded(value)
        return decoded if isinstance(decoded, list) else [value]
    return [value]


def _object(value: Value) -> Value:
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        decoded = _decoded(value)
        if isinstance(decoded, dict):
            return decoded
        raise ValueError(f"{shortened(value)!r} is no JSON object")
    raise ValueError(f"an object is expected, not {_kind(value)}")


def _decoded(text: str) -> Value:
    try:
        return msgspec.json.decode(text)  # type: ignore[no-any-return]  # plain JSON is a value
    except (msgspec.DecodeError, RecursionError):
        return None


def _kind(value: Value) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return f"the text {shortened(value)!r}"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return "a file"
