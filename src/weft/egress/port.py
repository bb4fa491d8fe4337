"""What outgoing HTTP offers to the rest of the program."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from weft.egress.config import EgressConfig
from weft.egress.request import EgressRequest
from weft.egress.response import EgressResponse


class Egress(Protocol):
    """The way out for requests to addresses that a flow, and so anybody, may choose."""

    @property
    def config(self) -> EgressConfig:
        """What requests may do."""
        ...

    def request(self, request: EgressRequest) -> AbstractAsyncContextManager[EgressResponse]:
        """Send a request, follow redirects, and give the last response while the context lasts.

        Nothing is retried. Any status is a response; only no response is an error.

        Raises:
            InvalidUrlError: The address is none.
            AddressRefusedError: It, or one that it redirects to, may not be reached.
            EgressTimeoutError: A wait was too long.
            TooManyRedirectsError: It was redirected once too often.
            EgressError: Any other reason for which there is no response.
        """
        ...

    async def close(self) -> None:
        """Give back connections and threads; to be called when no request is running."""
        ...
