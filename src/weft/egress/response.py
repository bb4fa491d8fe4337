"""A response, read as far as somebody wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from weft.egress.coding import open_decoder
from weft.egress.error import EgressError, ResponseTooLargeError

_PIECE = 64 * 1024
_SLACK = 64 * 1024
"""Coded bytes that may come on top of as many as there are plain ones."""


class EgressResponse:
    """The last response to a request, after all redirects; valid while the context of the request lasts.

    Args:
        status: The status code.
        origin: Scheme, host and port that answered.
        headers: By name in lower case; the values of one name are joined by commas.
        pieces: The body as it comes, still compressed.
    """

    def __init__(
        self, *, status: int, origin: str, headers: Mapping[str, str], pieces: AsyncIterator[bytes]
    ) -> None:
        self.status = status
        self.origin = origin
        self.headers = headers
        self._pieces = pieces
        self._decoder = open_decoder(headers.get("content-encoding", ""))
        self._data = bytearray()
        self._received = 0
        self._ended = False

    async def peek(self, count: int) -> bytes:
        """The first bytes of the body, fewer only if it has no more; `read` gives them once more.

        Raises:
            EgressError: The body broke off, or is not compressed the way it says.
        """
        await self._fill(count)
        return bytes(self._data[:count])

    async def read(self, max_bytes: int) -> bytes:
        """The whole body, decompressed.

        Args:
            max_bytes: No more than that is taken in, whatever the body would become.

        Raises:
            ResponseTooLargeError: There is more.
            EgressError: The body broke off, or is not compressed the way it says.
        """
        await self._fill(max_bytes + 1)
        if len(self._data) > max_bytes:
            raise ResponseTooLargeError(self.origin, max_bytes)
        return bytes(self._data)

    async def iter(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body piece by piece, decompressed; nothing of it is kept, so it can be had once.

        Args:
            max_bytes: No more than that is given, whatever the body would become.

        Raises:
            ResponseTooLargeError: There is more.
            EgressError: The body broke off, or is not compressed the way it says.
        """
        plain, given = bytes(self._data), 0
        self._data.clear()
        while plain or (plain := await self._more(min(_PIECE, max_bytes + 1 - given), max_bytes + 1)):
            given += len(plain)
            if given > max_bytes:
                raise ResponseTooLargeError(self.origin, max_bytes)
            yield plain
            plain = b""

    async def _fill(self, count: int) -> None:
        while len(self._data) < count:
            plain = await self._more(count - len(self._data), count)
            if not plain:
                return
            self._data += plain

    async def _more(self, most: int, bound: int) -> bytes:
        """Up to so many of the bytes that follow; none at the end, which comes before the bound."""
        while not self._ended:
            if plain := self._decoder.decode(most):
                return plain
            piece = await anext(self._pieces, None)
            if piece is None:
                self._end()
                break
            self._received += len(piece)
            # Coded bytes can go on for ever without ever becoming a plain one.
            if self._received > bound + _SLACK + bound // 100:
                raise ResponseTooLargeError(self.origin, bound - 1)
            self._decoder.feed(piece)
        return b""

    def _end(self) -> None:
        self._ended = True
        if not self._decoder.is_complete:
            raise EgressError(f"the response of {self.origin} ends in the middle of its compressed data")
