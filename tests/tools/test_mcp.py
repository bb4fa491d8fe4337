from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.tools.fake import FakeHttp, caller, reply, said
from weft.errors import TransportError
from weft.tools import (
    BlobMessage,
    HttpReply,
    HttpRequest,
    JsonMessage,
    LinkMessage,
    TextMessage,
    Toolbox,
    ToolCredentialsError,
    ToolInvokeError,
    ToolMessage,
    ToolParameter,
    ToolRef,
    ToolUnavailableError,
    VariableMessage,
    parse_tools_config,
)

pytestmark = pytest.mark.anyio

WEATHER = {
    "name": "weather",
    "description": "Weather of a city",
    "inputSchema": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
    "outputSchema": {"type": "object", "properties": {"degrees": {"type": "number"}}},
}


class Server:
    """Plays an MCP server."""

    def __init__(self, result: Any = None, *, events: bool = False, session: str = "s1") -> None:
        self.result = result if result is not None else {"content": []}
        self.events = events
        self.session = session
        self.seen: list[tuple[str, Any]] = []
        self.pages: list[dict[str, Any]] = [{"tools": [WEATHER]}]
        self.before: Callable[[HttpRequest], HttpReply | None] = lambda request: None

    def __call__(self, request: HttpRequest) -> HttpReply:
        early = self.before(request)
        if early is not None:
            return early
        if request.method == "DELETE":
            self.seen.append(("DELETE", request.headers.get("Mcp-Session-Id")))
            return reply("", status=200)
        body = json.loads(request.body)
        self.seen.append((body["method"], body.get("params")))
        if "id" not in body:
            return reply("", status=202)
        match body["method"]:
            case "initialize":
                return self._answer(
                    body["id"], {"protocolVersion": "2025-03-26"}, mcp_session_id=self.session
                )
            case "tools/list":
                return self._answer(body["id"], self.pages[int((body["params"] or {}).get("cursor", 0))])
            case _:
                return self._answer(body["id"], self.result)

    def _answer(self, number: int, result: Any, **headers: Any) -> HttpReply:
        message = {
            "jsonrpc": "2.0",
            "id": number,
            **({"result": result} if "code" not in result else {"error": result}),
        }
        if not self.events:
            return reply(message, **headers)
        notice = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
        lines = json.dumps(message, indent=1).split("\n")
        text = f": hi\r\nevent: message\r\ndata: {json.dumps(notice)}\r\n\r\n"
        text += "\n".join(f"data:{line}" for line in lines) + "\n\n"
        return reply(text, content_type="text/event-stream", **headers)


def box(**table: Any) -> Toolbox:
    return Toolbox(parse_tools_config({"Weather Server": {"mcp": "https://mcp.example/mcp", **table}}))


def ref(tool: str = "weather") -> ToolRef:
    return ToolRef(provider_type="mcp", provider_id="uuid", provider_name="weather server", tool_name=tool)


@pytest.mark.parametrize("events", [False, True], ids=["json", "events"])
async def test_a_tool_of_a_server_is_found_and_called(events: bool) -> None:
    server = Server({"content": [{"type": "text", "text": "mild"}]}, events=events)
    by = caller(http := FakeHttp(server))

    tool = await box(api_key="k", headers={"X-Team": "a"}).get(ref(), by)
    messages = await said(tool, {"city": "Oslo", "days": "2", "more": 1}, by)

    assert (tool.provider, tool.name, tool.description) == ("Weather Server", "weather", "Weather of a city")
    assert list(tool.parameters) == [
        ToolParameter(
            name="city",
            required=True,
            description="Where",
            schema={"type": "string", "description": "Where"},
        ),
        ToolParameter(name="days", type="number", schema={"type": "integer"}),
    ]
    assert messages == [TextMessage("mild")]
    assert [method for method, _ in server.seen] == [
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/call",
    ]
    assert server.seen[0][1]["protocolVersion"] == "2025-06-18"
    assert server.seen[3][1] == {"name": "weather", "arguments": {"city": "Oslo", "days": 2}}
    first, last = http.requests[0], http.requests[-1]
    assert first.headers == {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": "Bearer k",
        "X-Team": "a",
    }
    assert last.headers == {**first.headers, "Mcp-Session-Id": "s1", "MCP-Protocol-Version": "2025-03-26"}
    assert last.credentials == {"mcp-session-id", "x-team"}


@pytest.mark.parametrize(
    ("result", "messages"),
    [
        (
            {"content": [{"type": "text", "text": '{"a": 1}'}]},
            [JsonMessage({"a": 1}), TextMessage('{"a": 1}')],
        ),
        (
            {"content": [{"type": "text", "text": '[{"a": 1}, 2]'}]},
            [JsonMessage({"a": 1}), TextMessage('[{"a": 1}, 2]')],
        ),
        (
            {
                "content": [
                    {"type": "image", "data": base64.b64encode(b"png").decode(), "mimeType": "image/png"}
                ]
            },
            [BlobMessage(b"png", "image/png", "")],
        ),
        (
            {"content": [{"type": "resource_link", "uri": "https://a/b", "name": "b"}]},
            [LinkMessage("https://a/b")],
        ),
        (
            {"content": [{"type": "resource", "resource": {"uri": "file:///a", "text": "t"}}]},
            [TextMessage("t")],
        ),
        (
            {"content": [{"type": "resource", "resource": {"uri": "file:///a.pdf", "blob": "eA=="}}]},
            [BlobMessage(b"x", "application/octet-stream", "a.pdf")],
        ),
        (
            {"structuredContent": {"degrees": 7}, "content": []},
            [JsonMessage({"degrees": 7}), VariableMessage("degrees", 7)],
        ),
        (
            {"structuredContent": {"degrees": 7, "text": "mild"}, "content": [{"type": "text", "text": "7"}]},
            [TextMessage("7"), VariableMessage("degrees", 7)],
        ),
        ({"content": []}, []),
    ],
)
async def test_content_becomes_messages(result: Any, messages: list[ToolMessage]) -> None:
    by = caller(FakeHttp(Server(result)))
    assert await said(await box().get(ref(), by), {"city": "Oslo"}, by) == messages


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            {"isError": True, "content": [{"type": "text", "text": "no such city"}]},
            "tool 'weather' of 'Weather Server': no such city",
        ),
        ({"code": -32602, "message": "bad"}, "the MCP server 'Weather Server': bad"),
        (
            {"content": [{"type": "image", "data": "!!"}]},
            "the MCP server 'Weather Server': tool 'weather' gives a file that cannot be decoded",
        ),
        ([], "the MCP server 'Weather Server': its reply to tools/call holds no answer"),
    ],
)
async def test_a_failure_of_the_server_fails_the_call(result: Any, told: str) -> None:
    by = caller(FakeHttp(Server(result if result else [])))
    tool = await box().get(ref(), by)
    with pytest.raises(ToolInvokeError) as raised:
        await said(tool, {"city": "Oslo"}, by)
    assert str(raised.value) == told


async def test_a_list_in_pages_is_read_to_its_end_and_kept_for_a_while() -> None:
    server = Server()
    server.pages = [
        {"tools": [{"name": "a"}, {"no": "name"}], "nextCursor": "1"},
        {"tools": [{"name": "b", "inputSchema": {"type": "object"}}]},
    ]
    by = caller(FakeHttp(server))
    tools = box()

    assert (await tools.get(ref("b"), by)).parameters == []
    await tools.get(ref("a"), by)
    with pytest.raises(ToolUnavailableError, match="has no tool 'c'; it has: a, b"):
        await tools.get(ref("c"), by)
    assert [params for method, params in server.seen if method == "tools/list"] == [{}, {"cursor": "1"}]

    await by.clock.sleep(301)
    await tools.get(ref("a"), by)
    assert len([method for method, _ in server.seen if method == "tools/list"]) == 4


async def test_a_list_without_end_is_given_up() -> None:
    server = Server()
    server.pages = [{"tools": [], "nextCursor": "0"}]
    with pytest.raises(ToolInvokeError, match="more than 50 pages"):
        await box().get(ref(), caller(FakeHttp(server)))


async def test_a_forgotten_session_is_begun_again() -> None:
    server = Server({"content": [{"type": "text", "text": "mild"}]})
    by = caller(FakeHttp(server))
    tool = await box().get(ref(), by)

    server.session = "s2"
    server.before = lambda request: (
        reply("gone", status=404) if request.headers.get("Mcp-Session-Id") == "s1" else None
    )
    server.seen.clear()

    assert await said(tool, {"city": "Oslo"}, by) == [TextMessage("mild")]
    assert [method for method, _ in server.seen] == ["initialize", "notifications/initialized", "tools/call"]


async def test_a_server_that_forgets_at_once_is_given_up() -> None:
    server = Server()
    server.before = lambda request: (
        reply("gone", status=404) if request.headers.get("Mcp-Session-Id") else None
    )
    with pytest.raises(ToolInvokeError, match="forgets its sessions at once"):
        await box().get(ref(), caller(FakeHttp(server)))


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (
            reply("who?", status=401),
            ToolCredentialsError,
            r'check api_key or headers in \[tools."Weather Server"\]',
        ),
        (reply("POST not allowed", status=405), ToolInvokeError, "status 405: POST not allowed"),
        (reply("<html>"), ToolInvokeError, "its reply to initialize holds no answer"),
    ],
)
async def test_what_is_no_such_server_is_told(answer: HttpReply, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        await box().get(ref(), caller(FakeHttp(answer)))


async def test_without_a_network_nothing_is_asked() -> None:
    with pytest.raises(ToolInvokeError, match="need the network"):
        await box().get(ref(), caller())


async def test_closing_ends_the_session_whether_the_server_hears_it_or_not() -> None:
    server = Server()
    tools = box()
    await tools.get(ref(), caller(FakeHttp(server)))
    await tools.close()
    assert server.seen[-1] == ("DELETE", "s1")

    def lost(request: HttpRequest) -> HttpReply | None:
        if request.method == "DELETE":
            raise TransportError("gone")
        return None

    server.before = lost
    tools = box()
    await tools.get(ref(), caller(FakeHttp(server)))
    await tools.close()
    await box().close()


async def test_a_schema_that_refers_to_parts_of_itself_is_told_in_full() -> None:
    server = Server()
    place = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Place"}, "name": {"type": "string"}}}
    schema = {"type": "object", "properties": {"at": {"$ref": "#/$defs/Place"}}, "$defs": {"Place": place}}
    server.pages = [{"tools": [{"name": "go", "inputSchema": schema}]}]
    [at] = (await box().get(ref("go"), caller(FakeHttp(server)))).parameters
    assert at == ToolParameter(
        name="at",
        type="object",
        schema={"type": "object", "properties": {"next": {}, "name": {"type": "string"}}},
    )
    server.pages = [{"tools": [{"name": "go", "inputSchema": {"properties": {"at": {"$ref": "#/no"}}}}]}]
    [at] = (await box().get(ref("go"), caller(FakeHttp(server)))).parameters
    assert at.type == "any"
