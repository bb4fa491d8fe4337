"""Carries requests of an account to a console: signs in, renews its pass, signs in again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, TypeVar

from weft import wire
from weft.client._async.session import Session
from weft.client._call import CONSOLE, Call, base_address, get
from weft.client._core import Reply
from weft.client._lock import new_async_lock
from weft.client._login import Asking, Pass, PasswordEncoding, SignIn, is_refused, logout_call
from weft.client._network import Network
from weft.client._retry import AsyncSleep, RetryPolicy, Timeouts, system_now
from weft.client._secret import Secret
from weft.client._zone import in_zone, zone_of

if TYPE_CHECKING:
    import httpx2

    from weft.client._async.connection import Answer

T = TypeVar("T")


AUTO: PasswordEncoding = "auto"


class ConsoleSession(Session):
    """Carries requests of one account.

    Args:
        base_url: The server's root or its ``/console/api``, with or without a final slash.
        email: Of the account.
        password: Of the account; it appears in no message, log or `repr`.
        password_encoding: How the server wants the password: ``base64`` today, ``plain`` once; ``auto`` finds
            out, with two attempts at most, and remembers.
        timeouts: Seconds to wait in each phase.
        retry: How reading is tried again after 429, 502, 503, 504 and failed connections; writing
            only if the policy says so. ``None`` tries once.
        network: Proxy, certificates and connections.
        transport: Replaces the network, e.g. by an app in this process.
        sleep: Waits between tries; ``None`` really waits.
        now: Tells the time, for dates in Retry-After headers and the end of a pass.

    Raises:
        ConfigError: The address, the account, the proxy or the certificates cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        email: str,
        password: str,
        *,
        password_encoding: PasswordEncoding = AUTO,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        network: Network | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: AsyncSleep | None = None,
        now: Callable[[], datetime] = system_now,
    ) -> None:
        self._account = SignIn(email, Secret(password), password_encoding)
        self._turn = new_async_lock()
        self._zone: tzinfo | None = None
        super().__init__(
            base_address(base_url, CONSOLE),
            timeouts=timeouts,
            retry=retry,
            network=network,
            transport=transport,
            sleep=sleep,
            now=now,
            headers={},
            secrets=lambda: self._account.secrets,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r}, {self._account.email!r}, password='***')"

    async def login(self) -> None:
        """Sign in now; otherwise the first request does it.

        After a failed login nothing is tried again by itself, since servers count and lock the account;
        calling this does.

        Raises:
            LoginError: The account is not let in.
            TooManyRequestsError: It is locked after too many failures.
        """
        async with self._turn:
            self._account.forget()
            await self._drive(self._account.log_in(self._now()))

    async def logout(self) -> None:
        """Sign out on the server; the next request signs in again."""
        async with self._turn:
            held, self._account.current = self._account.current, None
            if held is not None:
                await self._connection.send(logout_call(), held.headers())
            self._connection.forget_cookies()

    async def timezone(self) -> tzinfo:
        """The account's time zone, read once; UTC if it has none."""
        if self._zone is None:
            self._zone = zone_of(await self._send(get(wire.console.Account, "/account/profile")))
        return self._zone

    async def _send(self, call: Call[T]) -> T:
        return await super()._send(in_zone(call, await self.timezone()) if call.minutes else call)

    async def _fetch(self, call: Call[object]) -> Reply:
        held = await self._pass()
        reply = await self._connection.send(call, held.headers())
        if is_refused(reply):
            held = await self._renewed(held, by_login=False)
            reply = await self._connection.send(call, held.headers())
            if is_refused(reply) and not held.by_password:
                held = await self._renewed(held, by_login=True)
                reply = await self._connection.send(call, held.headers())
        return reply

    async def _begin(self, call: Call[object], accept: str) -> Answer:
        held = await self._pass()
        answer = await self._connection.open(call, accept=accept, headers=held.headers())
        if answer.status == 401:
            await answer.aclose()
            held = await self._renewed(held, by_login=False)
            answer = await self._connection.open(call, accept=accept, headers=held.headers())
        return answer

    async def _pass(self) -> Pass:
        held = self._account.current
        if held is None or self._account.is_due(self._now()):
            return await self._renewed(held, by_login=False)
        return held

    async def _renewed(self, held: Pass | None, *, by_login: bool) -> Pass:
        """A pass other than this one; of many requests that need one, the first to come gets it for all."""
        async with self._turn:
            if self._account.current is held or self._account.current is None:
                steps = self._account.log_in if by_login else self._account.renew
                await self._drive(steps(self._now()))
            assert self._account.current is not None
            return self._account.current

    async def _drive(self, asking: Asking) -> None:
        """Send what is asked for, one request after the other, until nothing more is."""
        call = next(asking)
        while True:
            reply = await self._connection.send(call)
            try:
                call = asking.send(reply)
            except StopIteration:
                return
