"""Requests to knowledge services, whose addresses the settings of this server name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from weft.retrieval.errors import RetrievalError

if TYPE_CHECKING:
    import aiohttp

_MAX_BYTES = 20 * 1024 * 1024


class JsonReply(msgspec.Struct, frozen=True):
    """What a service answered."""

    status: int
    body: object
    """Decoded JSON; ``None`` if it was none."""


class JsonHttp(Protocol):
    """Sends JSON and reads JSON."""

    async def post(self, url: str, body: Mapping[str, object], *, api_key: str, timeout: float) -> JsonReply:
        """Send a request with the key as bearer token; redirects are not followed.

        Raises:
            RetrievalError: There is no answer.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class OpenHttp:
    """Sends requests to any address: who writes the settings may reach what this machine reaches."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: Mapping[str, object], *, api_key: str, timeout: float) -> JsonReply:
        """Send a request; see `JsonHttp`."""
        import aiohttp  # a third of a second that nobody should wait for who asks no service

        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        try:
            async with self._session.post(
                url,
                data=msgspec.json.encode(body),
                headers=headers,
                allow_redirects=False,  # they could take the key elsewhere
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                data = bytearray()
                async for piece in response.content.iter_any():
                    data += piece
                    if len(data) > _MAX_BYTES:
                        raise RetrievalError(f"the answer has more than {_MAX_BYTES} bytes")
                return JsonReply(response.status, _decode(bytes(data)))
        except TimeoutError:
            raise RetrievalError(f"no answer within {timeout:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RetrievalError(f"no answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Give back connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _decode(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
