"""Variable aggregator: the first of several variables that there is, as where branches join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.graph import NodeSpec
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import MISSING, Selector, Value


class Group(BaseModel):
    """Variables of which the first one that there is becomes an output of its own."""

    model_config = ConfigDict(extra="ignore")

    group_name: str
    variables: list[SelectorField] = Field(default_factory=list)


class AdvancedSettings(BaseModel):
    """Several outputs instead of one."""

    model_config = ConfigDict(extra="ignore")

    group_enabled: bool = False
    groups: list[Group] = Field(default_factory=list)


class VariableAggregatorConfig(NodeConfig):
    """The variables in order of preference."""

    variables: list[SelectorField] = Field(default_factory=list)
    advanced_settings: AdvancedSettings | None = None

    @field_validator("variables", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return [] if value is None else value


class VariableAggregatorNode(Node[VariableAggregatorConfig]):
    """Outputs `output`, the first variable that there is; one that holds nothing counts as being there.

    With groups it outputs an object with the key `output` under each group's name. Where no variable is
    there, neither is the output.
    """

    config_type: ClassVar[type[NodeConfig]] = VariableAggregatorConfig
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Decide between the one output and the groups."""
        settings = self.config.advanced_settings
        self._groups = settings.groups if settings is not None and settings.group_enabled else None
        self._choices = (
            [self.config.variables] if self._groups is None else [group.variables for group in self._groups]
        )

    def reads(self) -> Sequence[Selector]:
        """All variables that may be taken."""
        return [selector for selectors in self._choices for selector in selectors if selector]

    async def run(self, context: Context) -> NodeResult:
        """Take the first variable, of each group if there are groups."""
        if self._groups is None:
            return NodeResult(_take(context, self.config.variables))
        outputs: dict[str, Value] = {}
        for group in self._groups:
            taken = _take(context, group.variables)
            if taken:
                outputs[group.group_name] = taken
        return NodeResult(outputs)


def _take(context: Context, selectors: Sequence[Selector]) -> dict[str, Value]:
    """``{"output": value}`` of the first variable that there is, noted down as an input; else nothing."""
    for selector in selectors:
        value = context.pool.find(selector)
        if value is not MISSING:
            context.inputs[".".join(selector[1:])] = value
            return {"output": value}
    return {}
