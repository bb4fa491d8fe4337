"""Stand-ins for what tools use of the world."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from weft.errors import WeftError
from weft.registry import Registry
from weft.testing.node_harness import FakeSandbox, StillClock
from weft.tools import (
    Caller,
    FixedTools,
    HttpReply,
    HttpRequest,
    Tool,
    Toolbox,
    ToolMessage,
    ToolParameter,
    ToolProviderType,
)
from weft.variables import Value


def reply(
    body: Any = b"", status: int = 200, content_type: str = "application/json", **headers: str
) -> HttpReply:
    """What a service sends back; anything but bytes and text as JSON."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers={"content-type": content_type, **named}, body=data)


class FakeHttp:
    """Answers by a function of the test, and keeps what was sent."""

    def __init__(self, answer: Callable[[HttpRequest], HttpReply] | HttpReply) -> None:
        self._answer = answer
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        return self._answer if isinstance(self._answer, HttpReply) else self._answer(request)


def caller(http: FakeHttp | None = None, sandbox: FakeSandbox | None = None) -> Caller:
    return Caller(clock=StillClock(), http=http, code=sandbox, user="ada")


async def said(tool: Tool, values: Mapping[str, Value], by: Caller | None = None) -> list[ToolMessage]:
    """All messages of a call."""
    return [message async for message in tool.invoke(values, by or caller())]


class PlayedTool(Tool):
    """Says what a test tells it to, and keeps what it was given.

    A message that is an error is raised; a function gets the arguments and gives the messages.
    """

    def __init__(
        self,
        name: str,
        *messages: ToolMessage | WeftError | Callable[[Mapping[str, Value]], ToolMessage],
        parameters: Sequence[ToolParameter] = (),
        description: str = "",
        provider: str = "acme",
    ) -> None:
        self.name = name
        self.provider = provider
        self.description = description
        self.parameters = tuple(parameters)
        self.calls: list[dict[str, Value]] = []
        self.callers: list[Caller] = []
        self._messages = messages

    async def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        self.calls.append(dict(arguments))
        self.callers.append(caller)
        for message in self._messages:
            if isinstance(message, WeftError):
                raise message
            yield message(arguments) if callable(message) else message


def toolbox(*tools: Tool) -> Toolbox:
    """A toolbox with just the provider ``acme``."""
    registry: Registry[ToolProviderType] = Registry("tool provider", "weft.testing.tools", {})
    registry.add("acme", lambda name, options: FixedTools(tools))
    return Toolbox(providers=registry)
