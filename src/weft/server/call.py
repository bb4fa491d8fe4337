"""One call of the service API: who calls, and what they said, in the order in which it is checked.

Key, then app and workspace, then the body where the caller's name stands in it, then that name, then the
app's mode, and only then the rest of the body or query. The order is part of the contract: a bad key hides a
bad body, a missing user hides a wrong mode.

Source: Dify service API, order of checks.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from weft.errors import ForbiddenError, InvalidRequestError, UnauthorizedError
from weft.runs import AppVersion, Runtime, hash_key
from weft.server.errors import ApiError
from weft.server.rate_limit import CallRates
from weft.server.request_id import APP_ID
from weft.store import App, Connection, EndUser, end_users, keys, workflows
from weft.wire import DEFAULT_USER, read_user

T = TypeVar("T")

CHAT_MODES = ("chat", "agent-chat", "advanced-chat")
WORKFLOW_MODES = ("workflow", "advanced-chat")
_BAD_BODY = "Invalid JSON payload received or JSON payload is empty."
_BAD_TYPE = "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."


class Call:
    """A request whose key has been checked."""

    def __init__(self, request: Request, runtime: Runtime, app: App) -> None:
        self.request = request
        self.runtime = runtime
        self.app = app

    @classmethod
    async def begin(cls, request: Request) -> Call:
        """Check the key and what it is for.

        Raises:
            UnauthorizedError: There is no key, or it is not one of an app.
            ForbiddenError: The app cannot be called.
            TooManyRequestsError: The key is used too often.
        """
        runtime: Runtime = request.app.state.runtime
        rates: CallRates = request.app.state.rates
        token_hash = hash_key(_bearer(request))

        def find(connection: Connection) -> App | None:
            app = keys.find_app(connection, token_hash)
            if app is not None:
                return app
            token = keys.find_by_hash(connection, token_hash)
            if token is None or token.kind != "app":
                raise UnauthorizedError("Access token is invalid")
            return None

        app = await runtime.store.read_quick(find)
        if app is None:
            raise ForbiddenError("The app no longer exists.")
        request.scope[APP_ID] = app.id
        rates.check_key(token_hash)
        if app.status != "normal":
            raise ForbiddenError("The app's status is abnormal.")
        if not app.enable_api:
            raise ForbiddenError("The app's API service has been disabled.")
        return cls(request, runtime, app)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ApiError: It is said to be something else, or is no JSON object.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise ApiError(415, "unsupported_media_type", _BAD_TYPE)
        try:
            body = msgspec.json.decode((await self._body()).removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, "bad_request", _BAD_BODY) from error
        if not isinstance(body, dict):
            raise ApiError(400, "bad_request", _BAD_BODY)
        return body

    @property
    def query(self) -> dict[str, str]:
        """The query string; of a repeated key the first value counts."""
        fields: dict[str, str] = {}
        for name, value in self.request.query_params.multi_items():
            fields.setdefault(name, value)
        return fields

    def check_mode(self, *modes: str) -> None:
        """Make sure that the route is for this kind of app.

        Raises:
            ApiError: It is not.
        """
        if self.app.mode not in modes:
            code = "not_chat_app" if modes == CHAT_MODES else "not_workflow_app"
            raise ApiError(400, code, "Please check if your app mode matches the right API route.")

    async def end_user(self, fields: Mapping[str, object], *, required: bool = False) -> EndUser:
        """Whom the call is made for: found by the text in `user`, made on first sight.

        Raises:
            InvalidRequestError: There is none and there must be, or it is too long.
            TooManyRequestsError: The end user asks too often.
        """
        text = read_user(fields, required=required)
        rates: CallRates = self.request.app.state.rates
        rates.check_user(f"{self.app.id} {text}")
        runtime, app = self.runtime, self.app
        known = runtime.end_users.find(app.id, text)
        if known is not None:
            return known
        now = runtime.clock.now()
        new = EndUser(
            id=runtime.ids.new(),
            workspace_id=app.workspace_id,
            app_id=app.id,
            session_id=text,
            created_at=now,
            updated_at=now,
            external_user_id=text,
            is_anonymous=text == DEFAULT_USER,
        )
        found = await runtime.store.read_quick(
            lambda connection: end_users.find_by_session(connection, app.id, text)
        )
        if found is None:
            found = await runtime.store.write(lambda connection: end_users.find_or_create(connection, new))
        runtime.end_users.keep(found)
        return found

    async def published(self) -> AppVersion | None:
        """The version that runs when nobody asks for another."""
        workflow_id = self.app.workflow_id
        if workflow_id is None:
            return None
        return self.runtime.catalog.find(workflow_id) or await self.version(workflow_id)

    async def version(self, workflow_id: str) -> AppVersion | None:
        """A published version of this app.

        Raises:
            ApiError: It is the draft.
        """
        workflow = await self.runtime.store.read_quick(
            lambda connection: workflows.find(connection, self.app.id, workflow_id)
        )
        if workflow is None:
            return None
        if workflow.version == workflows.DRAFT:
            raise ApiError(
                400, "bad_request", f"Cannot use draft workflow version. Workflow ID: {workflow_id}. "
            )
        return self.runtime.catalog.compile(workflow)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Look something up by an index."""
        return await self.runtime.store.read_quick(fn)

    async def _body(self) -> bytes:
        limit = int(self.runtime.settings.server.max_body_bytes)
        declared = self.request.headers.get("content-length", "")
        size, more = int(declared) if declared.isdigit() else 0, True
        body = bytearray()
        while more and size <= limit:
            message = await self.request.receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequestError("the client left before its request was complete")
            body += message.get("body", b"")
            size, more = len(body), message.get("more_body", False)
        if size > limit:
            text = f"The request body is larger than {limit} bytes."
            raise ApiError(413, "request_entity_too_large", text)
        return bytes(body)


def _bearer(request: Request) -> str:
    header = request.headers.get("authorization", "")
    scheme, blank, key = header.partition(" ")
    if not blank:
        raise UnauthorizedError("Authorization header must be provided and start with 'Bearer'")
    if scheme.lower() != "bearer":
        raise UnauthorizedError("Authorization scheme must be 'Bearer'")
    return key.strip()
