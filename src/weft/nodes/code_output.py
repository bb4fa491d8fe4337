"""The check of what a code node's function returned.

Source: Dify app DSL, node type ``code``: declared outputs, limits (each inclusive) and classes of failures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from weft.errors import NodeFailedError
from weft.nodes.limits import Limits
from weft.variables import Value

OutputType = Literal[
    "string",
    "number",
    "object",
    "boolean",
    "array[string]",
    "array[number]",
    "array[object]",
    "array[boolean]",
]

_SCIENTIFIC = re.compile(r"-?\d+\.?\d*[eE][+-]\d+")


class CodeOutput(BaseModel):
    """One declared output."""

    model_config = ConfigDict(extra="ignore")

    type: OutputType
    children: dict[str, CodeOutput] | None = None
    """What an object, or each object of a list, holds; ``None`` for anything."""


class OutputCheck:
    """Checks returned values against declarations and limits, and tidies them.

    NUL characters are removed from texts; a boolean where a number is declared becomes 1 or 0; so does a text
    in scientific notation become a number there.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(self, returned: Mapping[str, object], declared: Mapping[str, CodeOutput]) -> dict[str, Value]:
        """The outputs of the node.

        Raises:
            NodeFailedError: One is missing, of the wrong type or beyond a limit (``OutputValidationError``),
                there are more than declared (``CodeNodeError``), or they are nested too deeply
                (``DepthLimitError``).
        """
        return self._object(returned, declared, "", 1)

    def _object(
        self, returned: Mapping[str, object], declared: Mapping[str, CodeOutput] | None, path: str, depth: int
    ) -> dict[str, Value]:
        self._check_depth(path, depth)
        prefix = f"{path}." if path else ""
        if declared is None:
            return {
                _without_nul(name): self._anything(value, f"{prefix}{name}", depth)
                for name, value in returned.items()
            }
        checked: dict[str, Value] = {}
        for name, output in declared.items():
            if name not in returned:
                raise _invalid(f"the code's output {prefix + name!r} is missing; return it from main")
            checked[name] = self._declared(returned[name], output, prefix + name, depth)
        if len(checked) != len(returned):
            extra = ", ".join(repr(prefix + name) for name in returned if name not in declared)
            raise NodeFailedError(
                f"the code returned {extra}, which is not declared; declare it as an output or leave it out",
                error_type="CodeNodeError",
            )
        return checked

    def _check_depth(self, path: str, depth: int) -> None:
        if depth > self._limits.max_object_depth:
            raise NodeFailedError(
                f"the code's output {path!r} is nested more than {self._limits.max_object_depth} levels "
                "deep; return something flatter",
                error_type="DepthLimitError",
            )

    def _declared(self, value: object, output: CodeOutput, path: str, depth: int) -> Value:
        match output.type:
            case _ if value is None:
                return None
            case "string":
                return self._string(value, path)
            case "number":
                return self._number(value, path)
            case "boolean":
                # Not held to be one: flows in the wild declare it for values of other types.
                return self._anything(value, path, depth)
            case "object":
                if not isinstance(value, dict):
                    raise _wrong_type(path, "an object", value)
                return self._object(value, output.children, path, depth + 1)
            case _:
                return self._array(value, output, path, depth)

    def _array(self, value: object, output: CodeOutput, path: str, depth: int) -> Value:
        limits, type = self._limits, output.type
        if not isinstance(value, list):
            raise _wrong_type(path, f"an {type}", value)
        most = {
            "array[string]": limits.max_string_array,
            "array[number]": limits.max_number_array,
            "array[object]": limits.max_object_array,
        }.get(type)
        if most is not None and len(value) > most:
            raise _invalid(f"the code's output {path!r} holds {len(value)} items; at most {most} are allowed")
        return [self._item(item, output, f"{path}[{index}]", depth) for index, item in enumerate(value)]

    def _item(self, item: object, output: CodeOutput, path: str, depth: int) -> Value:
        if output.type == "array[number]":
            return self._number(item, path)
        if item is None:
            return None
        if output.type == "array[string]":
            return self._string(item, path)
        if output.type == "array[boolean]":
            if not isinstance(item, bool):
                raise _wrong_type(path, "a boolean", item)
            return item
        if not isinstance(item, dict):
            raise _wrong_type(path, "an object", item)
        return self._object(item, output.children, path, depth + 1)

    def _string(self, value: object, path: str) -> str:
        if not isinstance(value, str):
            raise _wrong_type(path, "a string", value)
        if len(value) > self._limits.max_string_chars:
            raise _invalid(
                f"the code's output {path!r} has {len(value)} characters; "
                f"at most {self._limits.max_string_chars} are allowed"
            )
        return _without_nul(value)

    def _number(self, value: object, path: str) -> int | float:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and _SCIENTIFIC.fullmatch(value):
            value = float(value)
        if not isinstance(value, int | float):
            raise _wrong_type(path, "a number", value)
        if not -self._limits.max_number <= value <= self._limits.max_number:
            raise _invalid(
                f"the code's output {path!r} is out of range; "
                f"numbers go from -{self._limits.max_number} to {self._limits.max_number}"
            )
        if isinstance(value, float) and _decimal_places(value) > self._limits.max_number_precision:
            raise _invalid(
                f"the code's output {path!r} has more than {self._limits.max_number_precision} "
                "decimal places; round it"
            )
        return value

    def _anything(self, value: object, path: str, depth: int) -> Value:
        """A value of which only the limits are known."""
        match value:
            case None | bool():
                return value
            case str():
                return self._string(value, path)
            case int() | float():
                return self._number(value, path)
            case dict():
                return self._object(value, None, path, depth + 1)
            case list():
                return self._list(value, path, depth)
            case _:
                raise _wrong_type(path, "a JSON value", value)

    def _list(self, value: list[object], path: str, depth: int) -> Value:
        """A list of which only the limits are known; an object or list in it is a level of its own."""
        kinds = {_kind(item) for item in value if item is not None}
        if len(kinds) > 1:
            raise _invalid(
                f"the code's output {path!r} is a list of mixed types; let all items be of one type"
            )
        if "list" in kinds:
            depth += 1
            self._check_depth(path, depth)
        return [self._anything(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]


def _kind(item: object) -> str:
    return "number" if isinstance(item, int | float) else type(item).__name__


def _decimal_places(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent if math.isfinite(value) else 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _without_nul(text: str) -> str:
    return text.replace("\x00", "")


def _invalid(message: str) -> NodeFailedError:
    return NodeFailedError(message, error_type="OutputValidationError")


def _wrong_type(path: str, expected: str, value: object) -> NodeFailedError:
    return _invalid(f"the code's output {path!r} should be {expected}, but is of type {type(value).__name__}")
