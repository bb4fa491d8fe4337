"""The tools of one server.

Source: Model Context Protocol, revision 2025-06-18, tools; what becomes which message as in Dify.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import cast

import msgspec

from weft.tools.config import McpConfig
from weft.tools.errors import ToolInvokeError
from weft.tools.mcp.session import McpSession
from weft.tools.message import (
    RESERVED_NAMES,
    BlobMessage,
    JsonMessage,
    LinkMessage,
    TextMessage,
    ToolMessage,
    VariableMessage,
)
from weft.tools.parameter import shortened
from weft.tools.schema import References, parameters_of
from weft.tools.tool import Caller, Tool
from weft.variables import Value

_MAX_PAGES = 50
_KEEP_SECONDS = 300.0
"""How long a list of tools is taken to be right."""


class McpTools:
    """A server's tools; they are asked for when they are first needed, and again now and then.

    Args:
        name: What the settings call the server.
        config: How to reach it.
    """

    def __init__(self, name: str, config: McpConfig) -> None:
        self._session = McpSession(name, config)
        self._tools: Sequence[Tool] | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()

    async def list(self, caller: Caller) -> Sequence[Tool]:
        """Ask the server what it can do."""
        async with self._asking:
            now = caller.clock.monotonic()
            if self._tools is None or now - self._asked_at > _KEEP_SECONDS:
                self._tools = [tool async for tool in self._ask(caller)]
                self._asked_at = now
            return self._tools

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def _ask(self, caller: Caller) -> AsyncIterator[Tool]:
        http = caller.network(self._session.name)
        cursor: object = None
        for _ in range(_MAX_PAGES):
            params = {"cursor": cursor} if cursor else {}
            page = await self._session.request(http, "tools/list", params)
            tools = page.get("tools")
            for given in tools if isinstance(tools, list) else ():
                if isinstance(given, dict) and isinstance(given.get("name"), str):
                    yield McpTool(self._session, given)
            cursor = page.get("nextCursor")
            if not cursor:
                return
        raise self._session.failed(f"its list of tools has more than {_MAX_PAGES} pages")


class McpTool(Tool):
    """A tool of a server.

    Gives texts as text, objects in them as objects too, pictures and sounds as files, links as links, and the
    fields of structured content as variables.
    """

    def __init__(self, session: McpSession, given: Mapping[str, object]) -> None:
        schema, outputs = given.get("inputSchema"), given.get("outputSchema")
        self._session = session
        self.provider = session.name
        self.name = str(given["name"])
        self.description = str(given.get("description") or "")
        self.parameters = parameters_of(_expanded(schema)) if isinstance(schema, dict) else []
        self.output_schema = outputs if isinstance(outputs, dict) else None

    async def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Call it."""
        result = await self._session.request(
            caller.network(self.provider), "tools/call", {"name": self.name, "arguments": dict(arguments)}
        )
        content = result.get("content")
        items = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
        if result.get("isError"):
            told = " ".join(str(item.get("text", "")) for item in items).strip()
            raise ToolInvokeError(
                f"tool {self.name!r} of {self.provider!r}: {shortened(told, 2000) or 'it failed'}",
                provider=self.provider,
                tool=self.name,
            )
        for item in items:
            for message in self._messages(item):
                yield message
        structured = result.get("structuredContent")
        if isinstance(structured, dict):
            if not items:
                yield JsonMessage(structured)
            for name, value in structured.items() if self.output_schema is not None else ():
                if name not in RESERVED_NAMES:
                    yield VariableMessage(name, value)

    def _messages(self, item: Mapping[str, object]) -> Iterator[ToolMessage]:
        match item.get("type"):
            case "text":
                text = str(item.get("text", ""))
                value = _decoded(text)
                for found in value if isinstance(value, list) else [value]:
                    if isinstance(found, dict):
                        yield JsonMessage(found)
                yield TextMessage(text)
            case "image" | "audio":
                yield self._blob(item.get("data"), item, "")
            case "resource_link":
                yield LinkMessage(str(item.get("uri", "")))
            case "resource":
                yield from self._resource(item.get("resource"))
            case _:
                yield TextMessage(msgspec.json.encode(dict(item)).decode())

    def _resource(self, resource: object) -> Iterator[ToolMessage]:
        if not isinstance(resource, dict):
            return
        if "blob" in resource:
            name = str(resource.get("uri", "")).rstrip("/").rpartition("/")[2]
            yield self._blob(resource["blob"], resource, name)
        else:
            yield TextMessage(str(resource.get("text", "")))

    def _blob(self, data: object, item: Mapping[str, object], name: str) -> BlobMessage:
        try:
            decoded = base64.b64decode(data if isinstance(data, str) else "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._session.failed(f"tool {self.name!r} gives a file that cannot be decoded") from error
        return BlobMessage(decoded, str(item.get("mimeType") or "application/octet-stream"), name)


def _expanded(schema: dict[str, object]) -> dict[str, object]:
    try:
        return References(schema).expand_object(schema)
    except ValueError:
        return schema  # the server checks what it is given anyway


def _decoded(text: str) -> Value:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return cast("Value", msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return None
