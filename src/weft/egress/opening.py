"""Opening the way out."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from weft.egress.config import EgressConfig
from weft.egress.port import Egress
from weft.egress.request import EgressRequest
from weft.egress.response import EgressResponse

if TYPE_CHECKING:
    from weft.egress.guarded import GuardedEgress
    from weft.egress.resolver import Resolve


def open_egress(config: EgressConfig | None = None, *, resolve: Resolve | None = None) -> Egress:
    """A way out with a guard: a request goes only to addresses that flows may reach.

    Nothing is opened before the first request. A name is resolved once for every connection, its addresses
    are looked at, and the connection is made to one of these very addresses. The same holds for where a
    redirect leads. Proxies, passwords and cookies of this machine are not used.

    Args:
        config: What requests may do; ``None`` means the defaults of `EgressConfig`.
        resolve: Gives the addresses of a host name, for a port, and raises `OSError` if there are none; the
            system is asked unless given.

    Returns:
        A way out to be closed after use.
    """
    return _LazyEgress(config or EgressConfig(), resolve)


class _LazyEgress:
    def __init__(self, config: EgressConfig, resolve: Resolve | None) -> None:
        self.config = config
        self._resolve = resolve
        self._opened: GuardedEgress | None = None

    def request(self, request: EgressRequest) -> AbstractAsyncContextManager[EgressResponse]:
        if self._opened is None:
            # A third of a second that nobody should wait for whose flows send no requests.
            from weft.egress.guarded import GuardedEgress

            self._opened = GuardedEgress(self.config, self._resolve)
        return self._opened.request(request)

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
