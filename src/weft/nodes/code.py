"""The code node: runs a function that the app's author wrote.

Source: Dify app DSL, node type ``code``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError, SandboxError
from weft.graph import Need
from weft.nodes.code_output import CodeOutput, OutputCheck
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.sandbox import Language
from weft.variables import Selector, Value, to_native


class CodeVariable(BaseModel):
    """A parameter of the function."""

    model_config = ConfigDict(extra="ignore")

    variable: str
    value_selector: SelectorField = ()
    value_type: str | None = None

    @field_validator("value_selector", mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        return value or ()


class CodeConfig(NodeConfig):
    """A function, its parameters and what it returns."""

    code_language: Language
    code: str
    variables: list[CodeVariable] = Field(default_factory=list)
    outputs: dict[str, CodeOutput] = Field(default_factory=dict)

    @field_validator("variables", mode="before")
    @classmethod
    def _no_variables(cls, value: object) -> object:
        return value or []

    @field_validator("outputs", mode="before")
    @classmethod
    def _no_outputs(cls, value: object) -> object:
        return value or {}


class CodeNode(Node[CodeConfig]):
    """Runs code in the sandbox; its outputs are what the code returned, checked against the declarations."""

    config_type: ClassVar[type[NodeConfig]] = CodeConfig
    retries: ClassVar[bool] = True

    def reads(self) -> Sequence[Selector]:
        """The variables that are passed to the function."""
        return [item.value_selector for item in self.config.variables if item.value_selector]

    def needs(self) -> Sequence[Need]:
        """A sandbox for the language."""
        return (Need("code", self.config.code_language, self.id),)

    async def run(self, context: Context) -> NodeResult:
        """Call the function and check what it returns."""
        config = self.config
        context.inputs = context.collect({item.variable: item.value_selector for item in config.variables})
        arguments = {
            item.variable: _argument(context, item, context.inputs[item.variable])
            for item in config.variables
        }
        try:
            returned = await context.services.sandbox.run(config.code_language, config.code, arguments)
        except SandboxError as error:
            raise NodeFailedError(
                str(error), error_type="CodeExecutionError", node_id=self.id, node_type=self.type
            ) from error
        return NodeResult(OutputCheck(context.services.limits).check(returned, config.outputs))


def _argument(context: Context, item: CodeVariable, value: Value) -> object:
    # An empty list of files reaches the code as nothing; flows in the wild test for that.
    if value == [] and "array[file]" in (item.value_type, context.pool.type_of(item.value_selector)):
        return None
    return to_native(value)
