"""The second version of the assigner: a list of operations on variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.graph import NodeSpec
from weft.nodes.assignment import Assignment, VariableNotFoundError
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.nodes.operation import (
    VALUELESS,
    InputType,
    InvalidDataError,
    InvalidInputValueError,
    Operation,
    apply,
    check_supported,
)
from weft.variables import MISSING, Selector, Value, as_selector


class AssignerItem(BaseModel):
    """One operation on one variable."""

    model_config = ConfigDict(extra="ignore")

    variable_selector: SelectorField
    input_type: InputType
    operation: Operation
    value: object = None
    """The selector of a variable, or a constant."""


class AssignerV2Config(NodeConfig):
    """The operations in order."""

    items: list[AssignerItem] = Field(default_factory=list)

    @field_validator("items", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return [] if value is None else value


@dataclass(frozen=True, slots=True)
class _Step:
    """An item taken apart."""

    name: str
    selector: Selector
    operation: Operation
    input_type: InputType
    source: Selector | None
    """The variable to read; ``None`` where a constant or nothing is needed, or where the item names none."""
    needs_source: bool
    constant: Value
    parsed: Value
    """The constant read as JSON, for an object that is given as text; ``None`` if that cannot be done."""


class AssignerV2Node(Node[AssignerV2Config]):
    """Does all its operations or none; a later one sees what an earlier one did. It has no outputs."""

    config_type: ClassVar[type[NodeConfig]] = AssignerV2Config
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the items apart."""
        self._steps = [_prepare_item(item) for item in self.config.items]
        self._record: Value = [item.model_dump(mode="json") for item in self.config.items]

    def reads(self) -> Sequence[Selector]:
        """The sources of all items."""
        return [step.source for step in self._steps if step.source is not None]

    def writes(self) -> Sequence[Selector]:
        """The variables of all items."""
        return list(dict.fromkeys(step.selector for step in self._steps if len(step.selector) == 2))

    async def run(self, context: Context) -> NodeResult:
        """Work out all new values, then write them.

        Raises:
            VariableOperatorNodeError: One of the items cannot be done; then no variable has changed.
        """
        context.inputs = {"items": self._record}
        assignment = Assignment(context)
        for step in self._steps:
            _apply_step(step, assignment)
        assignment.publish(by_name=True)
        return NodeResult()


def _prepare_item(item: AssignerItem) -> _Step:
    needs_source = item.input_type == "variable" and item.operation not in VALUELESS
    constant: Value = item.value if item.input_type == "constant" else None  # type: ignore[assignment]  # from YAML or JSON
    return _Step(
        name=".".join(item.variable_selector),
        selector=item.variable_selector,
        operation=item.operation,
        input_type=item.input_type,
        source=as_selector(item.value) if needs_source else None,
        needs_source=needs_source,
        constant=constant,
        parsed=_parse(constant) if item.operation == "set" else None,
    )


def _parse(constant: Value) -> Value:
    if not isinstance(constant, str):
        return None
    try:
        value: Value = msgspec.json.decode(constant)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value


def _apply_step(step: _Step, assignment: Assignment) -> None:
    kind, current = assignment.target(step.selector)
    check_supported(step.name, kind, step.operation, step.input_type)
    value = step.constant
    if step.needs_source:
        value = _read_source(step, assignment)
        if value is None:
            return
    elif kind == "object" and step.operation == "set" and isinstance(value, str):
        value = step.parsed
        if value is None:
            raise InvalidInputValueError(f"the text for {step.name!r}, which is an object, is not valid JSON")
    assignment.set(step.selector, apply(step.name, kind, step.operation, current, value))


def _read_source(step: _Step, assignment: Assignment) -> Value:
    """The value of the source; ``None``, a variable that holds nothing, leaves the target as it is."""
    if step.source is None:
        raise InvalidDataError(f"the item for {step.name!r} names no variable to take its value from")
    value = assignment.find(step.source)
    if value is MISSING:
        raise VariableNotFoundError(f"variable {'.'.join(step.source)!r} was not found")
    return value
