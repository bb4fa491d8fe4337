"""Signing in to a console, of either generation, without any I/O.

Servers of today want the password in Base64 and set cookies, of which one has to be repeated in a header;
servers of before want it plain and tell tokens in the body. What an answer holds decides what is sent
from then on. `SignIn` yields the requests that are needed and is told their answers, so that both clients
drive it with a dozen lines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from weft import wire
from weft.client._call import Call, nothing
from weft.client._core import ErrorReply, Reply, error_of, error_reply
from weft.client._retry import server_time
from weft.client._secret import NO_SECRET, Secret, hide
from weft.errors import ConfigError, TooManyRequestsError, UnauthorizedError, WeftError

PasswordEncoding = Literal["auto", "base64", "plain"]

CSRF_COOKIES = ("csrf_token", "__Host-csrf_token")
SESSION_COOKIES = ("access_token", "__Host-access_token")
EARLY = timedelta(seconds=60)
"""How long before it expires a token is renewed."""

Asking = Generator[Call[object], Reply, None]
"""Requests that go out one after the other; each is sent the answer to the one before."""


class LoginError(UnauthorizedError):
    """The console does not let this account in; the message says why, as far as the server tells."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one login or refresh brought."""

    access: Secret = NO_SECRET
    """Empty when the server keeps it in a cookie."""
    refresh: Secret = NO_SECRET
    csrf: Secret = NO_SECRET
    expires: datetime | None = None
    """By our clock; ``None`` when it cannot be told."""
    by_password: bool = False
    """Whether it came from a login, so that another login would not help."""

    def headers(self) -> dict[str, str]:
        """What a request carries besides the cookies."""
        sent = {}
        if self.access:
            sent["Authorization"] = f"Bearer {self.access.reveal()}"
        if self.csrf:
            sent["X-CSRF-Token"] = self.csrf.reveal()
        return sent


@dataclass(slots=True)
class SignIn:
    """Who signs in, and how far that is."""

    email: str
    password: Secret
    encoding: PasswordEncoding = "auto"
    current: Pass | None = None
    refused: WeftError | None = field(default=None, repr=False)
    """Why the last login failed. Nothing is tried again by itself: servers count, and lock the account."""

    def __post_init__(self) -> None:
        if not self.email.strip() or not self.password:
            raise ConfigError("the console needs an email address and a password; one of them is empty")

    def is_due(self, now: datetime) -> bool:
        """Whether there is no pass, or it expires soon."""
        held = self.current
        return held is None or (held.expires is not None and now >= held.expires - EARLY)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown."""
        held = self.current
        tokens = () if held is None else (held.access, held.refresh, held.csrf)
        return (self.password, Secret(_base64(self.password)), *tokens)

    def renew(self, now: datetime) -> Asking:
        """Refresh the pass if there is one, else, and if that fails, log in.

        Raises:
            LoginError: The account is not let in.
            TooManyRequestsError: It is locked after too many failures.
            WeftError: The server failed.
        """
        if self.current is not None:
            reply = yield self._refresh_call(self.current)
            if self._accept(reply, now, by_password=False):
                return
        yield from self.log_in(now)

    def log_in(self, now: datetime) -> Asking:
        """Log in with the password, in the form that the server wants.

        Raises:
            LoginError: The account is not let in.
            TooManyRequestsError: It is locked after too many failures.
            WeftError: The server failed.
        """
        if self.refused is not None:
            raise _again(self.refused)
        self.current = None
        attempts = ("base64", "plain") if self.encoding == "auto" else (self.encoding,)
        for attempt in attempts:
            call = self._login_call(attempt)
            reply = yield call
            if self._accept(reply, now, by_password=True):
                self.encoding = "base64" if attempt == "base64" else "plain"
                return
            if reply.status not in (400, 401) or b"account_banned" in reply.body:
                break
        error = _refusal(call, reply)
        if isinstance(error, (LoginError, TooManyRequestsError)):
            self.refused = error
        raise error

    def forget(self) -> None:
        """Hold no pass, and be ready for another login."""
        self.current = None
        self.refused = None

    def _accept(self, reply: Reply, now: datetime, *, by_password: bool) -> bool:
        answer = _read(reply)
        if not 200 <= reply.status < 300 or answer is None or answer.result != "success":
            return False
        before = self.current or Pass()
        tokens = answer.data if isinstance(answer.data, wire.console.LoginTokens) else None
        access = answer.data if isinstance(answer.data, str) else (tokens.access_token if tokens else None)
        cookie = _cookie(reply, SESSION_COOKIES)
        if not access and not cookie:
            return False
        clock = server_time(reply.headers.get("date"), now)
        self.current = Pass(
            access=Secret(access or ""),
            refresh=Secret((tokens.refresh_token if tokens else None) or ""),
            csrf=Secret(_cookie(reply, CSRF_COOKIES) or before.csrf.reveal()),
            expires=_expiry(access or cookie or "", clock, now),
            by_password=by_password,
        )
        return True

    def _login_call(self, attempt: str) -> Call[object]:
        password = self.password.reveal()
        if attempt == "base64":
            password = _base64(self.password)
        body = wire.encode_request(
            wire.console.LoginRequest, {"email": self.email, "password": password, "remember_me": True}
        )
        return Call("POST", "/login", nothing, body=body)

    def _refresh_call(self, held: Pass) -> Call[object]:
        # Servers of today read the cookie, servers of before the body.
        body = json.dumps({"refresh_token": held.refresh.reveal()} if held.refresh else {}).encode()
        headers = {"X-CSRF-Token": held.csrf.reveal()} if held.csrf else {}
        return Call("POST", "/refresh-token", nothing, body=body, headers=headers)


def logout_call() -> Call[object]:
    """The request that ends a session."""
    return Call("POST", "/logout", nothing, body=b"{}")


def is_refused(reply: Reply) -> bool:
    """Whether an answer says that the pass is not good any more."""
    return reply.status == 401 and b'"not_setup"' not in reply.body


def _base64(password: Secret) -> str:
    return base64.b64encode(password.reveal().encode()).decode()


def _read(reply: Reply) -> wire.console.LoginAnswer | None:
    try:
        return wire.parse_answer(wire.console.LoginAnswer, reply.body)
    except ValueError:
        return None


def _refusal(call: Call[object], reply: Reply) -> WeftError:
    if 200 <= reply.status < 300:
        answer = _read(reply)
        said = answer.message if answer is not None else ""
        if answer is not None and isinstance(answer.data, str):
            said = said or answer.data
        # The body is not kept: it may hold a token after all.
        told = ErrorReply(
            hide(said) or f"{call} was answered with neither tokens nor cookies; is this a Dify console?",
            status=reply.status,
            request_id=reply.request_id,
        )
    else:
        error = error_of(call, reply)
        if not isinstance(error, UnauthorizedError):
            return error
        told = error_reply(error) or ErrorReply(str(error), status=reply.status)
    refusal = LoginError(str(told))
    refusal.__cause__ = told
    refusal.add_note("check email address and password; after a few failures servers lock the account")
    return refusal


def _again(error: WeftError) -> WeftError:
    """The same error for another caller, with a traceback of its own."""
    other = type(error)(str(error))
    other.__cause__ = error.__cause__
    for note in getattr(error, "__notes__", ()):
        other.add_note(note)
    return other


def _cookie(reply: Reply, names: tuple[str, ...]) -> str | None:
    return next((reply.cookies[name] for name in names if reply.cookies.get(name)), None)


def _expiry(token: str, clock: datetime, now: datetime) -> datetime | None:
    """When a JWT expires, by our own clock; ``None`` if it does not tell, or not sensibly."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        left = datetime.fromtimestamp(claims["exp"], UTC) - clock
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
    return now + left if left > EARLY else None
