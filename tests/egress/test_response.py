"""The body of a response: at once, or piece by piece."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Sequence

import pytest

from weft.egress import EgressError, EgressResponse, ResponseTooLargeError

pytestmark = pytest.mark.anyio
BODY = bytes(range(256)) * 1000


def response(pieces: Sequence[bytes], coding: str = "") -> EgressResponse:
    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return EgressResponse(
        status=200, origin="https://files.example", headers={"content-encoding": coding}, pieces=come()
    )


async def collect(found: EgressResponse, max_bytes: int, into: list[bytes]) -> None:
    async for piece in found.iter(max_bytes):
        into.append(piece)


def parts(data: bytes, size: int = 10_000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
async def test_a_body_comes_piece_by_piece_as_it_comes_at_once(coding: str) -> None:
    packed = {"": BODY, "gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}[coding]
    pieces = [piece async for piece in response(parts(packed), coding).iter(len(BODY))]
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= 64 * 1024
    assert await response(parts(packed), coding).read(len(BODY)) == BODY


async def test_what_was_looked_at_first_comes_first() -> None:
    found = response(parts(BODY))
    assert await found.peek(5) == BODY[:5]
    assert b"".join([piece async for piece in found.iter(len(BODY))]) == BODY


async def test_an_empty_body_has_no_pieces() -> None:
    assert [piece async for piece in response([]).iter(10)] == []


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_no_more_is_given_than_is_asked_for(coding: str) -> None:
    packed = gzip.compress(bytes(10_000_000)) if coding else BODY
    given: list[bytes] = []
    with pytest.raises(ResponseTooLargeError):
        await collect(response(parts(packed), coding), 100_000, given)
    assert sum(map(len, given)) <= 100_000


async def test_coded_bytes_that_become_none_end_as_well() -> None:
    # Blocks without content, as many as one likes.
    endless = zlib.compress(b"")[:2] + b"\x00\x00\x00\xff\xff" * 100_000
    with pytest.raises(ResponseTooLargeError):
        await collect(response(parts(endless), "deflate"), 1000, [])


async def test_a_body_that_breaks_off_is_told() -> None:
    packed = gzip.compress(BODY)
    with pytest.raises(EgressError, match="in the middle"):
        await collect(response(parts(packed[:-20]), "gzip"), len(BODY), [])
