from __future__ import annotations

import codecs
from collections.abc import AsyncIterator

import pytest

from weft.egress import EgressConfig, EgressResponse, ResponseTooLargeError
from weft.nodes.http_reply import FileReply, decode_text, read_reply

pytestmark = pytest.mark.anyio

CONFIG = EgressConfig(max_text_bytes=2000, max_file_bytes=4000)
BINARY = b"\xff\x00\xfe"
URL = "https://user:key@a.b/dir/r%C3%A9sum%C3%A9.pdf?key=1#x"


def respond(data: bytes, content_type: str = "", disposition: str = "") -> EgressResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(data), 7):
            yield data[begin : begin + 7]

    headers = {"content-type": content_type, "content-disposition": disposition}
    return EgressResponse(status=200, origin="http://a", headers=headers, pieces=pieces())


async def kind(data: bytes, content_type: str = "", disposition: str = "") -> str:
    """``text`` or ``file``."""
    reply = await read_reply(respond(data, content_type, disposition), CONFIG, URL)
    return "text" if isinstance(reply, str) else "file"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        pytest.param("", "text", id="dsl-94-none"),
        pytest.param("text/plain", "text", id="dsl-94-text"),
        pytest.param("text/csv; charset=utf-8", "text", id="dsl-94-csv"),
        pytest.param("application/json", "text", id="dsl-94-json"),
        pytest.param("Application/Problem+JSON;q=1", "text", id="json-in-disguise"),
        pytest.param("application/atom+xml", "text", id="xml"),
        pytest.param("application/javascript", "text", id="javascript"),
        pytest.param("application/x-www-form-urlencoded", "text", id="form"),
        pytest.param("application/x-yaml", "text", id="yaml"),
        pytest.param("application/graphql-response", "text", id="graphql"),
        pytest.param("application/pdf", "file", id="pdf"),
        pytest.param("application/octet-stream", "file", id="octets"),
        pytest.param("image/png", "file", id="dsl-94-image"),
        pytest.param("audio/mpeg", "file", id="audio"),
        pytest.param("VIDEO/mp4", "file", id="video"),
        pytest.param("font/woff2", "text", id="font"),
        pytest.param("nonsense", "text", id="nonsense"),
    ],
)
async def test_the_type_says_what_a_response_is(content_type: str, expected: str) -> None:
    assert await kind(BINARY, content_type) == expected


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        pytest.param("attachment", "file", id="dsl-94-attachment"),
        pytest.param('attachment; filename="a.txt"', "file", id="attached-name"),
        pytest.param("ATTACHMENT", "file", id="capitals"),
        pytest.param('inline; filename="a.txt"', "file", id="name"),
        pytest.param("inline; filename*=UTF-8''%e4.txt", "file", id="coded-name"),
        pytest.param("inline", "text", id="inline"),
    ],
)
async def test_a_disposition_counts_more_than_the_type(disposition: str, expected: str) -> None:
    assert await kind(BINARY, "text/plain", disposition) == expected


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (b'{"a": 1}', "text"),
        (b"<svg>", "text"),
        (b"x" * 1010 + b"function", "text"),
        (b"x" * 1023 + "ü{".encode(), "file"),
        (b"{" + b"x" * 1022 + "ü".encode(), "text"),
        (b"{\xff", "file"),
        (b"just words", "file"),
    ],
)
async def test_the_beginning_of_an_unknown_application_type_says_what_it_is(
    begin: bytes, expected: str
) -> None:
    assert await kind(begin + b"\0", "application/x-unknown") == expected


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("", "résumé.pdf"),
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename*=UTF-8''%e4%b8%ad.pdf", "中.pdf"),
        ("attachment; filename=../../etc/passwd", "../../etc/passwd"),
        ("attachment", "résumé.pdf"),
    ],
)
async def test_a_file_is_called_as_it_says_or_like_the_end_of_its_address(
    disposition: str, name: str
) -> None:
    reply = await read_reply(respond(BINARY, "Application/PDF; x=1", disposition), CONFIG, URL)
    assert reply == FileReply(name, "application/pdf", BINARY)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("grün\r\n\t✓ \x1b[0m".encode(), "grün\r\n\t✓ \x1b[0m"),
        (b"", ""),
        (b"a\0b", None),
        (b"\xff", None),
        (b"x" * 100, "x" * 100),
        (b"x" * 101, None),
    ],
)
def test_a_file_that_is_plain_text_can_be_read_as_such(data: bytes, text: str | None) -> None:
    assert FileReply("a.pdf", "application/pdf", data).as_text(100) == text


@pytest.mark.parametrize(("content_type", "most"), [("text/plain", 2000), ("image/png", 4000)])
async def test_texts_and_files_have_limits_of_their_own(content_type: str, most: int) -> None:
    with pytest.raises(ResponseTooLargeError) as caught:
        await read_reply(respond(b"\xff" * (most + 1), content_type), CONFIG, URL)

    assert caught.value.max_bytes == most


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ("grün".encode(), "", "grün"),
        ("grün".encode("latin-1"), "text/plain", "gr\ufffdn"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("中文".encode("gbk"), 'text/html; charset="GBK"', "中文"),
        (codecs.BOM_UTF8 + b"a", "text/plain", "a"),
        ("grün".encode("utf-16"), "text/csv", "grün"),
        ("<meta charset=gb2312>中".encode("gbk"), "text/html", "<meta charset=gb2312>中"),
        (
            '<?xml version="1.0" encoding="latin1"?>ü'.encode("latin-1"),
            "application/rss+xml",
            '<?xml version="1.0" encoding="latin1"?>ü',
        ),
        ('{"charset=gbk": "ü"}'.encode(), "application/json", '{"charset=gbk": "ü"}'),
        (b"<meta charset=hex>61", "text/html", "<meta charset=hex>61"),
        ("ü".encode(), "text/plain; charset=nonsense", "ü"),
        ("ü".encode(), "text/plain; charset=" + "x" * 5000, "ü"),
    ],
)
def test_bytes_become_text_in_the_charset_that_is_named(data: bytes, content_type: str, text: str) -> None:
    assert decode_text(data, content_type) == text


@pytest.mark.parametrize(
    "charset", ["hex", "zlib", "rot13", "idna", "punycode", "utf_7", "unicode_escape", "undefined"]
)
def test_what_is_no_honest_charset_is_not_used(charset: str) -> None:
    assert decode_text(b"+AGE- \\u0061 61", f"text/plain; charset={charset}") == "+AGE- \\u0061 61"
