"""The tool node: has something done by a tool.

Source: Dify app DSL, node type ``tool``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from weft.errors import NodeFailedError
from weft.graph import Need
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.nodes.tool_call import ToolFold, call_tool, caller_of, find_tool
from weft.nodes.tool_config import ToolConfig
from weft.tools import Tool, ToolError, ToolMessage, ToolParameterError, VariableMessage
from weft.variables import MISSING, Missing, Selector, Value


class ToolNode(Node[ToolConfig]):
    """Calls a tool.

    Outputs `text`, `files`, `json` (the objects that the tool gave, or one that says there were none) and
    whatever variables the tool names. Texts and links are streamed as they come.
    """

    config_type: ClassVar[type[NodeConfig]] = ToolConfig
    retries: ClassVar[bool] = True

    def reads(self) -> Sequence[Selector]:
        """The variables in what the tool is given."""
        config = self.config
        inputs = (*config.tool_configurations.values(), *config.tool_parameters.values())
        return tuple(dict.fromkeys(selector for item in inputs for selector in item.reads()))

    def needs(self) -> Sequence[Need]:
        """The tool."""
        return (Need("tool", str(self.config.ref), self.id),)

    async def run(self, context: Context) -> NodeResult:
        """Find the tool, call it, and pass on what it says."""
        config, caller = self.config, caller_of(context)
        context.metadata["tool_info"] = {
            "provider_type": config.provider_type,
            "provider_id": config.provider_id,
            "plugin_unique_identifier": config.plugin_unique_identifier,
        }
        given = {name: item.as_text(context.pool) for name, item in config.tool_parameters.items()}
        context.inputs = _present(given)
        fold = ToolFold(context)
        try:
            tool = await find_tool(context, caller, config.ref)
            context.inputs = _known(tool, given)
            self._require(tool, given)
            settings = {name: item.as_text(context.pool) for name, item in config.tool_configurations.items()}
            values = {**_present(settings), **_present(given)}
            await call_tool(context, tool, values, caller, lambda message: _pass_on(message, fold, context))
        except ToolError as error:
            raise NodeFailedError(
                str(error), error_type=error.error_type, node_id=self.id, node_type=self.type
            ) from error
        for name in ("text", *sorted(fold.streamed)):
            context.end_stream(name)
        context.files = fold.files
        return NodeResult(
            {
                "text": "".join(fold.text),
                "files": list(fold.files),
                "json": list(fold.objects) or [{"data": []}],
                **fold.variables,
            }
        )

    def _require(self, tool: Tool, given: Mapping[str, Value | Missing]) -> None:
        """Fail for a variable that has no value and that the tool cannot do without."""
        for parameter in tool.parameters:
            if parameter.required and given.get(parameter.name) is MISSING:
                selector = next(self.config.tool_parameters[parameter.name].reads(), ())
                raise ToolParameterError(
                    f"parameter {parameter.name!r} of the tool {tool.name!r} is the variable "
                    f"{'.'.join(selector)!r}, which no node that ran has set",
                    provider=tool.provider,
                    tool=tool.name,
                )


def _pass_on(message: ToolMessage, fold: ToolFold, context: Context) -> None:
    text = fold.take(message)
    if text:
        context.stream("text", text)
    elif isinstance(message, VariableMessage) and message.stream:
        context.stream(message.name, str(message.value))


def _present(given: Mapping[str, Value | Missing]) -> dict[str, Value]:
    return {name: value for name, value in given.items() if value is not MISSING}


def _known(tool: Tool, given: Mapping[str, Value | Missing]) -> dict[str, Value]:
    """What the tool is told: nothing where it has no such parameter."""
    names = {parameter.name for parameter in tool.parameters}
    return {name: value if name in names else None for name, value in _present(given).items()}
