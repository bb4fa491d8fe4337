"""Ways to make a server reach what its owner did not mean to show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web

from tests.egress.server import Handler, LocalServer, fetch, ok, opened, serve
from weft.egress import AddressRefusedError, EgressConfig, EgressError
from weft.egress.address import AddressPolicy
from weft.egress.transport import open_session

pytestmark = pytest.mark.anyio

GUARDED = EgressConfig()
ONLY_ONE = EgressConfig(allowed_networks=(ip_network("127.0.0.2/32"),))
"""Stands for the public: a machine that may be reached, next to those that may not."""

LITERALS = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[2002:7f00:0001::]",
    "[2001::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.01",
    "0",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127\u30020\u30020\u30021",
    "user@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com:80@127.0.0.1",
]


@asynccontextmanager
async def both_hosts(handler: Handler = ok) -> AsyncIterator[tuple[LocalServer, LocalServer]]:
    """One port of two machines: the one that may be reached, and one that may not."""
    async with serve(handler, host="127.0.0.2") as public:
        port = int(public.url.rpartition(":")[2])
        async with serve(port=port) as private:
            yield public, private


def resolving(*answers: list[str]) -> tuple[list[str], Callable[[str, int], Awaitable[list[str]]]]:
    """A resolver that gives one answer after the other, the last one for ever, and notes who asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, resolve


@pytest.mark.parametrize("host", LITERALS)
async def test_literal_addresses_that_are_not_public_are_refused(host: str) -> None:
    async with serve() as server, opened(GUARDED) as egress:
        port = server.url.rpartition(":")[2]
        with pytest.raises(AddressRefusedError):
            await fetch(egress, f"http://{host}:{port}/")
        assert server.requests == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost."])
async def test_names_of_this_machine_are_refused(host: str) -> None:
    async with serve() as server, opened(GUARDED) as egress:
        with pytest.raises(EgressError) as caught:
            await fetch(egress, server.url.replace("127.0.0.1", host))
        assert server.requests == []

    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fd00::1",
        "no.address",
    ],
)
async def test_names_that_lead_to_private_addresses_are_refused_without_telling_which(address: str) -> None:
    asked, resolve = resolving([address])

    async with opened(GUARDED, resolve) as egress:
        with pytest.raises(AddressRefusedError) as caught:
            await fetch(egress, "http://inside.example.com/")

    assert asked == ["inside.example.com"]
    assert address not in str(caught.value)


async def test_a_name_with_addresses_of_both_kinds_leads_to_the_public_one_only() -> None:
    _, resolve = resolving(["127.0.0.1", "127.0.0.2", "::1"])

    async with serve(host="127.0.0.2") as public, opened(ONLY_ONE, resolve) as egress:
        port = public.url.rpartition(":")[2]
        assert await fetch(egress, f"http://a.b:{port}/") == (200, b"ok")


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to() -> None:
    asked, resolve = resolving(["127.0.0.2"], ["127.0.0.1"])

    async with both_hosts() as (public, private), opened(ONLY_ONE, resolve) as egress:
        port = public.url.rpartition(":")[2]
        assert await fetch(egress, f"http://a.b:{port}/") == (200, b"ok")

        assert asked == ["a.b"]
        assert (len(public.requests), len(private.requests)) == (1, 0)


async def test_a_name_that_points_elsewhere_for_the_next_connection_is_refused_then() -> None:
    asked, resolve = resolving(["127.0.0.2"], ["127.0.0.1"])

    async def hop(request: web.Request) -> web.StreamResponse:
        # The connection is not kept, so that the same name has to be resolved again.
        return web.Response(status=302, headers={"Location": "/again", "Connection": "close"})

    async with both_hosts(hop) as (public, private), opened(ONLY_ONE, resolve) as egress:
        port = public.url.rpartition(":")[2]
        with pytest.raises(AddressRefusedError):
            await fetch(egress, f"http://a.b:{port}/")

        assert asked == ["a.b", "a.b"]
        assert (len(public.requests), len(private.requests)) == (1, 0)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://localhost:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://me:secret@127.0.0.2:{port}/",
        "http://127.0.0.2\\@127.0.0.1:{port}/",
        "ftp://127.0.0.2/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_GET",
    ],
)
@pytest.mark.parametrize("status", [301, 307])
async def test_redirects_lead_only_where_a_request_may_go(target: str, status: int) -> None:
    async with serve() as private:

        async def handler(request: web.Request) -> web.StreamResponse:
            location = target.format(port=private.url.rpartition(":")[2])
            return web.Response(status=status, headers={"Location": location})

        async with serve(handler, host="127.0.0.2") as public, opened(ONLY_ONE) as egress:
            with pytest.raises(AddressRefusedError):
                await fetch(egress, public.url)
            assert (len(public.requests), len(private.requests)) == (1, 0)


async def test_the_socket_itself_refuses_what_slipped_past_everything_before_it() -> None:
    _, resolve = resolving(["127.0.0.1"])

    async with serve() as server:
        session = open_session(AddressPolicy(), resolve, max_connections=1)
        try:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await session.get(server.url)
        finally:
            await session.close()
        assert isinstance(caught.value.os_error, PermissionError)
        assert server.requests == []


@pytest.mark.parametrize("path", ["/x y HTTP/1.1\r\nHost: evil", "/\r\n\r\nGET /admin HTTP/1.1", "/\x00"])
async def test_an_address_cannot_bring_lines_of_its_own(path: str) -> None:
    async with serve() as server, opened() as egress:
        with pytest.raises(EgressError):
            await fetch(egress, server.url + path)
        assert server.requests == []


async def test_headers_cannot_change_how_a_request_is_framed() -> None:
    async with serve() as server, opened() as egress:
        headers = {"Content-Length": "999", "Transfer-Encoding": "chunked", "Connection": "upgrade"}
        assert await fetch(egress, server.url, headers=headers) == (200, b"ok")
        names = {name.lower() for name, _ in server.last.headers}

    assert names == {"host", "user-agent", "accept", "accept-encoding"}
