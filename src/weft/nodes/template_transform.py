"""Template transform: a Jinja2 template over variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.graph import NodeSpec
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.jinja import JinjaTemplate, compile_jinja
from weft.nodes.node import Node
from weft.variables import Selector


class TemplateVariable(BaseModel):
    """A name in the template and the variable that it stands for."""

    model_config = ConfigDict(extra="ignore")

    variable: str
    value_selector: SelectorField = ()


class TemplateTransformConfig(NodeConfig):
    """The template and its names."""

    variables: list[TemplateVariable] = Field(default_factory=list)
    template: str = ""

    @field_validator("variables", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return [] if value is None else value


class TemplateTransformNode(Node[TemplateTransformConfig]):
    """Outputs `output`, the rendered text. Variables that are missing read as `None`."""

    config_type: ClassVar[type[NodeConfig]] = TemplateTransformConfig
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Leave the template alone until it is needed.

        What is wrong with it fails the node and not the app, and a file may have more templates than anybody
        wants to wait for.
        """
        self._selectors = {item.variable: item.value_selector for item in self.config.variables}
        self._template: JinjaTemplate | None = None

    def reads(self) -> Sequence[Selector]:
        """The variables that the names stand for."""
        return [selector for selector in self._selectors.values() if selector]

    async def run(self, context: Context) -> NodeResult:
        """Render the template.

        Raises:
            TemplateRenderError: The template is wrong, does too much, or makes a text that is too long.
        """
        values = context.collect(self._selectors)
        context.inputs = values
        template = self._template
        if template is None:
            template = self._template = compile_jinja(self.config.template)
        text = template.render(values, context.services.limits.max_template_chars)
        return NodeResult({"output": text.replace("\0", "")})  # no database holds it
