"""Speaking to a server over HTTP, and looking closely at what it answers."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aiohttp

from tests.contract.document import event_problems, problems

BOUND = 10.0
"""Seconds that any single wait may take; only a broken server takes as long."""
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].partition(";")[0] == "application/json", self
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error, whose body has exactly these."""
        body = self.json
        assert sorted(body) == ["code", "message", "status"], body
        assert body["status"] == self.status
        return body["status"], body["code"], body["message"]

    @property
    def ok(self) -> Any:
        """The JSON body of an answer that must be a success."""
        assert self.status in (200, 201), (self.status, self.body)
        return self.json


class Caller:
    """One app, called with its key."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, key: str, app_id: str, workflow_id: str
    ) -> None:
        self.key = key
        self.url = url
        self.app_id = app_id
        self.workflow_id = workflow_id
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """Send a request; `data` is a body as it is, `headers` replace ours."""
        sent = {"authorization": f"Bearer {self.key}"} if headers is None else dict(headers)
        if body is not None:
            data = json.dumps(body).encode()
            sent = {**JSON, **sent}
        async with (
            asyncio.timeout(BOUND),
            self._session.request(
                method,
                self.url + path,
                data=None if data is None else io.BytesIO(data),
                params={name: str(value) for name, value in (query or {}).items()},
                headers=sent,
                skip_auto_headers=("content-type",),
            ) as response,
        ):
            reply = Reply(response.status, response.headers.copy(), await response.read())
        if method != "HEAD":
            found = problems(method, f"/v1{path}", reply.status, reply.headers, reply.body)
            assert not found, found  # it is not as the server's own document says
        return reply

    async def get(self, path: str, **query: str | int) -> Reply:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: object) -> Reply:
        return await self.call("POST", path, body)

    async def put(self, path: str, body: object) -> Reply:
        return await self.call("PUT", path, body)

    async def delete(self, path: str, body: object) -> Reply:
        return await self.call("DELETE", path, body)

    async def chat(self, query: object = "hi", *, user: object = "u1", **fields: object) -> Reply:
        """Send a message; blocking unless the fields say otherwise. No title is made up unless asked for."""
        body = {"inputs": {}, "query": query, "user": user, "auto_generate_name": False, **fields}
        return await self.post("/chat-messages", body)

    async def said(self, query: str = "hi", *, user: str = "u1", **fields: object) -> Any:
        """The whole answer to a message that must succeed."""
        return (await self.chat(query, user=user, **fields)).ok

    def stream(self, query: str = "hi", *, user: str = "u1", **fields: object) -> Stream:
        """The answer to a message as a stream."""
        return self.stream_of(
            "/chat-messages",
            {"inputs": {}, "query": query, "user": user, "auto_generate_name": False, **fields},
        )

    async def told(self, query: str = "hi", *, user: str = "u1", **fields: object) -> Stream:
        """The answer to a message as a stream that was read to its end."""
        async with self.stream(query, user=user, **fields) as stream:
            await stream.rest()
        return stream

    async def run(self, inputs: Mapping[str, object] | None = None, *, user: str = "u1") -> Any:
        """The whole answer of a workflow app that must answer."""
        return (await self.post("/workflows/run", {"inputs": dict(inputs or {}), "user": user})).ok

    async def ran(self, inputs: Mapping[str, object] | None = None, *, user: str = "u1") -> Stream:
        """The stream of a workflow app, read to its end."""
        async with self.run_stream(inputs, user=user) as stream:
            await stream.rest()
        return stream

    def run_stream(self, inputs: Mapping[str, object] | None = None, *, user: str = "u1") -> Stream:
        """The stream of a workflow app."""
        return self.stream_of("/workflows/run", {"inputs": dict(inputs or {}), "user": user})

    def events(self, run_id: str, *, user: str = "u1", **query: str) -> Stream:
        """The stream of a run that is joined again."""
        asked = "&".join(f"{name}={value}" for name, value in {"user": user, **query}.items())
        return Stream(self._session, f"{self.url}/workflow/{run_id}/events?{asked}", self.key, {}, gets=True)

    async def joined(self, run_id: str, *, user: str = "u1", **query: str) -> Stream:
        """The same, read to its end."""
        async with self.events(run_id, user=user, **query) as stream:
            await stream.rest()
        return stream

    async def fill(self, token: str, action: str = "approve", *, user: str = "u1", **inputs: object) -> Reply:
        """Fill a form in."""
        body = {"user": user, "inputs": inputs, "action": action}
        return await self.post(f"/form/human_input/{token}", body)

    def stream_of(self, path: str, body: Mapping[str, object]) -> Stream:
        """The stream that a path answers with."""
        return Stream(self._session, self.url + path, self.key, {**body, "response_mode": "streaming"})

    async def stop(self, task_id: str, *, user: str = "u1") -> Any:
        """Stop an answer."""
        return (await self.post(f"/chat-messages/{task_id}/stop", {"user": user})).ok

    async def messages(self, conversation_id: str, *, user: str = "u1") -> list[Any]:
        """The messages of a conversation, oldest first."""
        page = await self.get("/messages", conversation_id=conversation_id, user=user, limit=100)
        return list(page.ok["data"])

    async def conversations(self, *, user: str = "u1") -> list[Any]:
        """The conversations of a user."""
        return list((await self.get("/conversations", user=user, limit=100)).ok["data"])

    async def variables(self, conversation_id: str, *, user: str = "u1") -> dict[str, Any]:
        """The variables of a conversation, shown as text, by name."""
        page = await self.get(f"/conversations/{conversation_id}/variables", user=user, limit=100)
        return {item["name"]: item["value"] for item in page.ok["data"]}

    async def run_detail(self, run_id: str) -> Any:
        """A run as it is stored."""
        return (await self.get(f"/workflows/run/{run_id}")).ok


@dataclass
class Stream:
    """An event stream, read frame by frame; whatever is no frame of the contract fails the test."""

    session: aiohttp.ClientSession
    url: str
    key: str
    body: Mapping[str, object]
    events: list[dict[str, Any]] = field(default_factory=list)
    """Those read so far."""
    pings: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    gets: bool = False
    """Get it instead of posting the body."""
    _buffer: bytes = b""
    _response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(BOUND):
            authorized = {"authorization": f"Bearer {self.key}"}
            if self.gets:
                self._response = await self.session.get(self.url, headers=authorized)
            else:
                self._response = await self.session.post(
                    self.url, data=json.dumps(self.body).encode(), headers={**JSON, **authorized}
                )
        if self._response.status != 200:
            text = await self._response.read()
            raise AssertionError(f"no stream but {self._response.status}: {text!r}")
        self.headers = self._response.headers.copy()
        assert self.headers["content-type"] == "text/event-stream; charset=utf-8"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection, whatever may still come."""
        if self._response is not None:
            self._response.close()

    async def next(self) -> dict[str, Any] | None:
        """The next event; nothing at the end."""
        async with asyncio.timeout(BOUND):
            while (frame := await self._frame()) == b"event: ping":
                self.pings += 1
        if frame is None:
            return None
        assert frame.startswith(b'data: {"'), frame
        assert b"\n" not in frame, frame
        event = json.loads(frame[6:])
        assert not (found := event_problems(event)), found
        self.events.append(event)
        return event  # type: ignore[no-any-return]  # decoded JSON

    async def until(self, name: str) -> dict[str, Any]:
        """Read up to the next event of that name."""
        while (event := await self.next()) is not None:
            if event["event"] == name:
                return event
        raise AssertionError(f"the stream ended without {name}: {self.names}")

    async def until_text(self, text: str) -> None:
        """Read until the answer so far is this."""
        while self.answer != text:
            assert await self.next() is not None, (self.answer, text)

    async def rest(self) -> list[dict[str, Any]]:
        """Read to the end; all events."""
        while await self.next() is not None:
            pass
        return self.events

    async def pinged(self, times: int) -> None:
        """Read until so many pings have come, and nothing else."""
        async with asyncio.timeout(BOUND):
            while self.pings < times:
                frame = await self._frame()
                assert frame == b"event: ping", frame
                self.pings += 1

    async def _frame(self) -> bytes | None:
        assert self._response is not None
        while b"\n\n" not in self._buffer:
            data = await self._response.content.readany()
            if not data:
                assert self._buffer == b"", self._buffer
                return None
            self._buffer += data
        frame, _, self._buffer = self._buffer.partition(b"\n\n")
        return frame

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [event for event in self.events if event["event"] == name]

    def one(self, name: str) -> dict[str, Any]:
        """The only event of that name."""
        (event,) = self.of(name)
        return event

    @property
    def texts(self) -> list[str]:
        """The pieces of the answer, empty ones left out."""
        pieces = [
            event["answer"] if event["event"] == "message" else event["data"]["text"]
            for event in self.events
            if event["event"] in ("message", "text_chunk")
        ]
        return [piece for piece in pieces if piece]

    @property
    def answer(self) -> str:
        return "".join(self.texts)

    @property
    def finished(self) -> dict[str, Any]:
        """What the end of the run told."""
        data: dict[str, Any] = self.one("workflow_finished")["data"]
        return data

    @property
    def started(self) -> list[str]:
        """Ids of the nodes that started, in order; containers with their own event."""
        kinds = ("node_started", "iteration_started", "loop_started")
        return [event["data"]["node_id"] for event in self.events if event["event"] in kinds]

    def node(self, node_id: str) -> dict[str, Any]:
        """How a node finished."""
        (data,) = [event["data"] for event in self.of("node_finished") if event["data"]["node_id"] == node_id]
        return dict(data)

    @property
    def script(self) -> list[str]:
        """What happened: ``>node``, ``<node``, the text of a piece in quotes, other events by name."""
        return [line for event in self.events if (line := _line(event)) is not None]


def _line(event: Mapping[str, Any]) -> str | None:
    match event["event"]:
        case "node_started":
            return f">{event['data']['node_id']}"
        case "node_finished":
            return f"<{event['data']['node_id']}"
        case "message":
            return repr(event["answer"]) if event["answer"] else None
        case "text_chunk":
            return repr(event["data"]["text"]) if event["data"]["text"] else None
        case name:
            return str(name)


def is_id(value: object) -> bool:
    """Whether this is a UUID as the API writes it."""
    return isinstance(value, str) and str(UUID(value)) == value
