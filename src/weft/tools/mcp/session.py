"""Talking to a server of the Model Context Protocol over its streamable HTTP transport.

Only what tools need: shaking hands, listing them, calling one. A reply may be JSON or a stream of events that
ends after it. The transport of the first protocol version, with its two connections, is not spoken.

Source: Model Context Protocol, revision 2025-06-18: lifecycle, transports, tools.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from weft.errors import WeftError
from weft.tools.config import McpConfig, title
from weft.tools.errors import ToolCredentialsError, ToolInvokeError
from weft.tools.http import Http, HttpReply, HttpRequest
from weft.tools.parameter import shortened
from weft.version import __version__

_VERSION = "2025-06-18"
_MAX_BYTES = 10 * 1024 * 1024

Json = dict[str, object]


class _SessionLostError(Exception):
    """The server has forgotten the session; shake hands again."""


class McpSession:
    """A session with one server, begun with the first request and again if the server forgets it.

    Args:
        name: What the settings call the server.
        config: How to reach it.
    """

    def __init__(self, name: str, config: McpConfig) -> None:
        self.name = name
        self._config = config
        self._ids = count(1)
        self._shaken = False
        self._session_id = ""
        self._agreed = ""
        """The protocol's version that both sides speak."""
        self._hands = asyncio.Lock()
        self._http: Http | None = None

    async def request(self, http: Http, method: str, params: Json) -> Json:
        """Ask the server for something.

        Raises:
            ToolCredentialsError: It refused the key.
            ToolInvokeError: It answered with an error, or not as the protocol has it.
            WeftError: It could not be reached.
        """
        for attempt in (1, 2):
            session = ""
            try:
                await self._shake_hands(http)
                session = self._session_id
                return await self._call(http, method, params)
            except _SessionLostError as error:
                if attempt == 2:
                    raise self.failed("it forgets its sessions at once") from error
                if self._session_id == session:
                    self._shaken = False
        raise AssertionError("the loop returns or raises")

    async def close(self) -> None:
        """Tell the server that nothing more comes; it does not matter whether it hears that."""
        http, self._http = self._http, None
        if http is None or not self._session_id:
            return
        self._shaken = False
        with contextlib.suppress(WeftError):
            await http.send(
                HttpRequest(
                    url=self._config.mcp,
                    method="DELETE",
                    headers=self._headers(),
                    timeout=min(5.0, self._config.timeout),
                    credentials=self._credentials(),
                )
            )
        self._session_id = ""

    async def _shake_hands(self, http: Http) -> None:
        async with self._hands:
            if self._shaken:
                return
            self._session_id, self._agreed = "", ""
            self._http = http
            about: Json = {
                "protocolVersion": _VERSION,
                "capabilities": {},
                "clientInfo": {"name": "weft", "version": __version__},
            }
            answer = await self._call(http, "initialize", about)
            version = answer.get("protocolVersion")
            self._agreed = version if isinstance(version, str) else _VERSION
            await self._post(http, {"jsonrpc": "2.0", "method": "notifications/initialized"})
            self._shaken = True

    async def _call(self, http: Http, method: str, params: Json) -> Json:
        number = next(self._ids)
        body: Json = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        reply = await self._post(http, body)
        if method == "initialize":
            self._session_id = reply.headers.get("mcp-session-id", "")
        for message in _messages(reply):
            if message.get("id") != number or "method" in message:
                continue
            if "error" in message:
                raise self.failed(_told(message["error"]))
            result = message.get("result")
            if isinstance(result, dict):
                return result
        raise self.failed(f"its reply to {method} holds no answer")

    async def _post(self, http: Http, body: Json) -> HttpReply:
        reply = await http.send(
            HttpRequest(
                url=self._config.mcp,
                method="POST",
                headers={"Content-Type": "application/json", **self._headers()},
                body=msgspec.json.encode(body),
                timeout=self._config.timeout,
                max_bytes=_MAX_BYTES,
                credentials=self._credentials(),
            )
        )
        if reply.status == 404 and self._session_id:
            raise _SessionLostError
        if reply.status in (401, 403):
            raise ToolCredentialsError(
                f"the MCP server {self.name!r} refused the call with status {reply.status}; check api_key or "
                f"headers in {title(self.name)}",
                provider=self.name,
            )
        if reply.status >= 400:
            raise self.failed(f"status {reply.status}: {shortened(reply.text.strip(), 500)}")
        return reply

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, text/event-stream"}
        if self._session_id:
            headers["Mcp-Session-Id"] = self._session_id
        if self._agreed:
            headers["MCP-Protocol-Version"] = self._agreed
        if self._config.api_key:
            headers["Authorization"] = f"Bearer {self._config.api_key}"
        return {**headers, **self._config.headers}

    def _credentials(self) -> frozenset[str]:
        return frozenset({"mcp-session-id", *(name.lower() for name in self._config.headers)})

    def failed(self, message: str) -> ToolInvokeError:
        """An error about this server."""
        return ToolInvokeError(f"the MCP server {self.name!r}: {message}", provider=self.name)


def _messages(reply: HttpReply) -> Iterator[Mapping[str, object]]:
    """The messages of a reply, be it one, a list of them, or a stream of events."""
    texts = _events(reply.text) if reply.content_type == "text/event-stream" else [reply.text]
    for text in texts:
        try:
            decoded = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            continue
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if isinstance(message, dict):
                yield message


def _events(text: str) -> Iterator[str]:
    """The data of each event in a stream that has ended."""
    data: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _told(error: object) -> str:
    if isinstance(error, dict):
        return shortened(str(error.get("message") or error), 1000)
    return shortened(str(error), 1000)
