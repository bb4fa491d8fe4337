"""A server made of scripted answers, and one face for both clients."""

from __future__ import annotations

import email
import inspect
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from importlib import import_module
from typing import Any, Protocol, Self, cast

import httpx2

from weft.client import (
    AsyncClient,
    AsyncConsoleClient,
    Client,
    ConsoleClient,
    RetryPolicy,
    Timeouts,
)
from weft.client._login import PasswordEncoding
from weft.client._retry import system_now

_FILENAME = re.compile(rb'filename="([^"]*)"')

KEY = "app-0123456789abcdefABCDEF"
EMAIL = "ada@example.com"
PASSWORD = "correct horse 9"


@dataclass
class Asked:
    """A request as the server saw it."""

    method: str
    url: str
    query: dict[str, str]
    body: object
    headers: httpx2.Headers
    timeout: dict[str, float | None]


class Chunks(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces, perhaps with a failure at its end."""

    def __init__(self, pieces: Iterable[bytes], failure: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.failure = failure
        self.given_out = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.given_out += 1
            yield piece
        if self.failure is not None:
            raise self.failure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


Answer = httpx2.Response | Exception


@dataclass
class Fake:
    """Answers requests in the order they come and remembers them."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(
            Asked(
                request.method,
                str(request.url.copy_with(query=None)),
                dict(request.url.params),
                body_of(request),
                request.headers,
                request.extensions["timeout"],
            )
        )
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer.stream, Chunks):
            return answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)


def body_of(request: httpx2.Request) -> object:
    if not request.content:
        return None
    if request.headers["content-type"].startswith("multipart/"):
        return form_of(request)
    return json.loads(request.content)


def form_of(request: httpx2.Request) -> dict[str, object]:
    """The fields of a form; of a file its name, type and bytes."""
    head = b"Content-Type: %b\r\n\r\n" % request.headers["content-type"].encode()
    fields: dict[str, object] = {}
    message = email.message_from_bytes(head + request.content)
    assert isinstance(message, Message)
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        filename = part.get_filename()
        if filename is not None:
            filename = _FILENAME.findall(request.content)[0].decode()  # the parser takes it for ASCII
        fields[str(name)] = (
            content.decode() if filename is None else (filename, part.get_content_type(), content)
        )
    return fields


def said(body: object, status: int = 200, headers: dict[str, str] | None = None) -> httpx2.Response:
    return httpx2.Response(status, json=body, headers=headers)


def refused(
    status: int, code: str, message: str = "no", headers: dict[str, str] | None = None
) -> httpx2.Response:
    return said({"code": code, "message": message, "status": status}, status, headers)


def streamed(chunks: Chunks, content_type: str = "text/event-stream; charset=utf-8") -> httpx2.Response:
    return httpx2.Response(200, headers={"Content-Type": content_type}, stream=chunks)


def frames(*events: dict[str, object]) -> list[bytes]:
    return [b"data: %b\n\n" % json.dumps(event).encode() for event in events]


class MakeClient(Protocol):
    """Makes a client of one colour that talks to a fake; the blocking one is made awaitable."""

    def __call__(
        self,
        *answers: Answer,
        base_url: str = ...,
        retry: RetryPolicy | None = ...,
        timeouts: Timeouts | None = ...,
        waits: list[float] | None = ...,
    ) -> tuple[AsyncClient, Fake]: ...


def make_async(
    *answers: Answer,
    base_url: str = "http://dify.test",
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    waits: list[float] | None = None,
) -> tuple[AsyncClient, Fake]:
    async def sleep(seconds: float) -> None:
        assert waits is not None
        waits.append(seconds)

    fake = Fake(list(answers))
    client = AsyncClient(base_url, KEY, transport=fake.transport, retry=retry, timeouts=timeouts, sleep=sleep)
    return client, fake


def make_blocking(
    *answers: Answer,
    base_url: str = "http://dify.test",
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    waits: list[float] | None = None,
) -> tuple[AsyncClient, Fake]:
    def sleep(seconds: float) -> None:
        assert waits is not None
        waits.append(seconds)

    fake = Fake(list(answers))
    client = Client(base_url, KEY, transport=fake.transport, retry=retry, timeouts=timeouts, sleep=sleep)
    return cast(AsyncClient, Awaitable(client, AsyncClient)), fake


class MakeConsole(Protocol):
    """Makes a console client of one colour that talks to a server; the blocking one is made awaitable."""

    def __call__(
        self,
        server: Callable[[httpx2.Request], httpx2.Response],
        *,
        password: str = ...,
        password_encoding: PasswordEncoding = ...,
        now: Callable[[], datetime] = ...,
        retry: RetryPolicy | None = ...,
    ) -> AsyncConsoleClient: ...


def make_async_console(
    server: Callable[[httpx2.Request], httpx2.Response],
    *,
    password: str = PASSWORD,
    password_encoding: PasswordEncoding = "auto",
    now: Callable[[], datetime] = system_now,
    retry: RetryPolicy | None = None,
) -> AsyncConsoleClient:
    async def sleep(seconds: float) -> None:
        pass

    return AsyncConsoleClient(
        "http://dify.test",
        EMAIL,
        password,
        password_encoding=password_encoding,
        transport=httpx2.MockTransport(server),
        now=now,
        retry=retry,
        sleep=sleep,
    )


def make_blocking_console(
    server: Callable[[httpx2.Request], httpx2.Response],
    *,
    password: str = PASSWORD,
    password_encoding: PasswordEncoding = "auto",
    now: Callable[[], datetime] = system_now,
    retry: RetryPolicy | None = None,
) -> AsyncConsoleClient:
    client = ConsoleClient(
        "http://dify.test",
        EMAIL,
        password,
        password_encoding=password_encoding,
        transport=httpx2.MockTransport(server),
        now=now,
        retry=retry,
        sleep=lambda seconds: None,
    )
    return cast(AsyncConsoleClient, Awaitable(client, AsyncConsoleClient))


class Awaitable:
    """A blocking object behind the face of its asynchronous twin."""

    def __init__(self, inner: Any, twin: type) -> None:
        self._inner = inner
        self._twin = twin

    def __getattr__(self, name: str) -> Any:
        inner_name = {"aclose": "close"}.get(name, name)
        ours = getattr(self._twin, name, None)
        if isinstance(ours, property) and inspect.iscoroutinefunction(ours.fget):
            return _later(lambda: _awaitable(getattr(self._inner, name)))
        attribute = getattr(self._inner, inner_name)
        if inspect.iscoroutinefunction(ours):
            return lambda *args, **kwargs: _later(lambda: _awaitable(attribute(*args, **kwargs)))
        if callable(attribute):
            return lambda *args, **kwargs: _awaitable(attribute(*args, **kwargs))
        return attribute

    def __repr__(self) -> str:
        return repr(self._inner)

    async def __aenter__(self) -> Self:
        self._inner.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._inner)
        except StopIteration:
            raise StopAsyncIteration from None


async def _later(act: Callable[[], Any]) -> Any:
    return act()


def _twin(kind: type) -> type | None:
    """The asynchronous class that a blocking one was written from."""
    if not kind.__module__.startswith("weft.client._sync."):
        return None
    module = import_module(kind.__module__.replace("._sync.", "._async."))
    found: type = getattr(module, f"Async{kind.__name__}")
    return found


def _awaitable(result: Any) -> Any:
    if isinstance(result, list):
        return [_awaitable(item) for item in result]
    twin = _twin(type(result))
    return result if twin is None else Awaitable(result, twin)
