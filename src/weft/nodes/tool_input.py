"""What an app tells a tool or an agent: constants, texts with variables in them, and variables themselves.

Source: Dify app DSL, parameters of the node types ``tool`` and ``agent``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from weft.variables import (
    Missing,
    Selector,
    Value,
    VariablePool,
    as_selector,
    compile_template,
    render_text,
)

InputType: TypeAlias = Literal["mixed", "variable", "constant"]

_TYPES = ("mixed", "variable", "constant")


@dataclass(frozen=True, slots=True)
class ToolInput:
    """One value as the app gives it."""

    type: InputType
    value: object
    """A template, a `Selector`, or plain data with templates in its texts."""

    @classmethod
    def read(cls, given: object) -> ToolInput | None:
        """What node data spell; ``None`` where they give nothing.

        Raises:
            ValueError: The value does not fit its type.
        """
        if not isinstance(given, Mapping) or given.get("type") not in _TYPES or "value" not in given:
            return None if given is None else cls("mixed" if isinstance(given, str) else "constant", given)
        kind, value = given["type"], given["value"]
        if value is None:
            return None
        if kind == "variable":
            if value in ("", []):
                return None
            selector = as_selector(value)
            if selector is None:
                raise ValueError(f"a variable is named by a list of texts, not by {value!r}")
            return cls("variable", selector)
        if kind == "mixed" and not isinstance(value, str):
            raise ValueError(f"the type is mixed, so the value has to be a text, not {value!r}")
        return cls(kind, value)

    def reads(self) -> Iterator[Selector]:
        """The variables in it."""
        if self.type == "variable":
            yield cast("Selector", self.value)
        else:
            for text in _texts(self.value):
                yield from compile_template(text).selectors

    def as_text(self, pool: VariablePool) -> Value | Missing:
        """The value as a tool is given it: constants have become texts, to be read as the tool has it."""
        if isinstance(self.value, str | dict | list) or self.type == "variable":
            return self.resolve(pool)
        return render_text(cast("Value", self.value))

    def resolve(self, pool: VariablePool) -> Value | Missing:
        """The value with variables in place, as what it is; `MISSING` for a variable that has none."""
        if self.type == "variable":
            return pool.find(cast("Selector", self.value))
        return fill(self.value, pool)


def read_inputs(given: object) -> dict[str, ToolInput]:
    """All values of a table; those that give nothing are left out.

    Raises:
        ValueError: A value does not fit its type; the message names it.
    """
    inputs: dict[str, ToolInput] = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        try:
            read = ToolInput.read(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if read is not None:
            inputs[str(name)] = read
    return inputs


def fill(value: object, pool: VariablePool) -> Value:
    """Plain data with variables in place in all of its texts."""
    if isinstance(value, str):
        return compile_template(value).render(pool)
    if isinstance(value, list):
        return [fill(item, pool) for item in value]
    if isinstance(value, dict):
        return {str(key): fill(item, pool) for key, item in value.items()}
    return cast("Value", value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
