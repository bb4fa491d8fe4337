"""The body of a reply that is no chat: JSON in one piece, or audio as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp

from weft.providers.config import Timeouts
from weft.providers.openai_refusal import CallErrors

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Of a reply that is read whole; a thousand long vectors are a third of it."""


class ReplyBody:
    """A reply with status 200 whose first bytes have come.

    Args:
        response: Being read.
        head: Its first bytes, empty if it has none.
        errors: Makes the errors.
        timeouts: How long the service may be silent.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, head: bytes, errors: CallErrors, timeouts: Timeouts
    ) -> None:
        self.errors = errors
        self._response = response
        self._head = head
        self._silence = timeouts.between_chunks

    @property
    def media_type(self) -> str:
        """What the service says it is, in lower case and without parameters."""
        return self._response.content_type

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            ProviderTimeoutError: The service was silent for too long.
            BadReplyError: The connection broke.
        """
        data = self._head
        try:
            while data:
                yield data
                async with asyncio.timeout(self._silence):
                    data = await self._response.content.readany()
        except TimeoutError as error:
            raise self.errors.timed_out(
                f"sent nothing for {self._silence:g} s in the middle of its reply; "
                f"raise timeouts.between_chunks in {self.errors.settings} if it needs longer"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.errors.bad_reply("the connection broke in the middle of the reply") from error
        finally:
            self.close()

    async def read(self, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        """The whole body.

        Raises:
            ProviderTimeoutError: The service was silent for too long.
            BadReplyError: The connection broke, or there is more than allowed.
        """
        whole = bytearray()
        async for piece in self.pieces():
            whole += piece
            if len(whole) > max_bytes:
                raise self.errors.bad_reply(f"its reply is larger than {max_bytes} bytes")
        return bytes(whole)

    def close(self) -> None:
        """Stop reading; a connection whose body has not ended is closed."""
        self._response.close()
