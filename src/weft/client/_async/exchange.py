"""Transports that take a request and bring the whole answer as plain values."""

from __future__ import annotations

from abc import abstractmethod

import httpx2

from weft.client._exchange import Incoming, Outgoing


class ExchangeTransport(httpx2.AsyncBaseTransport):
    """A transport with a shorter way for answers that are read whole, which nearly all are.

    The client then builds neither the HTTP library's request nor its answer, which costs more than all the
    rest. Streams, downloads and uploads go the way that they go over any other transport.
    """

    @abstractmethod
    async def exchange(self, request: Outgoing) -> Incoming:
        """Send a request and read its whole answer; redirects are answers like any other.

        Raises:
            httpx2.HTTPError: There was no answer, as transports of the HTTP library say it.
        """
