"""The end node of workflow apps: named outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.graph import NodeKind, NodeSpec
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import File, Selector, Value


class EndOutput(BaseModel):
    """One output and where its value comes from; a declared type is not enforced."""

    model_config = ConfigDict(extra="ignore")

    variable: str
    value_selector: SelectorField = ()

    @field_validator("value_selector", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []


class EndConfig(NodeConfig):
    """The outputs."""

    outputs: list[EndOutput] = Field(default_factory=list)

    @field_validator("outputs", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []


class EndNode(Node[EndConfig]):
    """Ends one way through a workflow; a variable that does not exist gives null."""

    config_type: ClassVar[type[NodeConfig]] = EndConfig
    kind: ClassVar[NodeKind] = "response"
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Name the outputs and where they come from."""
        self._selectors = {output.variable: output.value_selector for output in self.config.outputs}

    def segments(self) -> Sequence[str | Selector]:
        """The outputs, a line each."""
        segments: list[str | Selector] = []
        for selector in self._selectors.values():
            if len(selector) >= 2:
                segments.extend(["\n", selector] if segments else [selector])
        return segments

    def reads(self) -> Sequence[Selector]:
        """The outputs' variables."""
        return [selector for selector in self._selectors.values() if len(selector) >= 2]

    async def run(self, context: Context) -> NodeResult:
        """Collect the outputs."""
        outputs: dict[str, Value] = context.collect(self._selectors)
        context.inputs = outputs
        context.files = [
            item
            for value in outputs.values()
            for item in (value if isinstance(value, list) else (value,))
            if isinstance(item, File)
        ]
        return NodeResult(outputs)
