"""The tools of one API."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import msgspec

from weft.errors import ConfigError
from weft.tools.config import OpenApiConfig, title
from weft.tools.errors import ToolCredentialsError, ToolInvokeError, ToolParameterError
from weft.tools.http import HttpReply, HttpRequest
from weft.tools.message import BlobMessage, JsonMessage, TextMessage, ToolMessage
from weft.tools.openapi.document import load_operations
from weft.tools.openapi.operation import Operation, is_json, with_query
from weft.tools.parameter import shortened
from weft.tools.tool import Caller, FixedTools, Tool, ToolProvider
from weft.variables import Value

_MAX_FILE_BYTES = 10 * 1024 * 1024
_FILES = ("image/", "audio/", "video/", "application/pdf", "application/zip", "application/octet-stream")


def open_api(name: str, config: OpenApiConfig) -> ToolProvider:
    """The tools of an API.

    Raises:
        ConfigError: Its description cannot be read.
    """
    try:
        operations = load_operations(_description(config.openapi), config.base_url)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{title(name)} openapi: {error}") from error
    return FixedTools([ApiTool(name, operation, config) for operation in operations])


def _description(openapi: str) -> str:
    """The text itself, or what the file of that name holds."""
    if "\n" in openapi or openapi.lstrip().startswith("{"):
        return openapi
    return Path(openapi).expanduser().read_text(encoding="utf-8")


class ApiTool(Tool):
    """An operation of an API.

    Gives the body as text and, if it is a JSON object, as an object too; a body that is a file becomes one.
    """

    def __init__(self, provider: str, operation: Operation, config: OpenApiConfig) -> None:
        self.provider = provider
        self.name = operation.name
        self.description = operation.summary
        self.parameters = [item.tool for item in operation.parameters]
        self._operation = operation
        self._config = config

    async def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Send the request."""
        reply = await caller.network(self.provider).send(self._request(arguments))
        if reply.status in (401, 403):
            raise ToolCredentialsError(
                f"the service behind tool {self.name!r} of {self.provider!r} refused the call with status "
                f"{reply.status}; check api_key and auth in {title(self.provider)}",
                provider=self.provider,
                tool=self.name,
            )
        if reply.status >= 400:
            raise self._failed(f"status {reply.status}: {shortened(reply.text.strip(), 1000)}")
        for message in _messages(reply):
            yield message

    def _request(self, arguments: Mapping[str, Value]) -> HttpRequest:
        operation, config = self._operation, self._config
        try:
            url = operation.address(arguments)
            headers = {"Accept": "application/json, */*;q=0.5", **operation.headers(arguments)}
            kind, body = operation.body(arguments)
        except ValueError as error:
            raise ToolParameterError(
                f"tool {self.name!r} of {self.provider!r}: {error}", provider=self.provider, tool=self.name
            ) from error
        if kind:
            headers["Content-Type"] = kind
        headers.update(config.headers)
        credentials = {name.lower() for name in config.headers}
        if config.api_key and config.auth == "query":
            url = with_query(url, [(config.auth_name, config.api_key)])
        elif config.api_key:
            name, value = _authorization(config)
            headers[name] = value
            credentials.add(name.lower())
        return HttpRequest(
            url=url,
            method=operation.method,
            headers=headers,
            body=body,
            timeout=config.timeout,
            max_bytes=_MAX_FILE_BYTES,
            credentials=frozenset(credentials),
        )

    def _failed(self, message: str) -> ToolInvokeError:
        return ToolInvokeError(
            f"tool {self.name!r} of {self.provider!r}: {message}", provider=self.provider, tool=self.name
        )


def _authorization(config: OpenApiConfig) -> tuple[str, str]:
    match config.auth:
        case "header":
            return config.auth_name, config.api_key
        case "basic":
            key = config.api_key
            return "Authorization", f"Basic {base64.b64encode(key.encode()).decode() if ':' in key else key}"
        case _:
            return "Authorization", f"Bearer {config.api_key}"


def _messages(reply: HttpReply) -> list[ToolMessage]:
    kind = reply.content_type
    if kind.startswith(_FILES):
        return [BlobMessage(reply.body, kind, _filename(reply))]
    text = reply.text
    if not text.strip():
        return [TextMessage("")]
    messages: list[ToolMessage] = []
    if is_json(kind) or text.lstrip().startswith("{"):
        value = _decoded(text)
        if isinstance(value, dict):
            messages.append(JsonMessage(value))
    return [*messages, TextMessage(text)]


def _decoded(text: str) -> Value:
    try:
        return msgspec.json.decode(text)  # type: ignore[no-any-return]  # plain JSON is a value
    except (msgspec.DecodeError, RecursionError):
        return None


def _filename(reply: HttpReply) -> str:
    found = re.search(r'filename="?([^";]+)', reply.headers.get("content-disposition", ""))
    name = re.split(r"[/\\]", found[1])[-1].strip() if found else ""
    return "" if name in (".", "..") else name
