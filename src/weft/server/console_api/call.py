"""One call of the console: which account calls, what it may do, what it said, and the note of what it did."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from starlette.requests import ClientDisconnect, Request

from weft.errors import ForbiddenError, InvalidRequestError, UnauthorizedError
from weft.runs import Runtime, hash_key
from weft.server.console_api.console import Console
from weft.server.console_api.cookie import ACCESS, CSRF, read_cookie
from weft.server.errors import ApiError
from weft.server.json_text import encode
from weft.store import (
    Account,
    AccountRole,
    App,
    AuditEntry,
    Connection,
    Workspace,
    accounts,
    apps,
    audit_log,
    keys,
    workspaces,
)
from weft.wire import parse_uuid

T = TypeVar("T")

_RANKS: dict[AccountRole, int] = {"dataset_operator": 0, "normal": 1, "editor": 2, "admin": 3, "owner": 4}
_BAD_BODY = "Invalid JSON payload received or JSON payload is empty."
_BAD_TYPE = "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."
_NO_APP = ApiError(404, "app_not_found", "App not found.")
CHAT_MODES = ("chat", "agent-chat", "advanced-chat")
FLOW_MODES = ("workflow", "advanced-chat")


class ConsoleCall:
    """A request whose account is known and has the rank that the route needs."""

    def __init__(self, request: Request, account: Account, workspace_id: str) -> None:
        self.request = request
        self.runtime: Runtime = request.app.state.runtime
        self.console: Console = request.app.state.console
        self.account = account
        self.workspace_id = workspace_id

    @classmethod
    async def begin(cls, request: Request, role: AccountRole = "normal") -> ConsoleCall:
        """Find out who calls, and make sure that they may.

        Args:
            request: The request.
            role: The lowest that may.

        Raises:
            UnauthorizedError: There is no login, it is over, or a page cannot show that it is one of ours.
            ForbiddenError: The account's role does not allow it.
        """
        account = await caller(request)
        if account.workspace_id is None or _RANKS[account.role] < _RANKS[role]:
            raise ForbiddenError(
                "You don't have the permission to access the requested resource. "
                "It is either read-protected or not readable by the server."
            )
        return cls(request, account, account.workspace_id)

    @property
    def query(self) -> dict[str, str]:
        """The query string; of a repeated key the first value counts."""
        fields: dict[str, str] = {}
        for name, value in self.request.query_params.multi_items():
            fields.setdefault(name, value)
        return fields

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone; UTC if this machine does not know it."""
        try:
            return ZoneInfo(self.account.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")

    async def app(self, *modes: str) -> App:
        """The app that the path names.

        Args:
            modes: What it must be one of; any unless given.

        Raises:
            ApiError: The workspace has none of that id, or it is of another mode.
        """
        try:
            app_id = parse_uuid(self.request.path_params["app_id"])
        except ValueError:
            raise _NO_APP from None
        app = await self.read_quick(
            lambda connection: apps.find_in_workspace(connection, self.workspace_id, app_id)
        )
        if app is None:
            raise _NO_APP
        if modes and app.mode not in modes:
            raise ApiError(
                404, "app_not_found", f"App mode is not in the supported list: {{{', '.join(modes)}}}"
            )
        return app

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ApiError: It is said to be something else, or is no JSON object.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "unsupported_media_type", _BAD_TYPE)
        return parse_body(await self.body())

    async def optional_json(self) -> dict[str, Any]:
        """The body as a JSON object, whatever it is said to be; empty when there is none."""
        body = await self.body()
        return parse_body(body) if body.strip() else {}

    async def body(self) -> bytes:
        """The bytes of the body, within the server's limit."""
        return await read_body(self.request, int(self.runtime.settings.server.max_body_bytes))

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Look at the records."""
        return await self.runtime.store.read(fn)

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        """Look something up by an index."""
        return await self.runtime.store.read_quick(fn)

    async def write(
        self,
        action: str,
        fn: Callable[[Connection], T],
        *,
        app_id: str | None = None,
        target_id: str | None = None,
        **details: object,
    ) -> T:
        """Change the records, and note in the same write who did what.

        Args:
            action: Noun and verb, e.g. ``app.delete``.
            fn: Makes the change.
            app_id: The app that is changed.
            target_id: What of it.
            details: Anything else that is worth knowing; no secrets.
        """
        entry = self.entry(action, app_id, target_id, details)

        def change(connection: Connection) -> T:
            result = fn(connection)
            audit_log.append(connection, entry)
            return result

        return await self.runtime.store.write(change)

    def entry(
        self, action: str, app_id: str | None, target_id: str | None, details: dict[str, object]
    ) -> AuditEntry:
        """A line for the audit log."""
        return audit_entry(self.request, self.account, self.workspace_id, action, app_id, target_id, details)


def audit_entry(
    request: Request,
    account: Account,
    workspace_id: str,
    action: str,
    app_id: str | None = None,
    target_id: str | None = None,
    details: dict[str, object] | None = None,
) -> AuditEntry:
    """A line for the audit log."""
    runtime: Runtime = request.app.state.runtime
    return AuditEntry(
        id=runtime.ids.new(),
        workspace_id=workspace_id,
        action=action,
        created_at=runtime.clock.now(),
        account_id=account.id,
        app_id=app_id,
        target_id=target_id,
        address=address_of(request),
        details=details or None,
    )


def address_of(request: Request) -> str:
    """The network address that a request comes from."""
    return "" if request.client is None else request.client.host


async def caller(request: Request) -> Account:
    """The account that a request is made with.

    A bearer is enough by itself, as no browser sends one unasked; a cookie needs the CSRF header too.

    Raises:
        UnauthorizedError: There is no login, or it is over.
    """
    runtime: Runtime = request.app.state.runtime
    console: Console = request.app.state.console
    bearer = bearer_of(request)
    if bearer.startswith("weft-"):
        return await _operator(runtime, bearer, request.headers.get("x-workspace-id"))
    token = bearer or read_cookie(request, ACCESS)
    if not token:
        raise UnauthorizedError("Invalid Authorization token.")
    account_id = console.passport.account_of(token)
    account = await runtime.store.read_quick(lambda connection: accounts.find(connection, account_id))
    if account is None or account.status != "active":
        raise UnauthorizedError("Invalid token.")
    if not bearer:
        _check_csrf(request, console, account_id)
    return account


def bearer_of(request: Request) -> str:
    """The token of the Authorization header; empty when there is none.

    Raises:
        UnauthorizedError: The header is of another scheme.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        return ""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthorizedError("Invalid Authorization token.")
    return token.strip()


def parse_body(body: bytes) -> dict[str, Any]:
    """A JSON object out of bytes.

    Raises:
        ApiError: It is none.
    """
    try:
        value = msgspec.json.decode(body)
        if b"\\u" in body:
            value = msgspec.json.decode(encode(value))  # halves of surrogate pairs become U+FFFD
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError) as error:
        raise ApiError(400, "bad_request", _BAD_BODY) from error
    if not isinstance(value, dict):
        raise ApiError(400, "bad_request", _BAD_BODY)
    return value


async def read_body(request: Request, limit: int) -> bytes:
    """The bytes of a body.

    Raises:
        ApiError: There are more than allowed.
        InvalidRequestError: The client left in the middle.
    """
    too_large = ApiError(413, "request_entity_too_large", f"The request body is larger than {limit} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large
    except ClientDisconnect as error:
        raise InvalidRequestError("the client left before its request was complete") from error
    return bytes(body)


async def _operator(runtime: Runtime, token: str, workspace_id: str | None) -> Account:
    """Whoever owns the workspace that the operator's token opens."""

    def find(connection: Connection) -> tuple[Workspace | None, Account | None]:
        known = keys.find_by_hash(connection, hash_key(token))
        if known is None or known.kind != "operator" or known.workspace_id is None:
            return None, None
        members = accounts.list_by_workspace(connection, known.workspace_id)
        owner = next((one for one in members if one.role == "owner" and one.status == "active"), None)
        return workspaces.find(connection, known.workspace_id), owner

    workspace, owner = await runtime.store.read_quick(find)
    if workspace is None or owner is None or workspace_id not in (None, "", workspace.id):
        raise UnauthorizedError("Invalid token.")
    return owner


def _check_csrf(request: Request, console: Console, account_id: str) -> None:
    shown, kept = request.headers.get("x-csrf-token", ""), read_cookie(request, CSRF)
    same = bool(shown) and hmac.compare_digest(shown.encode(), kept.encode())
    if not same or not console.passport.is_csrf_of(shown, account_id):
        raise UnauthorizedError("CSRF token is missing or invalid.")
