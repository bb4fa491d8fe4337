"""The first version of the assigner: one variable, one source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from weft.nodes.assignment import Assignment, VariableOperatorNodeError
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import ARRAY_TYPES, MISSING, Selector, Value, zero_value


class AssignerV1Config(NodeConfig):
    """What to write where, and how."""

    assigned_variable_selector: SelectorField
    write_mode: Literal["over-write", "append", "clear"]
    input_variable_selector: SelectorField = ()


class AssignerV1Node(Node[AssignerV1Config]):
    """Replaces, extends or clears one variable; it has no outputs.

    Any value may replace any other: this version does not look at types.
    """

    config_type: ClassVar[type[NodeConfig]] = AssignerV1Config
    instant: ClassVar[bool] = True

    def reads(self) -> Sequence[Selector]:
        """The source, unless the variable is only cleared."""
        source = self.config.input_variable_selector
        return [source] if source and self.config.write_mode != "clear" else []

    def writes(self) -> Sequence[Selector]:
        """The variable."""
        selector = self.config.assigned_variable_selector
        return [selector] if len(selector) == 2 else []

    async def run(self, context: Context) -> NodeResult:
        """Write the variable.

        Raises:
            VariableOperatorNodeError: The variable or its source does not exist, or does not suit.
        """
        assignment = Assignment(context)
        selector = self.config.assigned_variable_selector
        kind, current = assignment.target(selector)
        if self.config.write_mode == "clear":
            brought = value = zero_value(kind)
        else:
            brought = value = self._source(assignment)
        context.inputs = {"value": brought}
        if self.config.write_mode == "append":
            if kind not in ARRAY_TYPES or not isinstance(current, list):
                raise VariableOperatorNodeError(
                    f"nothing can be appended to {'.'.join(selector)!r}, which is of type {kind}"
                )
            value = [*current, brought]
        assignment.set(selector, value)
        assignment.publish(by_name=False)
        return NodeResult()

    def _source(self, assignment: Assignment) -> Value:
        selector = self.config.input_variable_selector
        value = assignment.find(selector)
        if value is MISSING:
            raise VariableOperatorNodeError(
                f"variable {'.'.join(selector)!r} was not found, so there is nothing to assign"
            )
        return value
