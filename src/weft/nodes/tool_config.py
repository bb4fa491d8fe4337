"""What a tool node is told by its app.

Source: Dify app DSL, node type ``tool``; older spellings of the same things are understood.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from weft.nodes.config import NodeConfig
from weft.nodes.tool_input import ToolInput, read_inputs
from weft.tools import ToolRef

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
_Inputs = Annotated[dict[str, ToolInput], BeforeValidator(read_inputs)]


class ToolConfig(NodeConfig):
    """A tool and what it is given."""

    provider_type: _Text = "builtin"
    provider_id: _Text = ""
    provider_name: _Text = ""
    tool_name: _Text = ""
    tool_label: _Text = ""
    plugin_unique_identifier: _Text = ""
    tool_configurations: _Inputs = Field(default_factory=dict)
    """What its author set up in the editor."""
    tool_parameters: _Inputs = Field(default_factory=dict)
    """What the flow gives."""

    @property
    def ref(self) -> ToolRef:
        """The tool."""
        return ToolRef(
            provider_type=self.provider_type or "builtin",
            provider_id=self.provider_id,
            provider_name=self.provider_name,
            tool_name=self.tool_name,
        )
