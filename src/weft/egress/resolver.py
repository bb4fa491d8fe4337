"""From a host name to addresses that flows may reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from weft.egress.address import AddressPolicy, refused
from weft.egress.error import AddressRefusedError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host name, for a port; raises `OSError` if there are none."""

_MAX_ADDRESSES = 8
"""How many of a name's addresses are tried."""


class GuardedResolver(AbstractResolver):
    """Drops the addresses that flows may not reach; a connection is made to one of those that it gives.

    Args:
        policy: What may be reached.
        resolve: Who is asked.
    """

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            AddressRefusedError: It has some, and none may be reached.
            OSError: It has none.
        """
        found = await self._resolve(host, port)
        words = {address: self._policy.refusal(address) for address in found}
        allowed = [address for address, word in words.items() if word is None]
        if not found:
            raise OSError(f"{host} has no address")
        if not allowed:
            raise AddressRefusedError(
                refused(host, next(word for word in words.values() if word is not None))
            )
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in allowed[:_MAX_ADDRESSES]
        ]

    async def close(self) -> None:
        """Nothing to give back."""


class SystemResolve:
    """Asks the system, on threads of its own, so that name servers that never answer hold up nobody else."""

    def __init__(self, *, max_threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="weft-names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host; see `Resolve`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        """Forget what is still waiting."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError(f"{host} is no host name") from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
