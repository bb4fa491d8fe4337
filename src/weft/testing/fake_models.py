"""A model service that speaks the OpenAI-compatible protocol and does as it is told.

For tests: it misbehaves in every way that real services do. For benchmarks: replies are encoded once and
written from a bare protocol, so that what is measured is the client. From a shell::

    python -m weft.testing.fake_models --chunks 100 --interval-ms 10

prints its address and serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from weft.providers import ToolCall
from weft.testing.fake_services import SERVICE_PATHS, answer_service

_CHAT = "/v1/chat/completions"
_MAX_HEAD = 64 * 1024
_STREAM_HEAD = b"Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
_END_OF_BODY = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the service does with one request."""

    text: str | None = None
    """The reply, streamed word by word; ``None`` repeats the last message of the user. What is heard in every
    recording."""
    pieces: Sequence[str] | None = None
    """The reply's chunks, instead of `text`."""
    reasoning: str = ""
    """Thoughts before the reply, in one chunk of ``reasoning_content``."""
    tool_calls: Sequence[ToolCall] = ()
    """Each is streamed in two pieces."""
    finish_reason: str | None = None
    """``None`` gives ``tool_calls`` if there are any, else ``stop``."""
    usage: bool = True
    """Report tokens: a word of the prompt and a chunk of the reply count as one each."""
    done: bool = True
    """End a stream with ``[DONE]``."""
    interval_s: float = 0.0
    """Seconds between chunks; 0 sends all at once."""
    status: int = 200
    """Anything else sends `body` as an error."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | Mapping[str, object] | None = None
    """Sent instead of a reply; a mapping as JSON."""
    raw: Sequence[bytes] | None = None
    """The body of a stream, piece by piece as given, instead of a reply; audio where speech is asked for."""
    stall_after: int | None = None
    """Fall silent after so many pieces of the stream; 0 sends not even the headers."""
    break_after: int | None = None
    """Cut the connection after so many pieces of the stream; 0 cuts it before the headers."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class FakeModels:
    """The service, as an asynchronous context manager.

    Args:
        behaviour: What to do with requests for which nothing else was said.
        api_key: Refuse requests with another key, if given.
        host: Address to listen on.
        port: 0 takes a free one.
        keep: How many of the latest requests to remember.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        api_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: int = 1000,
    ) -> None:
        self.requests: deque[RecordedRequest] = deque(maxlen=keep)
        """The latest requests, oldest first."""
        self._default = behaviour or Behaviour()
        self._api_key = api_key
        self._address = (host, port)
        self._next: deque[Behaviour] = deque()
        self._encoded: dict[tuple[str, bool], list[bytes]] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._received = _Counter()
        self._hangups = _Counter()
        self._closed = _Counter()
        self._accepted = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, loop), *self._address, backlog=2048)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Base address, ``http://host:port/v1``."""
        if self._server is None:
            raise RuntimeError("the fake service is not running; use it in an async with block")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._accepted

    def then(self, *behaviours: Behaviour) -> None:
        """What to do with the next requests, one each."""
        self._next.extend(behaviours)

    async def received(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        await self._received.reach(count)

    async def hung_up(self, count: int = 1) -> None:
        """Wait until so many clients have left in the middle of a reply."""
        await self._hangups.reach(count)

    async def closed(self, count: int = 1) -> None:
        """Wait until so many connections have been closed, by whichever side."""
        await self._closed.reach(count)

    def _answer(self, request: RecordedRequest) -> tuple[list[bytes], Behaviour]:
        """Pieces to write, the first with the head, and how to write them."""
        self.requests.append(request)
        self._received.add()
        path = request.path.partition("?")[0]
        if self._api_key is not None and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return _refuse(401, "Incorrect API key provided", "invalid_api_key")
        if request.method == "GET" and path == "/v1/models":
            content = {"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "weft"}]}
            return [_whole(200, content)], Behaviour()
        if request.method != "POST" or path not in (_CHAT, *SERVICE_PATHS):
            return _refuse(404, f"no such address: {request.method} {path}", "not_found")
        if path != _CHAT:
            behaviour = self._next.popleft() if self._next else self._default
            return _service_pieces(behaviour, path, request), behaviour
        if self._next:
            behaviour = self._next.popleft()
            return _pieces(behaviour, request.json), behaviour
        behaviour = self._default
        if behaviour.text is None and behaviour.pieces is None:
            return _pieces(behaviour, request.json), behaviour
        asked = msgspec.json.decode(request.body, type=_Asked)
        key = (asked.model, asked.stream)
        pieces = self._encoded.get(key)
        if pieces is None:
            pieces = self._encoded[key] = _pieces(behaviour, request.json)
            if not behaviour.interval_s and behaviour.stall_after is None and behaviour.break_after is None:
                pieces[:] = [b"".join(pieces)]
        return pieces, behaviour


class _Asked(msgspec.Struct):
    model: str = ""
    stream: bool = False


class _Counter:
    """Counts up, and wakes who waits for a number."""

    def __init__(self) -> None:
        self._value = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def add(self) -> None:
        self._value += 1
        for count, future in self._waiting:
            if count <= self._value and not future.done():
                future.set_result(None)

    async def reach(self, count: int) -> None:
        if count > self._value:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (count, future)
            self._waiting.append(entry)
            try:
                await future
            finally:
                self._waiting.remove(entry)


class _Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    def __init__(self, service: FakeModels, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._busy = False
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports have no common ancestor with asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._service._connections.add(self)
        self._service._accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._service._connections.discard(self)
        self._service._closed.add()
        if self._timer is not None:
            self._timer.cancel()
        if self._busy:
            self._service._hangups.add()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._serve()

    def abort(self) -> None:
        self._busy = False
        if self._transport is not None:
            self._transport.abort()

    def _serve(self) -> None:
        while not self._busy and self._transport is not None:
            request, self._buffer = _parse(self._buffer)
            if request is None:
                if len(self._buffer) > _MAX_HEAD and b"\r\n\r\n" not in self._buffer:
                    self._transport.abort()
                return
            pieces, behaviour = self._service._answer(request)
            self._busy = True
            self._write(pieces, behaviour, 0, self._loop.time())

    def _write(self, pieces: Sequence[bytes], behaviour: Behaviour, place: int, start: float) -> None:
        """Write from that piece on, and come back later for what must wait."""
        transport = self._transport
        if transport is None:
            return
        until_break, until_stall = _allowed(behaviour.break_after), _allowed(behaviour.stall_after)
        interval, last = behaviour.interval_s, len(pieces)
        at_once = not interval and behaviour.raw is None
        while place < last:
            if until_break is not None and place >= until_break:
                self._busy = False
                transport.close()
                return
            if until_stall is not None and place >= until_stall:
                return
            transport.write(pieces[place])
            place += 1
            if not at_once and place < last:
                when = start + place * interval if interval else 0.0
                self._timer = self._loop.call_at(when, self._write, pieces, behaviour, place, start)
                return
        self._busy = False
        if not at_once:
            self._serve()


def _allowed(count: int | None) -> int | None:
    """Pieces to write, the head included, for so many pieces of the stream."""
    return count + 1 if count else count


def _parse(buffer: bytes) -> tuple[RecordedRequest | None, bytes]:
    """The first request in the buffer, if it is all there, and the rest."""
    head, found, rest = buffer.partition(b"\r\n\r\n")
    if not found:
        return None, buffer
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    if len(rest) < size:
        return None, buffer
    method, path, *_ = first.split(" ")
    return RecordedRequest(method, path, headers, rest[:size]), rest[size:]


def _refuse(status: int, message: str, code: str) -> tuple[list[bytes], Behaviour]:
    content = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return [_whole(status, content)], Behaviour()


def _whole(status: int, content: object, headers: Mapping[str, str] | None = None) -> bytes:
    """A complete reply with its length."""
    kind = "application/json"
    if isinstance(content, bytes | str):
        body = content if isinstance(content, bytes) else content.encode()
        kind = "text/html" if body.startswith(b"<") else "text/plain"
    else:
        body = msgspec.json.encode(content)
    given = {"Content-Type": kind, **(headers or {}), "Content-Length": str(len(body))}
    return _head(status, given) + b"\r\n" + body


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(content: object) -> bytes:
    return _chunk(b"data: " + msgspec.json.encode(content) + b"\n\n")


def _service_pieces(behaviour: Behaviour, path: str, request: RecordedRequest) -> list[bytes]:
    """A reply that is no chat: audio in pieces, anything else in one."""
    if behaviour.status != 200 or behaviour.body is not None:
        return [_whole(behaviour.status, behaviour.body or b"", behaviour.headers)]
    content = answer_service(
        path, request.body, text=behaviour.text, raw=behaviour.raw, with_usage=behaviour.usage
    )
    if isinstance(content, list):
        given = {"Content-Type": "audio/mpeg", **behaviour.headers, "Transfer-Encoding": "chunked"}
        head = _head(200, given) + b"\r\n"
        return [head, *(_chunk(piece) for piece in content if piece), _END_OF_BODY]
    return [_whole(200, content, behaviour.headers)]


def _pieces(behaviour: Behaviour, asked: dict[str, Any]) -> list[bytes]:
    if behaviour.status != 200 or behaviour.body is not None:
        return [_whole(behaviour.status, behaviour.body or b"", behaviour.headers)]
    if not asked.get("stream") and behaviour.raw is None:
        return [_whole(200, _completion(behaviour, asked), behaviour.headers)]
    head = _head(200, behaviour.headers) + _STREAM_HEAD + b"\r\n"
    if behaviour.raw is not None:
        events = [_chunk(piece) for piece in behaviour.raw if piece]
    else:
        events = _events(behaviour, asked)
    return [head, *events, _END_OF_BODY]


def _events(behaviour: Behaviour, asked: dict[str, Any]) -> list[bytes]:
    """The stream's events: a role, thoughts, text, tool calls, the reason to finish, tokens, the end."""
    base = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": asked.get("model", ""),
    }

    def event(delta: Mapping[str, object], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**base, "choices": [choice]})

    events = [event({"role": "assistant", "content": ""})]
    if behaviour.reasoning:
        events.append(event({"reasoning_content": behaviour.reasoning}))
    events += [event({"content": text}) for text in _texts(behaviour, asked)]
    for index, call in enumerate(behaviour.tool_calls):
        function = {"name": call.name, "arguments": ""}
        events.append(
            event({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
        )
        events.append(event({"tool_calls": [{"index": index, "function": {"arguments": call.arguments}}]}))
    events.append(event({}, _reason(behaviour)))
    if behaviour.usage and (asked.get("stream_options") or {}).get("include_usage"):
        events.append(_event({**base, "choices": [], "usage": _usage(behaviour, asked)}))
    if behaviour.done:
        events.append(_chunk(b"data: [DONE]\n\n"))
    return events


def _completion(behaviour: Behaviour, asked: dict[str, Any]) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "".join(_texts(behaviour, asked))}
    if behaviour.reasoning:
        message["reasoning_content"] = behaviour.reasoning
    if behaviour.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in behaviour.tool_calls
        ]
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": asked.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": _reason(behaviour)}],
        **({"usage": _usage(behaviour, asked)} if behaviour.usage else {}),
    }


def _reason(behaviour: Behaviour) -> str:
    return behaviour.finish_reason or ("tool_calls" if behaviour.tool_calls else "stop")


def _texts(behaviour: Behaviour, asked: dict[str, Any]) -> list[str]:
    if behaviour.pieces is not None:
        return list(behaviour.pieces)
    if behaviour.text is None and behaviour.tool_calls:
        return []
    text = _last_user_text(asked) if behaviour.text is None else behaviour.text
    first, *others = text.split(" ")
    return [piece for piece in (first, *(f" {word}" for word in others)) if piece]


def _last_user_text(asked: dict[str, Any]) -> str:
    for message in reversed(asked.get("messages", [])):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def _usage(behaviour: Behaviour, asked: dict[str, Any]) -> dict[str, int]:
    prompt = sum(len(_text(message.get("content")).split()) for message in asked.get("messages", []))
    completion = len(_texts(behaviour, asked)) + bool(behaviour.reasoning) + len(behaviour.tool_calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def _serve(behaviour: Behaviour, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stopped.set)
    async with FakeModels(behaviour, host=host, port=port, keep=1) as fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve from the command line until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m weft.testing.fake_models", description=__doc__)
    parser.add_argument("--text", help="what to reply (default: repeat the last message of the user)")
    parser.add_argument("--chunks", type=int, help="reply with so many words instead")
    parser.add_argument("--interval-ms", type=float, default=0.0, help="milliseconds between chunks")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = parser.parse_args(arguments)
    pieces = None if given.chunks is None else ("word", *[" word"] * (given.chunks - 1))[: given.chunks]
    behaviour = Behaviour(text=given.text, pieces=pieces, interval_s=given.interval_ms / 1000)
    run: Callable[..., None] = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        run = uvloop.run
    run(_serve(behaviour, given.host, given.port))


if __name__ == "__main__":
    main()
