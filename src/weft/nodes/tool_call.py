"""Calling a tool for a node, and folding what it says into outputs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

from weft.errors import LimitExceededError, RunError, WeftError
from weft.events import AgentLogged
from weft.nodes.context import Context
from weft.nodes.kept_file import KeptFileError, NewFile
from weft.nodes.tool_http import EgressHttp
from weft.tools import (
    RESERVED_NAMES,
    BlobMessage,
    Caller,
    FileMessage,
    ImageMessage,
    JsonMessage,
    LinkMessage,
    LogMessage,
    TextMessage,
    Tool,
    ToolError,
    ToolFileError,
    ToolInvokeError,
    ToolMessage,
    ToolRef,
    VariableMessage,
)
from weft.variables import File, Value, mask_secrets, remote_file

log = logging.getLogger(__name__)


def caller_of(context: Context) -> Caller:
    """The node as tools see it."""
    services, run = context.services, context.run
    return Caller(
        clock=services.clock,
        http=EgressHttp(services.egress),
        code=services.sandbox,
        user=run.user,
        app_id=run.app_id,
        run_id=run.run_id,
        conversation_id=run.conversation_id,
        depth=run.call_depth,
    )


async def find_tool(context: Context, caller: Caller, ref: ToolRef) -> Tool:
    """The tool that a node names.

    Raises:
        ToolError: It is not here, or whoever has it cannot be asked.
        LimitExceededError: It is a workflow, and workflows have called one another too often already.
    """
    limit = context.services.limits.max_call_depth
    if ref.provider_type == "workflow" and caller.depth >= limit:
        raise LimitExceededError("limits.max_call_depth", limit)
    try:
        return await context.services.tools.get(ref, caller)
    except (RunError, ToolError):
        raise
    except WeftError as error:
        raise _failed(str(error), ref.provider, ref.tool_name) from error


async def find_server_tools(context: Context, caller: Caller, url: str) -> Sequence[Tool]:
    """The tools of an MCP server that an app names by its address.

    Raises:
        ToolError: It is no address, or the server cannot be asked.
    """
    try:
        return await context.services.tools.open_server(url).list(caller)
    except ToolError:
        raise
    except WeftError as error:
        raise _failed(str(error)) from error


async def call_tool(
    context: Context,
    tool: Tool,
    values: Mapping[str, Value],
    caller: Caller,
    take: Callable[[ToolMessage], None],
) -> None:
    """Call a tool and hand on what it says; whatever goes wrong around it becomes its error.

    A file whose bytes the tool gives is kept before it is handed on; where nothing keeps it, it is handed on
    as it is.

    Raises:
        ToolError: It did not do its part, or what it says cannot be taken.
        RunError: It ran something that did not end well.
    """
    try:
        async with aclosing(tool.invoke(values, caller)) as messages:
            async for message in messages:
                take(await _keep(context, message) if isinstance(message, BlobMessage) else message)
    except (RunError, ToolError):
        raise
    except WeftError as error:
        raise _failed(str(error), tool.provider, tool.name) from error


async def _keep(context: Context, blob: BlobMessage) -> ToolMessage:
    new = NewFile(name=blob.filename, mime_type=blob.mime_type, data=blob.data, type=blob.type)
    try:
        return FileMessage(await context.services.files.keep(new, context.run))
    except KeptFileError as error:
        log.warning("a file that a tool of node %s gives is not kept: %s", context.node_id, error)
        return blob


class ToolFold:
    """The messages of a call, folded.

    Args:
        context: Gets the lines of the tool's log.
        parent_id: The line of a log that they belong under.
    """

    def __init__(self, context: Context, parent_id: str | None = None) -> None:
        self.text: list[str] = []
        """To be joined."""
        self.files: list[File] = []
        self.objects: list[dict[str, Value]] = []
        self.variables: dict[str, Value] = {}
        self.streamed: set[str] = set()
        """Variables that come in pieces."""
        self._context = context
        self._parent_id = parent_id
        self._lines: dict[str, str] = {}

    def take(self, message: ToolMessage) -> str:
        """Take the next message; gives back the text that people see of it.

        Raises:
            ToolError: It is none that can be taken.
        """
        match message:
            case TextMessage():
                return self._say(message.text)
            case LinkMessage():
                return self._say(f"Link: {message.url}\n")
            case JsonMessage():
                self.objects.append(message.value)
            case VariableMessage():
                self._set(message)
            case ImageMessage():
                self.files.append(remote_file(message.url, type="image"))
            case FileMessage():
                self.files.append(message.file)
            case LogMessage():
                self._log(message)
            case BlobMessage():
                kind = message.mime_type or "unknown type"
                raise ToolFileError(
                    f"the tool gives a file ({kind}, {len(message.data)} bytes) that cannot be kept here; "
                    "use a tool that gives an address instead"
                )
        return ""

    def _say(self, text: str) -> str:
        self.text.append(text)
        return text

    def _set(self, message: VariableMessage) -> None:
        name, value = message.name, message.value
        if name in RESERVED_NAMES:
            raise _failed(f"it gives a variable {name!r}, a name that is taken by every tool's own outputs")
        if not message.stream:
            self.variables[name] = value
            return
        if not isinstance(value, str):
            raise _failed(f"it gives the variable {name!r} in pieces, and not all of them are texts")
        before = self.variables.get(name, "")
        self.variables[name] = f"{before}{value}"
        self.streamed.add(name)

    def _log(self, message: LogMessage) -> None:
        context = self._context
        parent = self._parent_id if message.parent_id is None else self._line(message.parent_id)
        secrets = context.run.secrets
        context.emit(
            AgentLogged(
                id=self._line(message.id),
                label=message.label,
                parent_id=parent,
                error=message.error,
                status=message.status,
                data={key: mask_secrets(value, secrets) for key, value in message.data.items()},
                metadata=message.metadata,
                node_id=context.node_id,
                execution_id=context.execution_id,
                frame=context.frame,
            )
        )

    def _line(self, id: str) -> str:
        """The id of a line in the whole run."""
        if id not in self._lines:
            self._lines[id] = self._context.services.ids.new()
        return self._lines[id]


def _failed(message: str, provider: str = "", tool: str = "") -> ToolInvokeError:
    about = f"tool {tool!r} of {provider!r}: " if tool else ""
    return ToolInvokeError(f"{about}{message}", provider=provider, tool=tool)
