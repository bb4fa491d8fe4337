"""The way out of flows, as tools know it."""

from __future__ import annotations

import asyncio

from weft.egress import Egress, EgressRequest, EgressTimeoutError
from weft.tools import HttpReply, HttpRequest


class EgressHttp:
    """Sends what tools send through the guard that all requests of flows pass."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send a request; see `weft.tools.Http`.

        Raises:
            EgressError: The address is refused, nobody answered in time, or the reply is too large.
        """
        sent = EgressRequest(
            method=request.method,
            url=request.url,
            headers=tuple(request.headers.items()),
            body=request.body,
            credentials=request.credentials,
        )
        try:
            async with asyncio.timeout(request.timeout), self._egress.request(sent) as response:
                body = await response.read(min(request.max_bytes, self._egress.config.max_file_bytes))
                return HttpReply(status=response.status, headers=response.headers, body=body)
        except TimeoutError as error:
            raise EgressTimeoutError(
                f"the tool's service has not answered within {request.timeout:g} seconds"
            ) from error
