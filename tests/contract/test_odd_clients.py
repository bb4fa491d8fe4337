"""Clients that speak HTTP or JSON in their own way: each is answered, none breaks the server or waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.caller import BOUND, Caller, is_id

pytestmark = pytest.mark.anyio

CHAT = {"inputs": {}, "query": "hi", "user": "odd", "auto_generate_name": False}
REFUSED = 0
"""Instead of a status: there was no answer to be had any more."""
KINDS = ("", "; charset=utf-8", "; charset=latin-1", "; charset=nonsense", ";", "; boundary=x")


async def exchange(caller: Caller, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, one part after the other; the answer's status, headers and body."""
    address = urlsplit(caller.url)
    async with asyncio.timeout(BOUND):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            data = await reader.read()
        except ConnectionError:
            return REFUSED, {}, b""  # closed before all was sent
        finally:
            writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


def head_of(caller: Caller, first: str, *more: str) -> bytes:
    """The head of a request with the caller's key."""
    lines = [first, "Host: localhost", f"Authorization: Bearer {caller.key}", "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def sent(caller: Caller, body: bytes, *more: str, first: str = "POST /v1/chat-messages HTTP/1.1") -> bytes:
    """A request with a JSON body."""
    fixed = (f"Content-Length: {len(body)}", "Content-Type: application/json")
    return head_of(caller, first, *fixed, *more) + body


async def test_http_1_0_is_spoken(flow: Caller) -> None:
    lines = f"GET /v1/info HTTP/1.0\r\nAuthorization: Bearer {flow.key}\r\n\r\n"
    status, headers, body = await exchange(flow, lines.encode())
    assert (status, json.loads(body)["name"]) == (200, "F")
    assert headers["content-length"] == str(len(body))


async def test_a_stream_can_be_read_over_http_1_0(flow: Caller) -> None:
    body = json.dumps({**CHAT, "response_mode": "streaming"}).encode()
    status, headers, data = await exchange(flow, sent(flow, body, first="POST /v1/chat-messages HTTP/1.0"))
    # uvicorn sends chunks to clients of every version; what stands between the sizes is the stream.
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    frames = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]
    assert frames[-1]["event"] == "workflow_finished"


@pytest.mark.parametrize("path", ["/info", "/parameters", "/conversations", "/models", "/apps/annotations"])
async def test_head_is_get_without_the_body(flow: Caller, path: str) -> None:
    get, head = await flow.get(path), await flow.call("HEAD", path)
    assert (head.status, head.body) == (get.status, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", ["/chat-messages", "/files/upload", "/text-to-audio"])
async def test_head_of_what_cannot_be_got_is_refused(flow: Caller, path: str) -> None:
    reply = await flow.call("HEAD", path)
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "POST", b"")


async def test_head_of_a_form_or_a_run_that_is_not_there_is_refused(flow: Caller) -> None:
    for path in ("/form/human_input/none", "/workflow/00000000-0000-4000-8000-000000000000/events?user=u1"):
        reply = await flow.call("HEAD", path)
        assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize("path", ["/info", "/chat-messages", "/nowhere"])
async def test_options_that_are_no_preflight_are_refused_like_any_wrong_method(
    flow: Caller, path: str
) -> None:
    reply = await flow.call("OPTIONS", path)
    assert reply.error[:2] in ((405, "method_not_allowed"), (404, "not_found"))
    assert (reply.status == 404) is (path == "/nowhere")


@pytest.mark.parametrize("path", ["/info/", "//info", "/./info", "/info//", "/v1/info", "/INFO", "/info;a=b"])
async def test_a_path_that_is_only_like_ours_is_unknown(flow: Caller, path: str) -> None:
    status, _, body = await exchange(flow, head_of(flow, f"GET /v1{path} HTTP/1.1"))
    assert (status, json.loads(body)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["/v1/%69nfo", "/%76%31/info", "/v1/info?", "/v1/info?&&=&x", "/v1/info?%zz=%ff"]
)
async def test_a_path_that_is_ours_in_other_letters_is_found(flow: Caller, path: str) -> None:
    status, _, body = await exchange(flow, head_of(flow, f"GET {path} HTTP/1.1"))
    assert (status, json.loads(body)["name"]) == (200, "F")


@pytest.mark.parametrize(
    "path", ["/v1/%", "/v1/%00", "/v1/%2e%2e/info", "/v1/..%2finfo", "/v1/\xff", "/v1/%ff", "/v1/info%0d%0ax"]
)
async def test_a_path_that_is_none_is_unknown(flow: Caller, path: str) -> None:
    status, _, body = await exchange(flow, head_of(flow, f"GET {path} HTTP/1.1"))
    assert status in (400, 404)
    assert status == 400 or json.loads(body)["code"] == "not_found"


async def test_an_absolute_address_is_a_path(flow: Caller) -> None:
    status, _, _ = await exchange(flow, head_of(flow, "GET http://elsewhere/v1/info HTTP/1.1"))
    assert status in (200, 404)


async def test_a_huge_header_is_refused(flow: Caller) -> None:
    status, _, _ = await exchange(flow, head_of(flow, "GET /v1/info HTTP/1.1", f"X-Long: {'x' * 200_000}"))
    assert status in (REFUSED, 431)


async def test_a_huge_address_is_refused(flow: Caller) -> None:
    status, _, _ = await exchange(flow, head_of(flow, f"GET /v1/info?x={'x' * 200_000} HTTP/1.1"))
    assert status in (REFUSED, 414, 431)


async def test_of_keys_that_come_twice_the_first_counts(flow: Caller) -> None:
    reply = await flow.call("GET", "/conversations?limit=3&limit=x&user=a&user=b&user=")
    assert reply.ok["limit"] == 3


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(flow: Caller) -> None:
    body = json.dumps(CHAT).encode()
    whole = sent(flow, body, "Expect: 100-continue")
    status, _, answer = await exchange(flow, whole[: -len(body)], body)
    assert (status, json.loads(answer)["answer"]) == (200, "You said: hi")


async def test_a_body_may_come_in_chunks(flow: Caller) -> None:
    body = json.dumps(CHAT).encode()
    chunks = b"".join(
        b"%x;note=1\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
    )
    head = head_of(
        flow,
        "POST /v1/chat-messages HTTP/1.1",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    status, _, answer = await exchange(flow, head, chunks, b"0\r\nX-Trailer: 1\r\n\r\n")
    assert (status, json.loads(answer)["answer"]) == (200, "You said: hi")


async def test_a_file_may_come_in_chunks(flow: Caller) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n"
        b"text\r\n--b--\r\n"
    )
    head = head_of(
        flow,
        "POST /v1/files/upload HTTP/1.1",
        "Content-Type: multipart/form-data; boundary=b",
        "Transfer-Encoding: chunked",
    )
    halves = [b"%x\r\n%b\r\n" % (len(half), half) for half in (form[:40], form[40:])]
    status, _, answer = await exchange(flow, head, *halves, b"0\r\n\r\n")
    assert (status, json.loads(answer)["size"]) == (201, 4)


async def test_two_lengths_or_a_length_beside_chunks_are_refused(flow: Caller) -> None:
    body = json.dumps(CHAT).encode()
    for more in (f"Content-Length: {len(body) + 1}", "Transfer-Encoding: chunked", "Content-Length: -1"):
        status, _, _ = await exchange(flow, sent(flow, body, more))
        assert status == 400


@pytest.mark.parametrize("kind", KINDS)
async def test_json_is_utf_8_whatever_its_type_says_besides(flow: Caller, kind: str) -> None:
    body = json.dumps({**CHAT, "query": "Grüße"}, ensure_ascii=False).encode()
    reply = await flow.call(
        "POST", "/chat-messages", data=body, headers=headers(flow, f"application/json{kind}")
    )
    assert reply.ok["answer"] == "You said: Grüße"


def headers(caller: Caller, kind: str) -> dict[str, str]:
    return {"authorization": f"Bearer {caller.key}", "content-type": kind}


async def posted(caller: Caller, body: bytes) -> Any:
    return await caller.call("POST", "/chat-messages", data=body, headers=headers(caller, "application/json"))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(CHAT).encode("utf-16"),
        json.dumps(CHAT).encode("utf-32"),
        json.dumps({**CHAT, "query": "Grüße"}, ensure_ascii=False).encode("latin-1"),
        json.dumps(CHAT).encode()[:-1] + b',"x":NaN}',
        json.dumps(CHAT).encode()[:-1] + b',"x":Infinity}',
        json.dumps(CHAT).encode()[:-1] + b',"x":01}',
        json.dumps(CHAT).encode() + b"{}",
        json.dumps(CHAT).encode()[:-1] + b",}",
        b'{"inputs":' * 100_000,
        b"[" * 100_000,
        b"\x00",
        b"null",
        b'"text"',
    ],
)
async def test_what_is_no_json_object_in_utf_8_is_a_bad_request(flow: Caller, body: bytes) -> None:
    reply = await posted(flow, body)
    assert reply.error == (
        400,
        "bad_request",
        "Invalid JSON payload received or JSON payload is empty.",
    )


async def test_a_byte_order_mark_is_passed_over(flow: Caller) -> None:
    assert (await posted(flow, b"\xef\xbb\xbf" + json.dumps(CHAT).encode())).ok["answer"] == "You said: hi"


async def test_of_names_that_come_twice_in_json_the_last_counts(flow: Caller) -> None:
    body = b'{"query":"one","inputs":{},"user":"odd","auto_generate_name":false,"query":"two"}'
    assert (await posted(flow, body)).ok["answer"] == "You said: two"


@pytest.mark.parametrize("depth", [500, 5_000])
async def test_deep_json_is_read_or_refused(flow: Caller, depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    body = json.dumps(CHAT).encode()[:-1] + b',"more":' + deep + b"}"
    reply = await posted(flow, body)
    assert reply.status in (200, 400)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1" + b"0" * 5_000, b"1e-400", b"-0"])
async def test_numbers_beyond_any_machine_break_nothing(flow: Caller, number: bytes) -> None:
    reply = await posted(flow, b'{"query":"hi","inputs":{"age":%b},"user":"odd"}' % number)
    assert reply.status in (200, 400)
    other = await posted(flow, b'{"query":"hi","inputs":{},"user":%b}' % number)
    assert other.status in (200, 400)


async def test_halves_of_letters_break_nothing(flow: Caller) -> None:
    reply = await posted(flow, b'{"query":"\\ud800 hi","inputs":{"city":"\\udfff"},"user":"odd\\ud83d"}')
    assert reply.status in (200, 400)
    assert reply.status == 400 or is_id(reply.json["message_id"])
