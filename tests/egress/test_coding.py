from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from weft.egress import EgressError, EgressResponse, ResponseTooLargeError
from weft.egress.coding import open_decoder

pytestmark = pytest.mark.anyio

TEXT = b"".join(b"line %d of many\n" % number for number in range(3000))


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


CODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "X-GZIP": gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    " deflate ": raw_deflate(TEXT),
}


class Counted:
    """Pieces of a body, counted as they are taken."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def respond(coding: str, pieces: Sequence[bytes]) -> tuple[EgressResponse, Counted]:
    body = Counted(pieces)
    headers = {"content-encoding": coding}
    response = EgressResponse(status=200, origin="http://a", headers=headers, pieces=aiter(body))
    return response, body


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
async def test_a_body_is_decompressed_however_it_is_cut(coding: str, size: int) -> None:
    response, _ = respond(coding, cut(CODED[coding], size))

    assert await response.peek(10) == TEXT[:10]
    assert await response.read(len(TEXT)) == TEXT
    assert await response.peek(5) == TEXT[:5]


@pytest.mark.parametrize("coding", CODED)
async def test_one_byte_too_many_is_an_error_however_it_is_compressed(coding: str) -> None:
    response, _ = respond(coding, cut(CODED[coding], 100))

    with pytest.raises(ResponseTooLargeError) as caught:
        await response.read(len(TEXT) - 1)

    assert caught.value.max_bytes == len(TEXT) - 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_left_alone_once_it_has_become_too_large(coding: str) -> None:
    level = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    bomb = level.compress(bytes(50_000_000)) + level.flush()
    response, body = respond(coding, cut(bomb, 1000))

    with pytest.raises(ResponseTooLargeError):
        await response.read(100_000)

    assert len(bomb) > 40_000
    assert body.taken <= 2


@pytest.mark.parametrize("compress", [zlib.compress, raw_deflate])
@pytest.mark.parametrize("size", [21, 1000, 10_000])
@pytest.mark.parametrize("most", [1, 20])
async def test_a_decoder_gives_everything_and_never_more_at_once_than_was_asked_for(
    compress: Callable[[bytes], bytes], size: int, most: int
) -> None:
    decoder = open_decoder("deflate")
    decoder.feed(compress(bytes(size)))

    sizes = []
    while plain := decoder.decode(most):
        sizes.append(len(plain))

    assert (sum(sizes), max(sizes), decoder.is_complete) == (size, most, True)


async def test_compressed_bytes_that_never_become_anything_do_not_go_on_for_ever() -> None:
    empty = gzip.compress(b"")
    response, body = respond("gzip", [empty * 500] * 1000)

    with pytest.raises(ResponseTooLargeError):
        await response.read(1000)

    assert body.taken < 20


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_is_not_compressed_the_way_it_says_is_an_error(coding: str) -> None:
    response, _ = respond(coding, [b"\xff\xffhello"])

    with pytest.raises(EgressError, match="not compressed the way it says"):
        await response.read(100)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_ends_in_the_middle_is_an_error(coding: str) -> None:
    response, _ = respond(coding, [CODED[coding][:-10]])

    with pytest.raises(EgressError, match="ends in the middle"):
        await response.read(10**6)


@pytest.mark.parametrize("coding", CODED)
async def test_no_body_at_all_is_no_error(coding: str) -> None:
    response, _ = respond(coding, [])

    assert await response.read(0) == b""


@pytest.mark.parametrize("rest", [b"\0\0\0", b"\x1f", b"junk"])
async def test_what_follows_the_end_is_ignored(rest: bytes) -> None:
    response, _ = respond("gzip", [gzip.compress(b"text"), rest, rest])

    assert await response.read(100) == b"text"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x" * 1000])
async def test_other_codings_are_an_error(coding: str) -> None:
    with pytest.raises(EgressError, match="cannot be undone"):
        respond(coding, [])
