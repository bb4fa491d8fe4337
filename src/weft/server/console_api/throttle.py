"""Slowing down those who guess passwords."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address
from typing import Final
from weakref import WeakValueDictionary

from weft.clock import Clock
from weft.errors import TooManyRequestsError

WINDOW_SECONDS: Final = 900.0
_MAX_ADDRESSES: Final = 10_000


class LoginThrottle:
    """Failed logins by network address, in this process, and one attempt at a time for each account.

    Args:
        clock: The time.
        limit: Failures within `WINDOW_SECONDS`; 0 means no limit.
    """

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Hashing a password takes a tenth of a second of a processor on purpose.
        self._hashing = asyncio.Semaphore(2)

    def check(self, address: str) -> None:
        """Make sure that an address may try.

        Raises:
            TooManyRequestsError: It has failed too often.
        """
        failures = self._failures.get(_network(address))
        if not self._limit or failures is None:
            return
        now = self._clock.monotonic()
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        if len(failures) >= self._limit:
            raise TooManyRequestsError(
                "Too many failed logins from this address. Please try again later.",
                retry_after=failures[0] + WINDOW_SECONDS - now,
            )

    def failed(self, address: str) -> None:
        """Count a failure."""
        if not self._limit:
            return
        network = _network(address)
        failures = self._failures.setdefault(network, deque(maxlen=self._limit))
        failures.append(self._clock.monotonic())
        self._failures.move_to_end(network)
        if len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)

    @asynccontextmanager
    async def attempt(self, email: str) -> AsyncIterator[None]:
        """Try to log in with an address while nobody else does, so that no burst outruns the count."""
        lock = self._locks.setdefault(email.lower(), asyncio.Lock())
        async with lock, self._hashing:
            yield


def _network(address: str) -> str:
    """What one caller can be expected to have only one of: an IPv4 address or 2^64 of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else address
