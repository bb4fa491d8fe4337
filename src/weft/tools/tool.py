"""The face of every tool, and of those who have tools to give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from weft.clock import Clock
from weft.tools.errors import ToolInvokeError, ToolParameterError
from weft.tools.http import Http
from weft.tools.message import TextMessage, ToolMessage
from weft.tools.name import ToolRef
from weft.tools.parameter import ToolParameter, cast_arguments
from weft.variables import Value

Language: TypeAlias = Literal["python3", "javascript"]


class CodeRunner(Protocol):
    """Runs code that is not trusted; `weft.sandbox.Sandbox` is one."""

    async def run(self, language: Language, source: str, inputs: Mapping[str, object]) -> dict[str, object]:
        """Call the function ``main`` of the source with the inputs.

        Raises:
            SandboxError: The code failed, or there is no place to run it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls a tool, and what the tool may use for it."""

    clock: Clock
    http: Http | None = None
    code: CodeRunner | None = None
    user: str = ""
    app_id: str = ""
    run_id: str = ""
    conversation_id: str | None = None
    depth: int = 0
    """How many workflows have called one another to get here."""

    def network(self, provider: str) -> Http:
        """Who reaches out for the tools of that provider.

        Raises:
            ToolInvokeError: Nobody does.
        """
        if self.http is None:
            raise ToolInvokeError(
                f"the tools of {provider!r} need the network, and there is no way out here", provider=provider
            )
        return self.http


class Tool(ABC):
    """Something that can be done for a flow.

    A subclass says what it takes and implements `run`. One instance serves all calls, so it keeps nothing of
    a call in itself.
    """

    provider: str
    """As settings and files spell it."""
    name: str
    description: str = ""
    """For the model that may choose it."""
    parameters: Sequence[ToolParameter] = ()
    output_schema: Mapping[str, object] | None = None
    """JSON Schema of the variables that it gives besides text, files and objects."""

    @abstractmethod
    def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Do it.

        Args:
            arguments: Each of its parameter's type; all required ones are there.
            caller: Who wants it.

        Raises:
            ToolError: It cannot be done; the message is for the author of the flow and for models.
            WeftError: Any other of ours, from what it uses.
        """

    def invoke(self, values: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Do it with values as a flow or a model gives them; close what this gives if you leave early.

        Raises:
            ToolParameterError: A value is missing or cannot be read as its type.
            ToolError: It cannot be done.
        """
        try:
            arguments = cast_arguments(self.parameters, values)
        except ValueError as error:
            raise ToolParameterError(
                f"tool {self.name!r} of {self.provider!r}: {error}", provider=self.provider, tool=self.name
            ) from error
        return self.run(arguments, caller)


class WorkflowTools(Protocol):
    """Has published workflows to give as tools; whoever runs flows is one.

    A tool of it runs its workflow one call deeper than `Caller.depth`.
    """

    async def find(self, ref: ToolRef, app: str = "") -> Tool | None:
        """The workflow that was published as that tool, if it is here.

        Args:
            ref: The tool as a file names it.
            app: Name of the app that the settings say it is; empty if they say nothing.
        """
        ...


class ToolProvider(Protocol):
    """Has tools to give."""

    async def list(self, caller: Caller) -> Sequence[Tool]:
        """All of its tools.

        Raises:
            ToolError: It cannot be asked.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class ToolProviderType(Protocol):
    """Makes a provider; a class or a function."""

    def __call__(self, name: str, options: Mapping[str, object]) -> ToolProvider:
        """Open a provider; nothing is contacted yet.

        Args:
            name: As settings or files spell it.
            options: Its table in the settings; keys of services stand there.

        Raises:
            ConfigError: The table is wrong.
        """
        ...


class FixedTools:
    """A provider whose tools are known beforehand."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tuple(tools)

    async def list(self, caller: Caller) -> Sequence[Tool]:
        """Always the same."""
        return self._tools

    async def close(self) -> None:
        """Nothing to let go of."""


Function: TypeAlias = Callable[[Mapping[str, Value], Caller], Awaitable[str]]


class TextTool(Tool):
    """A tool that is one function and gives one text.

    Args:
        provider: As settings and files spell it.
        name: The tool's.
        description: For the model that may choose it.
        parameters: What it takes.
        function: Gets the arguments and the caller; raises `ToolError`.
    """

    def __init__(
        self,
        provider: str,
        name: str,
        description: str,
        parameters: Sequence[ToolParameter],
        function: Function,
    ) -> None:
        self.provider = provider
        self.name = name
        self.description = description
        self.parameters = tuple(parameters)
        self._function = function

    async def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Call the function."""
        yield TextMessage(await self._function(arguments, caller))
