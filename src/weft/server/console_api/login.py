"""Logging in, going on, and logging out. Source: Dify console API, `/login`, `/refresh-token`, `/logout`.

Both generations of clients are served at once: those that send the password as it is and take tokens from the
body, and those that send it in Base64 and take cookies.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import Final

import msgspec
from pydantic import field_validator
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import UnauthorizedError
from weft.runs import Runtime, hash_key, remove_deleted, verify_password
from weft.server.console_api.call import (
    address_of,
    audit_entry,
    bearer_of,
    caller,
    parse_body,
    read_body,
)
from weft.server.console_api.console import Console
from weft.server.console_api.cookie import REFRESH, Tokens, clear_cookies, read_cookie, set_cookies
from weft.server.console_api.passport import REFRESH_LIFE
from weft.server.errors import ApiError
from weft.server.reply import SUCCESS, json_reply
from weft.store import (
    Account,
    AuditEntry,
    Connection,
    RefreshToken,
    accounts,
    audit_log,
    login_failures,
    refresh_tokens,
)
from weft.wire import WireModel, parse_request

_MAX_FAILURES: Final = 5
_MEMORY: Final = timedelta(days=1)
_MAX_BODY: Final = 64 * 1024
_MAX_PASSWORD = 1024
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,253}")
_WRONG = ApiError(401, "authentication_failed", "Invalid email or password.")
_LOCKED = ApiError(
    429, "email_code_login_limit", "Too many incorrect password attempts. Please try again later."
)
_NO_WORKSPACE = "workspace not found, please contact system admin to invite you to join in a workspace"
_NOBODY = "scrypt$16384$8$5$d2VmdA==$" + "A" * 43 + "="
"""What a password is compared with when there is no such account, so that it takes as long."""


class LoginBody(WireModel):
    """Body of a login."""

    email: str
    password: str
    remember_me: bool | None = None

    @field_validator("email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if _EMAIL.fullmatch(value.strip()) is None:
            raise ValueError(f"{value[:60]} is not a valid email.")
        return value.strip()


async def login(request: Request) -> Response:
    """Check a password, and give tokens in the body and as cookies."""
    runtime, console = _house(request)
    _check_is_json(request)
    wanted = parse_request(LoginBody, parse_body(await read_body(request, _MAX_BODY)))
    console.throttle.check(address_of(request))
    async with console.throttle.attempt(wanted.email):
        account = await _checked(runtime, console, request, wanted)
    if account.workspace_id is None:
        return json_reply({"result": "fail", "data": _NO_WORKSPACE})
    tokens = _new_tokens(console, account)
    now = runtime.clock.now()
    kept = _kept(runtime, tokens, account, now)
    entry = audit_entry(request, account, account.workspace_id, "account.login")
    here = msgspec.structs.replace(account, last_login_at=now, last_login_ip=address_of(request))

    def write(connection: Connection) -> None:
        login_failures.forget(connection, account.email)
        current = accounts.find(connection, account.id) or here
        accounts.update(
            connection,
            msgspec.structs.replace(
                current, last_login_at=now, last_active_at=now, last_login_ip=here.last_login_ip
            ),
        )
        refresh_tokens.create(connection, kept)
        audit_log.append(connection, entry)

    await runtime.store.write(write)
    reply = _reply(runtime, tokens)
    if not console.has_looked_back:
        console.has_looked_back = True
        reply.background = BackgroundTask(clean_up, runtime, console, account.workspace_id)
    return reply


async def refresh(request: Request) -> Response:
    """Give new tokens for a refresh token, which is then used up."""
    runtime, console = _house(request)
    given = await _given_refresh(request)
    if not given:
        return _refused("No refresh token provided")
    now = runtime.clock.now()
    new = console.passport.refresh()
    new_id = runtime.ids.new()

    def write(connection: Connection) -> Account | str:
        used = refresh_tokens.take(connection, hash_key(given), now)
        if used is None:
            return "Invalid refresh token"
        account = accounts.find(connection, used.account_id)
        if account is None or account.status != "active" or account.workspace_id is None:
            return "Invalid account"
        refresh_tokens.create(
            connection, RefreshToken(new_id, account.id, hash_key(new), now, now + REFRESH_LIFE)
        )
        return account

    found = await runtime.store.write(write)
    if isinstance(found, str):
        return _refused(found)
    passport = console.passport
    return _reply(runtime, Tokens(passport.access(found.id), new, passport.csrf(found.id)))


async def logout(request: Request) -> Response:
    """Forget the refresh token that was shown, else the account's newest, and clear the cookies."""
    runtime, _ = _house(request)
    given = read_cookie(request, REFRESH) or await _refresh_in_body(request)
    now = runtime.clock.now()
    account = await _caller_if_any(request)

    def write(connection: Connection) -> None:
        who = account
        if given:
            used = refresh_tokens.take(connection, hash_key(given), now)
            if used is not None and who is None:
                who = accounts.find(connection, used.account_id)
        elif who is not None:
            refresh_tokens.remove_newest(connection, who.id)
        entry = _logged_out(request, who)
        if entry is not None:
            audit_log.append(connection, entry)

    if given or account is not None:
        await runtime.store.write(write)
    reply = json_reply(SUCCESS)
    clear_cookies(reply, secure=runtime.settings.server.secure_cookies)
    return reply


async def clean_up(runtime: Runtime, console: Console, workspace_id: str) -> None:
    """Remove what is left of deleted apps, after the answer has been sent."""
    async with console.removing:
        await remove_deleted(
            runtime.store,
            runtime.files.content,
            runtime.runner.live,
            runtime.clock,
            runtime.ids,
            workspace_id,
        )


def _house(request: Request) -> tuple[Runtime, Console]:
    return request.app.state.runtime, request.app.state.console


def _check_is_json(request: Request) -> None:
    """Only JSON, which a page of another origin cannot send unasked: nobody shall log others in."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415,
            "unsupported_media_type",
            "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.",
        )


async def _checked(runtime: Runtime, console: Console, request: Request, wanted: LoginBody) -> Account:
    """The account with that address and password.

    Raises:
        ApiError: There is none, too many attempts were wrong, or it is banned.
    """
    now = runtime.clock.now()
    since = now - _MEMORY

    def find(connection: Connection) -> tuple[int, Account | None]:
        failures = login_failures.count(connection, wanted.email, since)
        return failures, accounts.find_by_email(connection, wanted.email)

    failures, account = await runtime.store.read(find)
    if failures > _MAX_FAILURES:
        raise _LOCKED
    stored = account.password_hash if account is not None else None
    matches = await asyncio.to_thread(_is_password, wanted.password, stored or _NOBODY)
    if account is None or not stored or not matches:
        console.throttle.failed(address_of(request))
        await runtime.store.write(
            lambda connection: login_failures.record(connection, wanted.email, now, since)
        )
        raise _WRONG
    if account.status == "banned":
        raise ApiError(400, "account_banned", "Account is banned.")
    if account.status != "active":
        raise _WRONG
    return account


def _is_password(given: str, stored: str) -> bool:
    """Whether the text is the password, or its Base64; the plain reading first."""
    if len(given) > _MAX_PASSWORD:
        return False
    try:
        if verify_password(given, stored):
            return True
        decoded = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return verify_password(decoded, stored)


def _new_tokens(console: Console, account: Account) -> Tokens:
    passport = console.passport
    return Tokens(passport.access(account.id), passport.refresh(), passport.csrf(account.id))


def _kept(runtime: Runtime, tokens: Tokens, account: Account, now: datetime) -> RefreshToken:
    return RefreshToken(runtime.ids.new(), account.id, hash_key(tokens.refresh), now, now + REFRESH_LIFE)


def _reply(runtime: Runtime, tokens: Tokens) -> Response:
    data = {"access_token": tokens.access, "refresh_token": tokens.refresh}
    reply = json_reply({"result": "success", "data": data})
    set_cookies(reply, tokens, secure=runtime.settings.server.secure_cookies)
    return reply


def _refused(message: str) -> Response:
    return json_reply({"result": "fail", "message": message}, 401)


async def _given_refresh(request: Request) -> str:
    given = read_cookie(request, REFRESH) or await _refresh_in_body(request)
    if given:
        return given
    try:
        return bearer_of(request)
    except UnauthorizedError:
        return ""


async def _refresh_in_body(request: Request) -> str:
    body = await read_body(request, _MAX_BODY)
    if not body.strip():
        return ""
    given = parse_body(body).get("refresh_token")
    return given if isinstance(given, str) else ""


async def _caller_if_any(request: Request) -> Account | None:
    try:
        return await caller(request)
    except UnauthorizedError:
        return None


def _logged_out(request: Request, account: Account | None) -> AuditEntry | None:
    if account is None or account.workspace_id is None:
        return None
    return audit_entry(request, account, account.workspace_id, "account.logout")


ROUTES = [
    Route("/login", login, methods=["POST"]),
    Route("/refresh-token", refresh, methods=["POST"]),
    Route("/refresh", refresh, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
]
