"""List operator: filters, picks from, sorts and cuts a list."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError
from weft.graph import NodeSpec
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import (
    MISSING,
    File,
    Selector,
    Template,
    Value,
    ValueType,
    VariablePool,
    compile_template,
    infer_type,
)

_Predicate: TypeAlias = Callable[[Value], bool]
_Compare: TypeAlias = Callable[..., bool]
"""Of the item and what it is compared with."""

_TYPES: frozenset[ValueType] = frozenset({"array[string]", "array[number]", "array[boolean]", "array[file]"})
_TEXT_KEYS = frozenset({"name", "extension", "mime_type", "url", "related_id"})
_CHOICE_KEYS = frozenset({"type", "transfer_method"})

_TEXT_OPERATORS: Mapping[str, _Compare] = {
    "contains": lambda actual, expected: expected in actual,
    "not contains": lambda actual, expected: expected not in actual,
    "start with": lambda actual, expected: actual.startswith(expected),
    "end with": lambda actual, expected: actual.endswith(expected),
    "is": operator.eq,
    "is not": operator.ne,
    "in": lambda actual, expected: actual in expected,
    "not in": lambda actual, expected: actual not in expected,
    "empty": lambda actual, _: not actual,
    "not empty": lambda actual, _: bool(actual),
}
_NUMBER_OPERATORS: Mapping[str, _Compare] = {
    "=": operator.eq,
    "≠": operator.ne,
    "<": operator.lt,
    "≤": operator.le,
    ">": operator.gt,
    "≥": operator.ge,
}
_CHOICE_OPERATORS: Mapping[str, _Compare] = {
    "in": lambda actual, expected: actual in expected,
    "not in": lambda actual, expected: actual not in expected,
}
_BOOLEAN_OPERATORS: Mapping[str, _Compare] = {"is": operator.eq, "is not": operator.ne}


class InvalidFilterValueError(NodeFailedError):
    """A filter compares with a value of the wrong kind."""


class InvalidConditionError(NodeFailedError):
    """A filter uses an operator that such items do not have."""


class InvalidKeyError(NodeFailedError):
    """Files have no such attribute, or the list no such position."""


class FilterCondition(BaseModel):
    """What an item must be like to be kept."""

    model_config = ConfigDict(extra="ignore")

    key: str = ""
    """An attribute of files; empty for other items."""
    comparison_operator: str = "contains"
    value: str | list[str] | bool | None = ""

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class FilterBy(BaseModel):
    """Keep only some items; all conditions must hold."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    conditions: list[FilterCondition] = Field(default_factory=list)


class ExtractBy(BaseModel):
    """Keep one item by its position."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    serial: str = "1"
    """From 1; may have variables in it."""

    @field_validator("serial", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value


class OrderBy(BaseModel):
    """Sort the items."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    key: str = ""
    """An attribute of files; empty for other items."""
    value: str = "asc"


class Limit(BaseModel):
    """Keep the first items."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    size: int = -1


class ListOperatorConfig(NodeConfig):
    """What is done to the list, in this order."""

    variable: SelectorField = ()
    filter_by: FilterBy = Field(default_factory=FilterBy)
    extract_by: ExtractBy = Field(default_factory=ExtractBy)
    order_by: OrderBy = Field(default_factory=OrderBy)
    limit: Limit = Field(default_factory=Limit)


class ListOperatorNode(Node[ListOperatorConfig]):
    """Works on lists of texts, numbers, booleans or files.

    Outputs: `result`, and its ends as `first_record` and `last_record`, which are null for an empty list.
    """

    config_type: ClassVar[type[NodeConfig]] = ListOperatorConfig
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the templates apart."""
        config = self.config
        self._filters = [_Filter(item) for item in config.filter_by.conditions if config.filter_by.enabled]
        self._serial = compile_template(config.extract_by.serial)

    def reads(self) -> Sequence[Selector]:
        """The list, and what the filters and the position refer to."""
        templates = [item.template for item in self._filters if item.template is not None]
        if self.config.extract_by.enabled:
            templates.append(self._serial)
        selectors = [selector for template in templates for selector in template.selectors]
        return [self.config.variable, *selectors] if self.config.variable else selectors

    async def run(self, context: Context) -> NodeResult:
        """Filter, pick, sort and cut.

        Raises:
            NodeFailedError: The variable is missing or no such list, or a step does not suit its items.
        """
        value = context.pool.find(self.config.variable)
        name = ".".join(self.config.variable)
        if value is MISSING:
            raise NodeFailedError(f"variable {name!r} was not found; no node that ran has set it")
        if not value:
            return self._finish(context, [], [])
        kind = infer_type(value)
        if kind not in _TYPES or not isinstance(value, list):
            raise NodeFailedError(
                f"variable {name!r} is of type {kind}, not a list of texts, numbers, booleans or files"
            )
        context.inputs = {"variable": value}
        context.process_data = {"variable": value}
        return self._finish(context, value, self._work(kind, value, context.pool))

    def _finish(self, context: Context, given: list[Value], result: list[Value]) -> NodeResult:
        context.inputs = {"variable": given}
        context.process_data = {"variable": given}
        first, last = (result[0], result[-1]) if result else (None, None)
        return NodeResult({"result": result, "first_record": first, "last_record": last})

    def _work(self, kind: ValueType, items: list[Value], pool: VariablePool) -> list[Value]:
        config = self.config
        for item in self._filters:
            keep = item.predicate(kind, pool)
            items = [value for value in items if keep(value)]
        if config.extract_by.enabled:
            items = [items[_position(self._serial.render(pool), len(items))]]
        if config.order_by.enabled:
            key = _file_key(config.order_by.key) if kind == "array[file]" else None
            items = sorted(items, key=key, reverse=config.order_by.value == "desc")  # type: ignore[type-var,arg-type]  # of one type
        if config.limit.enabled:
            items = items[: config.limit.size]
        return items


class _Filter:
    """One condition, taken apart."""

    __slots__ = ("_key", "_operator", "_value", "template")

    def __init__(self, condition: FilterCondition) -> None:
        self._key = condition.key
        self._operator = condition.comparison_operator
        self._value = condition.value
        self.template: Template | None = (
            compile_template(condition.value) if isinstance(condition.value, str) else None
        )

    def predicate(self, kind: ValueType, pool: VariablePool) -> _Predicate:
        """Whether to keep an item, for a list of that type."""
        match kind:
            case "array[string]":
                return _bind(self._find(_TEXT_OPERATORS), self._text(pool))
            case "array[number]":
                return _bind(self._find(_NUMBER_OPERATORS), self._number(pool))
            case "array[boolean]":
                if not isinstance(self._value, bool):
                    raise InvalidFilterValueError(f"booleans cannot be compared with {self._value!r}")
                return _bind(self._find(_BOOLEAN_OPERATORS), self._value)
            case _:
                return self._of_files(pool)

    def _of_files(self, pool: VariablePool) -> _Predicate:
        if isinstance(self._value, bool):
            raise InvalidFilterValueError("files have no attribute that could be true or false")
        if self._key in _TEXT_KEYS and self.template is not None:
            compare = _bind(self._find(_TEXT_OPERATORS), self._text(pool))
        elif self._key in _CHOICE_KEYS:
            expected = self._value if isinstance(self._value, list) else self._text(pool)
            compare = _bind(self._find(_CHOICE_OPERATORS), expected)
        elif self._key == "size" and self.template is not None:
            compare = _bind(self._find(_NUMBER_OPERATORS), self._number(pool))
        else:
            raise InvalidKeyError(f"files cannot be filtered by {self._key!r} with the value {self._value!r}")
        attribute = _file_key(self._key)
        return lambda file: compare(attribute(file))

    def _find(self, operators: Mapping[str, _Compare]) -> _Compare:
        found = operators.get(self._operator)
        if found is None:
            raise InvalidConditionError(
                f"these items cannot be compared with {self._operator!r}; only with: {', '.join(operators)}"
            )
        return found

    def _text(self, pool: VariablePool) -> str:
        if self.template is None:
            raise InvalidFilterValueError(f"a text is needed to compare with, not {self._value!r}")
        return self.template.render(pool)

    def _number(self, pool: VariablePool) -> float:
        text = self._text(pool)
        try:
            return float(text)
        except ValueError:
            raise InvalidFilterValueError(f"a number is needed to compare with, not {text!r:.200}") from None


def _bind(compare: _Compare, expected: object) -> _Predicate:
    return lambda actual: compare(actual, expected)


def _file_key(key: str) -> Callable[[Value], str | int]:
    """How to read an attribute so that files can be compared by it, also those that lack it."""
    if key not in _TEXT_KEYS | _CHOICE_KEYS | {"size"}:
        raise InvalidKeyError(f"files have no attribute {key!r} to go by")
    lacking: str | int = -1 if key == "size" else ""

    def read(file: Value) -> str | int:
        value = file.attribute(key) if isinstance(file, File) else None
        return value if isinstance(value, str | int) else lacking

    return read


def _position(text: str, length: int) -> int:
    """A zero-based position from one that counts from 1."""
    try:
        serial = int(text)
    except ValueError:
        raise NodeFailedError(f"{text!r:.200} is no position in a list; it takes a whole number") from None
    if not 1 <= serial <= length:
        raise InvalidKeyError(f"there is no item {serial} in a list of {length}")
    return serial - 1
