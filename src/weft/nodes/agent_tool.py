"""A tool as an agent uses it: what the model is told of it, and what the model is told that it did."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from weft.errors import NodeFailedError
from weft.nodes.agent_config import AgentTask, AgentToolConfig
from weft.nodes.context import Context
from weft.nodes.tool_call import ToolFold, call_tool, caller_of, find_server_tools, find_tool
from weft.providers import Tool as ModelTool
from weft.tools import (
    Caller,
    FileMessage,
    ImageMessage,
    LinkMessage,
    Tool,
    ToolError,
    ToolFileError,
    ToolMessage,
    ToolParameter,
    arguments_schema,
)
from weft.variables import MISSING, File, Value, to_native

_MAX_NAME = 64
_MAX_OBSERVATION = 100_000
"""Characters; what is longer would fill the context of most models."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of using a tool."""

    text: str
    """For the model."""
    arguments: dict[str, Value]
    """All that the tool was given."""
    files: list[File]
    error: str | None = None


class AgentTool:
    """A tool with the values that the app's author has given it.

    Args:
        name: What the model calls it.
        tool: Does the work.
        fixed: Values that the model may not choose.
        description: What the model is told; empty for what the tool says of itself.
    """

    def __init__(self, name: str, tool: Tool, fixed: Mapping[str, Value], description: str = "") -> None:
        self.name = name
        self.provider = tool.provider
        self._tool = tool
        self._fixed = dict(fixed)
        self._description = description or tool.description
        self.open: list[ToolParameter] = [
            parameter
            for parameter in tool.parameters
            if parameter.form == "llm" and parameter.name not in fixed and not parameter.is_file
        ]
        """What the model gives."""

    def described(self) -> ModelTool:
        """What the model is told."""
        return ModelTool(self.name, self._description, arguments_schema(self.open))

    async def use(
        self, arguments: Mapping[str, Value], context: Context, caller: Caller, parent_id: str
    ) -> Observation:
        """Call it with what the model says; a failure is something to observe as well."""
        names = {parameter.name for parameter in self.open}
        given = {**{name: value for name, value in arguments.items() if name in names}, **self._fixed}
        seen = _Seen(ToolFold(context, parent_id))
        try:
            await call_tool(context, self._tool, given, caller, seen.take)
        except ToolError as error:
            return Observation(f"The tool failed: {error}", given, seen.files, str(error))
        return Observation(seen.text(), given, seen.files)


class _Seen:
    """What a tool says, in words for a model."""

    def __init__(self, fold: ToolFold) -> None:
        self.files = fold.files
        self._fold = fold
        self._notes: list[str] = []

    def take(self, message: ToolMessage) -> None:
        match message:
            case LinkMessage():
                self._notes.append(f"A link for the user: {message.url}")
                return
            case ImageMessage():
                self._notes.append(
                    "A picture has been made and is shown to the user already; only tell them so."
                )
            case FileMessage():
                self._notes.append("A file has been made and the user has it already.")
        try:
            self._fold.take(message)
        except ToolFileError as error:
            self._notes.append(f"({error})")

    def text(self) -> str:
        """All of it; objects and variables count only where there is no text, which tells the same."""
        fold = self._fold
        said = "".join(fold.text)
        if not said:
            data = [_as_json(item) for item in fold.objects]
            data += [f"{name}: {_as_json(value)}" for name, value in fold.variables.items()]
            said = "\n".join(data)
        text = "\n".join(part for part in (said, *self._notes) if part)
        if len(text) > _MAX_OBSERVATION:
            return f"{text[:_MAX_OBSERVATION]}\n(cut here; the whole has {len(text)} characters)"
        return text or "The tool has done its work and says nothing."


def _as_json(value: Value) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(to_native(value)).decode()


async def find_tools(context: Context, task: AgentTask) -> list[AgentTool]:
    """The tools of an agent, under names that models can call.

    Raises:
        NodeFailedError: One of them is not here, or a value for it is missing.
    """
    caller = caller_of(context)
    found: list[AgentTool] = []
    taken: set[str] = set()
    try:
        for config in task.tools:
            tool = await find_tool(context, caller, config.ref)
            name = _free_name(tool, taken)
            found.append(AgentTool(name, tool, _fixed(config, context), config.description))
        if task.server:
            tools = await find_server_tools(context, caller, task.server)
            found += [AgentTool(_free_name(tool, taken), tool, {}) for tool in tools]
    except ToolError as error:
        raise NodeFailedError(str(error), error_type=error.error_type, node_id=context.node_id) from error
    return found


def _fixed(config: AgentToolConfig, context: Context) -> dict[str, Value]:
    try:
        given = config.fixed()
    except ValueError as error:
        raise NodeFailedError(
            f"tool {config.tool_name!r} of the agent: {error}", error_type="AgentParameterError"
        ) from error
    values: dict[str, Value] = {}
    for name, item in given.items():
        value = item.resolve(context.pool)
        if value is MISSING:
            selector = next(item.reads(), ())
            raise NodeFailedError(
                f"parameter {name!r} of the agent's tool {config.tool_name!r} is the variable "
                f"{'.'.join(selector)!r}, which no node that ran has set",
                error_type="AgentVariableNotFoundError",
            )
        values[name] = value
    return values


def _free_name(tool: Tool, taken: set[str]) -> str:
    """A name that services accept and that no other tool of the agent has."""
    wanted = re.sub(r"[^a-zA-Z0-9_-]+", "_", tool.name)[:_MAX_NAME] or "tool"
    if wanted in taken:
        provider = re.sub(r"[^a-zA-Z0-9_-]+", "_", tool.provider)
        wanted = f"{wanted}_{provider}"[:_MAX_NAME]
    name, number = wanted, 2
    while name in taken:
        name = f"{wanted[: _MAX_NAME - 4]}_{number}"
        number += 1
    taken.add(name)
    return name


def find_by_name(tools: Sequence[AgentTool], name: str) -> AgentTool | None:
    """The tool that the model means."""
    wanted = name.strip().strip("`'\"")
    exact = next((tool for tool in tools if tool.name == wanted), None)
    return exact or next((tool for tool in tools if tool.name.lower() == wanted.lower()), None)
