"""The client through the guard: public addresses alone, and the same answers as ever."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from weft.archive import SourceSpec, open_source
from weft.archive.sources.guarded import GuardedTransport
from weft.client import AsyncClient, AsyncConsoleClient
from weft.clock import SystemClock
from weft.egress import (
    AddressRefusedError,
    EgressConfig,
    EgressError,
    EgressRequest,
    EgressResponse,
    EgressTimeoutError,
    ResponseTooLargeError,
    TooManyRedirectsError,
)
from weft.errors import InvalidRequestError, TransportError, UnauthorizedError

pytestmark = pytest.mark.anyio
KEY = "app-0123456789abcdef"
CONSOLE = SourceSpec(kind="console", api_key="a@b.c:password")


class Outside:
    """A way out with a Dify at its end."""

    config = EgressConfig()

    def __init__(self, failure: EgressError | None = None) -> None:
        self.failure = failure
        self.asked: list[EgressRequest] = []
        self.is_closed = False

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        status, headers, body = self._answer(request)

        async def pieces() -> AsyncIterator[bytes]:
            yield json.dumps(body).encode()

        yield EgressResponse(status=status, origin="http://dify", headers=headers, pieces=pieces())

    async def close(self) -> None:
        self.is_closed = True

    def _answer(self, request: EgressRequest) -> tuple[int, Mapping[str, str], object]:
        sent = dict(request.headers)
        if request.url.endswith("/login"):
            cookies = (
                "access_token=t; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Path=/, csrf_token=c; Path=/; Secure"
            )
            return 200, {"set-cookie": cookies}, {"result": "success"}
        if request.url.endswith("/account/profile"):
            if (sent.get("Cookie"), sent.get("X-CSRF-Token")) != ("access_token=t", "c"):
                return 401, {}, {"code": "unauthorized", "message": "no", "status": 401}
            return 200, {}, {"id": "a", "name": "A", "email": "a@b.c"}
        return 200, {}, {"name": "App", "mode": "advanced-chat", "tags": []}


async def test_answers_errors_and_cookies_come_through() -> None:
    outside = Outside()
    async with AsyncClient("http://dify", KEY, transport=GuardedTransport(outside)) as client:
        assert (await client.info()).name == "App"
    assert dict(outside.asked[0].headers)["Authorization"] == f"Bearer {KEY}"
    assert outside.is_closed
    # The second cookie is for encrypted connections alone, so it is not sent; its header is.
    console = AsyncConsoleClient("http://dify", "a@b.c", "p", transport=GuardedTransport(Outside()))
    async with console:
        assert (await console.profile()).name == "A"


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (AddressRefusedError("x"), InvalidRequestError, "set archive.pull_private_addresses"),
        (TooManyRedirectsError("x"), InvalidRequestError, "redirects elsewhere"),
        (EgressTimeoutError("too slow"), TransportError, "ReadTimeout: too slow"),
        (ResponseTooLargeError("http://dify", 5), TransportError, "more than 5 bytes"),
        (EgressError("not there"), TransportError, "ConnectError: not there"),
    ],
)
async def test_failures_are_those_of_the_client(
    failure: EgressError, kind: type[Exception], said: str
) -> None:
    async with AsyncClient("http://dify", KEY, transport=GuardedTransport(Outside(failure))) as client:
        with pytest.raises(kind, match=said):
            await client.info()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://169.254.169.254", "http://2130706433", "http://[::1]"]
)
@pytest.mark.parametrize("guarded", [SourceSpec(kind="app-key", app_id="a", api_key=KEY), CONSOLE])
async def test_an_address_from_outside_leads_to_no_private_network(url: str, guarded: SourceSpec) -> None:
    spec = replace(guarded, url=url, is_guarded=True)
    async with open_source(spec, clock=SystemClock()) as source:
        with pytest.raises(InvalidRequestError, match="not at a public address"):
            await source.list_apps()


async def test_a_refused_key_is_an_error_of_the_client() -> None:
    class Strict(Outside):
        def _answer(self, request: EgressRequest) -> tuple[int, Mapping[str, str], object]:
            return 401, {}, {"code": "unauthorized", "message": "no", "status": 401}

    async with AsyncClient("http://dify", KEY, transport=GuardedTransport(Strict())) as client:
        with pytest.raises(UnauthorizedError):
            await client.info()
