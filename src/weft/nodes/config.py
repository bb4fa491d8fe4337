"""What the configurations of all nodes have in common."""

from __future__ import annotations

import contextlib
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from weft.graph import ErrorStrategy
from weft.variables import Selector, Value

SelectorField = Annotated[
    Selector, BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
]
"""A selector as files spell it: a list of texts. It may be empty where a feature is off."""


class RetryConfig(BaseModel):
    """How a node is tried again."""

    model_config = ConfigDict(extra="ignore")

    retry_enabled: bool = False
    max_retries: int = 0
    retry_interval: int = 0
    """Milliseconds."""


class DefaultValue(BaseModel):
    """One output that stands in for a failed node's own."""

    model_config = ConfigDict(extra="ignore")

    key: str
    type: Literal[
        "string",
        "number",
        "object",
        "boolean",
        "array[number]",
        "array[string]",
        "array[object]",
        "array[file]",
    ]
    value: object = None

    def resolve(self) -> Value:
        """The value itself; texts are parsed as their type demands.

        Raises:
            ValueError: The text cannot be read as that type.
        """
        value = self.value
        if self.type != "string" and isinstance(value, str):
            if self.type == "number":
                number = float(value)
                value = int(number) if number.is_integer() and "." not in value else number
            else:
                with contextlib.suppress(msgspec.DecodeError):
                    value = msgspec.json.decode(value)
        expected = {"string": str, "number": int | float, "object": dict, "boolean": bool}.get(
            self.type, list
        )
        if value is not None and not isinstance(value, expected):
            raise ValueError(f"the default of {self.key!r} is declared as {self.type}, but is {value!r}")
        return value


class NodeConfig(BaseModel):
    """The part of a node's data that every type has; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, arbitrary_types_allowed=True)

    title: str = ""
    error_strategy: ErrorStrategy | None = None
    default_value: list[DefaultValue] = Field(default_factory=list)
    retry_config: RetryConfig = Field(default_factory=RetryConfig)

    @field_validator("title", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else str(value)

    @field_validator("error_strategy", mode="before")
    @classmethod
    def _none_means_none(cls, value: object) -> object:
        return None if value in ("", "none") else value

    @field_validator("default_value", mode="before")
    @classmethod
    def _defaults(cls, value: object) -> object:
        if isinstance(value, dict):  # old exports have a plain mapping of names to values
            return [{"key": key, "type": _type_name(item), "value": item} for key, item in value.items()]
        return value or []

    @field_validator("retry_config", mode="before")
    @classmethod
    def _retry(cls, value: object) -> object:
        return value or {}


def _type_name(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case dict():
            return "object"
        case list():
            return "array[object]"
        case _:
            return "string"
