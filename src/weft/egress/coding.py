"""Undoing the compression of a response, never more of it than was asked for."""

from __future__ import annotations

import zlib
from typing import Protocol

from weft.egress.error import EgressError

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_HEAD = 2


class Decoder(Protocol):
    """Takes coded bytes, gives plain ones."""

    def feed(self, data: bytes) -> None:
        """Take further coded bytes."""
        ...

    def decode(self, max_bytes: int) -> bytes:
        """The next plain bytes, at most so many; nothing when more coded ones are needed."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the coded bytes may end here."""
        ...


class Plain:
    """Bytes that are not coded at all."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._data += data

    def decode(self, max_bytes: int) -> bytes:
        """Give them back."""
        given, self._data = self._data[:max_bytes], self._data[max_bytes:]
        return given

    @property
    def is_complete(self) -> bool:
        """Always."""
        return True


class Inflating:
    """``gzip``, also several members one after the other, and ``deflate`` in both its forms."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inflate = zlib.decompressobj(_GZIP if gzip else zlib.MAX_WBITS)
        self._data = b""
        self._began = False
        self._is_full = False
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take coded bytes; what follows the end is ignored."""
        if not self._ended:
            self._data += data

    def decode(self, max_bytes: int) -> bytes:
        """Plain bytes.

        Raises:
            EgressError: The coded ones are none.
        """
        while self._data or self._is_full:
            if not self._began and not self._begin():
                return b""
            if self._inflate.eof and not self._next_member():
                return b""
            plain = self._step(max_bytes)
            if plain:
                return plain
        return b""

    @property
    def is_complete(self) -> bool:
        """Whether the end has come, or nothing at all."""
        return self._inflate.eof if self._began else not self._data

    def _begin(self) -> bool:
        if not self._gzip:
            if len(self._data) < _ZLIB_HEAD:
                return False
            head = int.from_bytes(self._data[:_ZLIB_HEAD], "big")
            # Some servers leave out the frame that the name "deflate" stands for.
            if head >> 8 & 0xF != zlib.DEFLATED or head % 31:
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._began = True
        return True

    def _step(self, max_bytes: int) -> bytes:
        try:
            plain = self._inflate.decompress(self._data, max_bytes)
        except zlib.error as error:
            raise EgressError(f"the response is not compressed the way it says: {error}") from error
        self._data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        # Even without input left there may be output left that did not fit.
        self._is_full = len(plain) == max_bytes and not self._inflate.eof
        return plain

    def _next_member(self) -> bool:
        """Begin with what follows the end, if it is of the same kind."""
        if self._gzip and len(self._data) < len(_GZIP_MAGIC) and _GZIP_MAGIC.startswith(self._data):
            return False
        if not self._gzip or not self._data.startswith(_GZIP_MAGIC):
            self._data, self._ended = b"", True
            return False
        self._inflate = zlib.decompressobj(_GZIP)
        return True


def open_decoder(content_encoding: str) -> Decoder:
    """The decoder for what a ``Content-Encoding`` header says.

    Raises:
        EgressError: It names something that cannot be undone here.
    """
    match content_encoding.strip().lower():
        case "" | "identity" | "none":
            return Plain()
        case "gzip" | "x-gzip":
            return Inflating(gzip=True)
        case "deflate":
            return Inflating(gzip=False)
        case other:
            raise EgressError(
                f"the response is compressed as {other[:50]!r}, which was not asked for and cannot be undone"
            )
