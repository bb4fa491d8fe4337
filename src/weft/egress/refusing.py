"""The way out of a program that has none."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from weft.egress.config import EgressConfig
from weft.egress.error import EgressError
from weft.egress.request import EgressRequest
from weft.egress.response import EgressResponse


class RefusingEgress:
    """Sends nothing."""

    config = EgressConfig()

    def request(self, request: EgressRequest) -> AbstractAsyncContextManager[EgressResponse]:
        """Raise `EgressError`."""
        raise EgressError(
            "requests cannot be sent from here, because no way out was given; "
            "open one with weft.egress.open_egress"
        )

    async def close(self) -> None:
        """Nothing to give back."""
