"""The shorter way to the network: the same requests, answers and errors as over the HTTP library."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.console_server import NOW, Console, Generation
from tests.client.fake import EMAIL, KEY, PASSWORD
from weft import errors
from weft.client import (
    AsyncClient,
    AsyncConsoleClient,
    BlockingExchangeTransport,
    Client,
    ExchangeTransport,
    Incoming,
    Outgoing,
    RetryPolicy,
    Timeouts,
    error_reply,
)
from weft.client._exchange import CookieHeaders, query_text

pytestmark = pytest.mark.anyio
T = TypeVar("T")
INFO = b'{"name": "App", "mode": "advanced-chat", "tags": []}'
PROFILE = {"id": "a1", "name": "Ada", "email": EMAIL, "timezone": "UTC"}
Answer = Incoming | httpx2.HTTPError


class Script:
    """Answers in order, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Outgoing] = []

    def answer(self, request: Outgoing) -> Incoming:
        self.asked.append(request)
        found = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(found, httpx2.HTTPError):
            raise found
        return found


class AsyncScript(Script, ExchangeTransport):
    async def exchange(self, request: Outgoing) -> Incoming:
        return self.answer(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"")


class BlockingScript(Script, BlockingExchangeTransport):
    def exchange(self, request: Outgoing) -> Incoming:
        return self.answer(request)


Both = Callable[..., Any]


async def _async(script: Script, ask: Both, **options: Any) -> object:
    async with AsyncClient("http://dify", KEY, transport=cast(AsyncScript, script), **options) as client:
        return await ask(client)


async def _blocking(script: Script, ask: Both, **options: Any) -> object:
    with Client("http://dify", KEY, transport=cast(BlockingScript, script), **options) as client:
        found = ask(client)
        assert not inspect.isawaitable(found)
        return found


@pytest.fixture(params=[(AsyncScript, _async), (BlockingScript, _blocking)], ids=["async", "blocking"])
def way(request: pytest.FixtureRequest) -> tuple[type[AsyncScript], Callable[..., Any]]:
    found: tuple[type[AsyncScript], Callable[..., Any]] = request.param
    return found


async def test_a_request_is_as_the_http_library_would_send_it(way: tuple[Any, Any]) -> None:
    make, run = way
    script = make(Incoming(200, {}, b'{"limit": 20, "has_more": false, "data": []}'))
    timeouts = Timeouts(read=7.0)
    await run(script, lambda client: client.conversations(user="a+b c&d=é/%41?"), timeouts=timeouts)
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"limit": 20, "has_more": False, "data": []})

    async with AsyncClient("http://dify", KEY, transport=httpx2.MockTransport(answer)) as client:
        await client.conversations(user="a+b c&d=é/%41?")
    asked = script.asked[0]
    assert dict(httpx2.URL(asked.url).params) == dict(sent[0].url.params)
    assert asked.url.partition("?")[0] == str(sent[0].url).partition("?")[0]
    assert (asked.method, asked.body, asked.timeouts) == ("GET", None, timeouts)
    assert {name.lower(): value for name, value in asked.headers.items()} == {
        name: sent[0].headers[name] for name in ("accept", "authorization", "user-agent")
    }


async def test_an_answer_that_waits_for_a_run_is_waited_for_as_long(way: tuple[Any, Any]) -> None:
    make, run = way
    script = make(Incoming(200, {}, b"{}"))
    with pytest.raises(errors.ServerError):
        await run(script, lambda client: client.chat_messages("hi", user="u"), timeouts=Timeouts(run=5.0))
    assert script.asked[0].timeouts == replace(Timeouts(run=5.0), read=5.0)
    assert script.asked[0].headers["Content-Type"] == "application/json"


async def test_failures_and_refusals_are_tried_again_and_then_raised(way: tuple[Any, Any]) -> None:
    make, run = way
    busy = Incoming(429, {"retry-after": "3"}, b'{"code": "too_many_requests", "message": "slow"}')
    script = make(httpx2.ReadError(f"cut, {KEY}"), busy, Incoming(200, {}, INFO))
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    pause: Any = sleep if make is AsyncScript else waited.append
    info = await run(script, lambda client: client.info(), retry=RetryPolicy(tries=3), sleep=pause)
    assert (info.name, waited) == ("App", [0.5, 3.0])
    with pytest.raises(
        errors.TransportError, match=r"GET /info: no answer: ReadError: cut, \*\*\*"
    ) as caught:
        await run(make(httpx2.ReadError(f"cut, {KEY}")), lambda client: client.info())
    assert KEY not in str(caught.value)
    with pytest.raises(errors.TooManyRequestsError) as refused:
        await run(make(busy), lambda client: client.info())
    assert refused.value.retry_after == 3.0


async def test_a_key_that_the_server_echoes_is_hidden(way: tuple[Any, Any]) -> None:
    make, run = way
    secret = "a key that looks like nothing"
    body = f'{{"code": "unauthorized", "message": "{KEY} and {secret}"}}'.encode()
    with pytest.raises(errors.UnauthorizedError, match=r"^\*\*\* and a key") as caught:
        await run(make(Incoming(401, {"x-request-id": "r1"}, body)), lambda client: client.info())
    told = error_reply(caught.value)
    assert told is not None
    assert (told.request_id, KEY in told.body) == ("r1", False)


async def test_streams_go_the_usual_way() -> None:
    script = AsyncScript(Incoming(200, {}, INFO))
    async with AsyncClient("http://dify", KEY, transport=script) as client:
        with pytest.raises(errors.StreamBrokenError):
            await client.stream_chat_messages("hi", user="u").collect()
        assert script.asked == []
        assert KEY not in repr(vars(client._connection))


@pytest.mark.parametrize("generation", ["cookies", "tokens", "oldest", "both"])
async def test_an_account_signs_in_to_servers_of_every_generation(generation: Generation) -> None:
    server = Console(generation, {"GET /account/profile": PROFILE})
    behind = httpx2.MockTransport(server)

    class OverMock(ExchangeTransport):
        async def exchange(self, request: Outgoing) -> Incoming:
            sent = httpx2.Request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body,
                extensions={"timeout": {}},
            )
            response = await behind.handle_async_request(sent)
            headers = dict(response.headers)
            return Incoming(
                response.status_code, headers, await response.aread(), response.headers.get_list("set-cookie")
            )

    transport = OverMock()
    async with AsyncConsoleClient(
        "http://dify", EMAIL, PASSWORD, transport=transport, now=lambda: NOW
    ) as client:
        assert (await client.profile()).name == "Ada"
        server.good.clear()  # the pass is not good any more
        assert (await asyncio.wait_for(client.profile(), 10)).name == "Ada"
        await client.logout()


def test_the_cookie_header_follows_the_cookies() -> None:
    cookies = httpx2.Cookies()
    headers = CookieHeaders(cookies)
    assert headers.text("http://dify/a") == ""
    answer = Incoming(200, {}, b"", ["t=1; Path=/a", "u=2; Path=/", "v=3; Path=/; Secure"])
    assert headers.take("http://dify/a", answer) == {"t": "1", "u": "2", "v": "3"}
    assert [headers.text(f"http://dify/{path}") for path in ("a", "b")] == ["t=1; u=2", "u=2"]
    headers.take("http://dify/a", Incoming(200, {}, b"", ["u=4; Path=/"]))
    assert headers.text("http://dify/b") == "u=4"
    gone = datetime(2020, 1, 1, tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers.take("http://dify/a", Incoming(200, {}, b"", [f"u=; Path=/; Expires={gone}"]))
    assert headers.text("http://dify/b") == ""
    cookies.set("w", "5")  # as an answer that came another way would
    assert headers.text("http://dify/b") == "w=5"
    cookies.clear()
    assert headers.text("http://dify/a") == ""


@given(st.dictionaries(st.text("ab&=+ é%\n~"), st.text("ab&=+ é%\n~")))
def test_a_query_is_quoted_as_the_standard_library_does(query: dict[str, str]) -> None:
    assert query_text(query) == urlencode(query)
