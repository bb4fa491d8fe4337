from __future__ import annotations

import asyncio
import gzip
import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest
from aiohttp import web

from tests.egress.server import OPEN, fetch, opened, sends, serve, serve_raw, silent
from weft.egress import (
    EgressConfig,
    EgressError,
    EgressRequest,
    EgressTimeoutError,
    InvalidUrlError,
    RefusingEgress,
    ResponseTooLargeError,
    TooManyRedirectsError,
    open_egress,
)

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


async def test_a_request_arrives_as_it_was_described() -> None:
    async with serve() as server, opened() as egress:
        request = EgressRequest(
            method="POST",
            url=server.url + "/ä?x=%2F",
            headers=[("X-One", "ü"), ("Content-Type", "a/b")],
            body=b"\0body",
        )
        async with egress.request(request) as response:
            got = response.status, response.origin, await response.read(10)
        told = server.last

    assert got == (200, server.url, b"ok")
    assert (told.method, told.target, told.body) == ("POST", "/%C3%A4?x=%2F", b"\0body")
    assert told.headers == [
        ("Host", server.url.removeprefix("http://")),
        ("X-One", "ü"),
        ("Content-Type", "a/b"),
        ("User-Agent", "weft"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Content-Length", "5"),
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
async def test_every_method_goes_with_and_without_a_body(method: str, body: bytes) -> None:
    async with serve() as server, opened() as egress:
        async with egress.request(EgressRequest(method=method, url=server.url, body=body)) as response:
            assert await response.read(10) == (b"" if method == "HEAD" else b"ok")
        told = server.last

    assert (told.method, told.body) == (method, body)
    assert not told.header("content-type")
    assert not told.header("transfer-encoding")


async def test_names_of_headers_come_in_lower_case_and_repeated_ones_together() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=418, text="tea")
        response.headers.extend([("X-Twice", "1"), ("x-twice", "2"), ("Set-Cookie", "a=b; Path=/")])
        return response

    async with (
        serve(handler) as server,
        opened() as egress,
        egress.request(EgressRequest(method="GET", url=server.url)) as response,
    ):
        assert response.status == 418
        assert response.headers["x-twice"] == "1, 2"
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert all(name == name.lower() for name in response.headers)


async def test_user_and_password_of_an_address_are_sent_unless_a_header_says_otherwise() -> None:
    async with serve() as server, opened() as egress:
        url = server.url.replace("http://", "http://me:secret@")
        await fetch(egress, url)
        await fetch(egress, url, headers={"authorization": "Bearer x"})

        assert [told.header("authorization") for told in server.requests] == [
            ["Basic bWU6c2VjcmV0"],
            ["Bearer x"],
        ]


async def test_compressed_responses_come_decompressed_and_bombs_are_left_alone() -> None:
    bomb = gzip.compress(bytes(20_000_000))

    async def handler(request: web.Request) -> web.StreamResponse:
        data = gzip.compress(b"text") if request.path == "/text" else bomb
        return web.Response(body=data, headers={"Content-Encoding": "gzip"})

    async with serve(handler) as server, opened() as egress:
        assert await fetch(egress, server.url + "/text") == (200, b"text")
        with pytest.raises(ResponseTooLargeError):
            await fetch(egress, server.url + "/bomb")


async def test_a_response_without_end_is_read_up_to_the_limit() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(10_000))
            await writer.drain()

    async with serve_raw(endless) as server, opened() as egress, asyncio.timeout(5):
        with pytest.raises(ResponseTooLargeError):
            await fetch(egress, server.url, max_bytes=1_000_000)


async def test_a_kept_connection_is_used_again() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"hello")

    async with serve_raw(twice) as server, opened() as egress:
        assert [await fetch(egress, server.url) for _ in range(2)] == [(200, b"hello")] * 2
        assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_nothing_is_sent_twice_when_the_connection_breaks(method: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with serve_raw(hang_up) as server, opened() as egress:
        with pytest.raises(EgressError, match="broke before there was a response"):
            async with egress.request(EgressRequest(method=method, url=server.url)):
                pass
        assert server.connections == 1


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "in the middle of the response"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "not HTTP: Invalid character in chunk size$",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "not HTTP"),
    ],
    ids=["cut", "bad chunk", "another protocol", "many headers", "a long header"],
)
async def test_a_broken_response_is_an_error(sent: bytes, message: str) -> None:
    async with serve_raw(sends(sent)) as server, opened() as egress:
        with pytest.raises(EgressError, match=message):
            await fetch(egress, server.url)


async def test_waits_end_with_the_time_that_the_request_asked_for() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"he")
        await asyncio.Event().wait()

    async with (
        asyncio.timeout(5),
        opened(resolve=never) as egress,
        serve_raw(silent) as mute,
        serve_raw(stalls) as stalling,
    ):
        with pytest.raises(EgressTimeoutError, match=r"could not be connected to within 0\.05 s"):
            async with egress.request(EgressRequest(method="GET", url="http://a.b", connect_seconds=0.05)):
                pass
        with pytest.raises(EgressTimeoutError, match=r"sent nothing for 0\.05 s"):
            async with egress.request(EgressRequest(method="GET", url=mute.url, read_seconds=0.05)):
                pass
        large = EgressRequest(method="PUT", url=mute.url, body=bytes(20_000_000), write_seconds=0.05)
        with pytest.raises(EgressTimeoutError, match=r"took nothing of the request for 0\.05 s"):
            async with egress.request(large):
                pass
        async with egress.request(
            EgressRequest(method="GET", url=stalling.url, read_seconds=0.05)
        ) as response:
            with pytest.raises(EgressTimeoutError, match=r"sent nothing for 0\.05 s"):
                await response.read(100)


@pytest.mark.parametrize("asked", [None, 0.0, -1.0, 60.0])
async def test_no_request_waits_longer_than_is_configured(asked: float | None) -> None:
    config = EgressConfig(allow_private_addresses=True, read_seconds=0.05)

    async with asyncio.timeout(5), serve_raw(silent) as server, opened(config) as egress:
        with pytest.raises(EgressTimeoutError, match=r"sent nothing for 0\.05 s"):
            async with egress.request(EgressRequest(method="GET", url=server.url, read_seconds=asked)):
                pass


async def test_where_nobody_listens_and_names_without_address_are_told_apart_from_silence() -> None:
    async def none(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    async with serve() as server:
        url = server.url
    async with opened(resolve=none) as egress:
        with pytest.raises(EgressError) as refused:
            await fetch(egress, url)
        with pytest.raises(EgressError) as unknown:
            await fetch(egress, "http://a.b/secret?key=secret")

    assert str(refused.value) == f"{url} cannot be reached: connection refused"
    assert str(unknown.value) == "the host of http://a.b was not found; check how the address is written"


async def test_redirects_are_followed_and_cookies_come_along() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/end":
            return web.Response(text="there")
        response = web.Response(status=302, headers={"Location": "/end?now"})
        response.set_cookie("seen", "yes", path="/")
        return response

    async with serve(handler) as server, opened() as egress:
        request = EgressRequest(
            method="POST", url=server.url + "/start", body=b"x", headers=[("Cookie", "own=1"), ("X", "y")]
        )
        async with egress.request(request) as response:
            assert (response.status, await response.read(10)) == (200, b"there")
        first, second = server.requests
        assert await fetch(egress, server.url + "/end") == (200, b"there")

        assert (first.method, first.target, first.header("cookie")) == ("POST", "/start", ["own=1"])
        assert (second.method, second.target, second.body) == ("GET", "/end?now", b"")
        assert (second.header("cookie"), second.header("x")) == (["own=1; seen=yes"], ["y"])
        assert server.last.header("cookie") == []


async def test_a_body_is_sent_again_where_a_redirect_keeps_the_method() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307 if request.path == "/" else 200, headers={"Location": "/end"})

    async with serve(handler) as server, opened() as egress:
        async with egress.request(EgressRequest(method="PUT", url=server.url, body=b"z" * 200_000)):
            pass

        assert [(told.method, len(told.body)) for told in server.requests] == [("PUT", 200_000)] * 2


async def test_credentials_stay_with_the_origin_that_they_are_for() -> None:
    async with serve(host="127.0.0.2") as other:

        async def handler(request: web.Request) -> web.StreamResponse:
            target = "/here" if request.path == "/" else other.url + "/there"
            response = web.Response(status=307, headers={"Location": target})
            response.set_cookie("session", "mine", path="/")
            return response

        async with serve(handler) as server, opened() as egress:
            headers = {"Authorization": "a", "Cookie": "b", "X-API-KEY": "c", "My-Key": "d", "X": "e"}
            request = EgressRequest(
                method="GET",
                url=server.url,
                headers=tuple(headers.items()),
                credentials=frozenset({"my-key"}),
            )
            async with egress.request(request) as response:
                assert response.origin == other.url
            told = [
                {name: value for name, value in told.headers if name in headers}
                for told in (*server.requests, other.last)
            ]

    assert told == [headers, {**headers, "Cookie": "b; session=mine"}, {"X": "e"}]


async def test_redirects_come_to_an_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.path + "x"})

    config = EgressConfig(allow_private_addresses=True, max_redirects=3)
    async with serve(handler) as server, opened(config) as egress:
        with pytest.raises(TooManyRedirectsError):
            await fetch(egress, server.url)
        assert [told.target for told in server.requests] == ["/", "/x", "/xx", "/xxx"]


async def test_a_redirect_status_without_a_target_is_a_response() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=304 if request.path == "/" else 302, text=None)

    async with serve(handler) as server, opened() as egress:
        assert [(await fetch(egress, server.url + path))[0] for path in ("/", "/x")] == [304, 302]


async def test_proxies_and_passwords_of_this_machine_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.delenv("no_proxy", raising=False)

    async with serve() as server, opened() as egress:
        assert await fetch(egress, server.url) == (200, b"ok")
        assert server.last.header("authorization") == []


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody has reason to trust."""
    if which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-keyout", folder / "key", "-out", folder / "certificate"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


async def test_certificates_are_checked_unless_the_request_says_otherwise(tls: ssl.SSLContext) -> None:
    async with serve(tls=tls) as server, opened() as egress:
        async with egress.request(EgressRequest(method="GET", url=server.url, verify_tls=False)) as response:
            assert await response.read(10) == b"ok"
        with pytest.raises(
            EgressError, match=r"certificate of https://127\.0\.0\.1:\d+ is not trusted: self"
        ):
            await fetch(egress, server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["GET /", "", "GÉT", "G\r\n"])
async def test_what_is_no_method_is_refused(method: str) -> None:
    async with opened() as egress:
        with pytest.raises(EgressError, match="no HTTP method"):
            async with egress.request(EgressRequest(method=method, url="http://a.b")):
                pass


async def test_a_wrong_address_is_refused_before_anything_is_opened() -> None:
    async with opened() as egress:
        with pytest.raises(InvalidUrlError):
            await fetch(egress, "ftp://a.b/")


async def test_leaving_early_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"he")
        await reader.read()
        closed.set()

    async with serve_raw(watched) as server, opened() as egress:
        async with egress.request(EgressRequest(method="GET", url=server.url)) as response:
            assert await response.peek(2) == b"he"
        async with asyncio.timeout(5):
            await closed.wait()


async def test_a_cancelled_request_closes_its_connection() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await reader.read()
        closed.set()

    async with serve_raw(watched) as server, opened() as egress, asyncio.timeout(5):
        task = asyncio.create_task(fetch(egress, server.url))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


async def test_names_are_asked_of_the_system_unless_somebody_else_is_given() -> None:
    async with serve() as server, opened() as egress:
        url = server.url.replace("127.0.0.1", "localhost")
        assert await fetch(egress, url) == (200, b"ok")
        assert server.last.header("host") == [url.removeprefix("http://")]


async def test_names_that_no_resolver_takes_are_not_found() -> None:
    async with opened() as egress:
        for host in ("a..b", "a" * 64 + ".b"):
            with pytest.raises(EgressError):
                await fetch(egress, f"http://{host}/")


async def test_a_way_out_can_be_closed_unused_and_opened_again_by_a_request() -> None:
    egress = open_egress(OPEN)
    await egress.close()

    async with serve() as server:
        assert await fetch(egress, server.url) == (200, b"ok")
        await egress.close()
        assert await fetch(egress, server.url) == (200, b"ok")
        await egress.close()


async def test_a_program_without_a_way_out_sends_nothing() -> None:
    egress = RefusingEgress()

    async with serve() as server:
        with pytest.raises(EgressError, match="no way out"):
            await fetch(egress, server.url)
        await egress.close()
        assert server.requests == []


def test_the_defaults_are_those_of_the_settings() -> None:
    config = open_egress().config

    assert config == EgressConfig(
        allow_private_addresses=False,
        connect_seconds=10,
        read_seconds=600,
        write_seconds=600,
        max_text_bytes=1024 * 1024,
        max_file_bytes=10 * 1024 * 1024,
    )
