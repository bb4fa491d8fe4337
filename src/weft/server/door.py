"""What happens to every request, whatever answers it: its id, its headers, its log line, its numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.clock import Clock
from weft.ids import Ids
from weft.server.errors import error_response
from weft.server.request_id import APP_ID, TEMPLATE, CurrentRequest, current, given_id

if TYPE_CHECKING:
    from weft.server.measures import Measures

log = logging.getLogger("weft.requests")

Header = tuple[bytes, bytes]

_CLIENT_LEFT: Final = 499
"""What is noted of a request whose client left before it was answered."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_EXPOSED: Final = b"X-Version, X-Env, X-Trace-Id, X-Request-Id, Retry-After"
_PREFLIGHT: Final = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, X-App-Code, X-Passport, X-Request-Id",
    "access-control-max-age": "86400",
}
_ENCODED: Final = (
    415,
    "unsupported_media_type",
    "The body has a Content-Encoding; send it as it is.",
)


class TemplateRoute(Route):
    """A route that leaves its path in the scope, for whoever looks at the request afterwards."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the route is for a request."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope[TEMPLATE] = self.path
        return match, child_scope


def told_routes(routes: Iterable[Route]) -> list[BaseRoute]:
    """The same routes, each leaving its path in the scope."""
    return [
        TemplateRoute(route.path, route.endpoint, methods=sorted(route.methods or ())) for route in routes
    ]


class Origins:
    """Pages from where may call from a browser.

    Args:
        allowed: ``*``, or addresses separated by blanks or commas.
    """

    def __init__(self, allowed: str) -> None:
        self._anywhere = allowed.strip() == "*"
        self._allowed = {origin.rstrip("/").encode() for origin in allowed.replace(",", " ").split()}

    def allows(self, origin: bytes | None) -> bool:
        """Whether that one may."""
        return self._anywhere or origin in self._allowed

    def headers(self, origin: bytes | None) -> list[Header]:
        """What an answer tells a browser."""
        if self._anywhere:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        if origin is None or origin not in self._allowed:
            return [(b"vary", b"Origin")]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        ]


class Door:
    """The outermost part of the app.

    Args:
        app: Answers requests.
        told: Headers that every answer has.
        origins: Who may call from a browser, except below `closed`.
        closed: Beginnings of the paths that no other page may call, or that see to that themselves.
        clock: The time.
        ids: For requests that come without an id.
        log_requests: Write a line for each.
        measures: Counts them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        told: dict[str, str],
        origins: Origins,
        closed: Sequence[str],
        clock: Clock,
        ids: Ids,
        log_requests: bool,
        measures: Measures | None,
    ) -> None:
        self._app = app
        self._origins = origins
        self._closed = tuple(f"{path}/" for path in closed)
        self._ids = ids
        self._log_requests = log_requests
        self._told = [*((name.encode(), value.encode()) for name, value in told.items()), *_SECURITY]
        self.monotonic: Callable[[], float] = clock.monotonic
        self.measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"])
        request = CurrentRequest(
            given_id(given.get(b"x-request-id")) or self._ids.new(),
            _text(given.get(b"traceparent")),
            _text(given.get(b"tracestate")),
        )
        current.set(request)
        path, origin = scope["path"], given.get(b"origin")
        is_closed = f"{path}/".startswith(self._closed)
        headers = [*self._told, (b"x-request-id", request.id.encode())]
        if is_closed:
            headers.append((b"cross-origin-resource-policy", b"same-origin"))
        else:
            headers.append((b"cross-origin-resource-policy", b"cross-origin"))
            headers += self._origins.headers(origin)
        visit = _Visit(self, send, headers)
        try:
            early = self._answer_early(scope, given, is_closed)
            await (self._app if early is None else early)(scope, receive, visit.send)
        finally:
            self._note(scope, visit, request)

    def _answer_early(self, scope: Scope, given: dict[bytes, bytes], is_closed: bool) -> Response | None:
        """The answer to what no route needs to see."""
        method = scope["method"]
        if method == "OPTIONS" and not is_closed and b"access-control-request-method" in given:
            allowed = self._origins.allows(given.get(b"origin"))
            return Response(status_code=200, headers=_PREFLIGHT if allowed else {})
        encoding = given.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b"") and method not in ("GET", "HEAD", "OPTIONS"):
            return error_response(*_ENCODED)
        return None

    def _note(self, scope: Scope, visit: _Visit, request: CurrentRequest) -> None:
        seconds = self.monotonic() - visit.began
        status = _CLIENT_LEFT if visit.status is None else visit.status
        route = scope.get(TEMPLATE, "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        measures = self.measures
        if measures is not None:
            if visit.is_stream:
                measures.open_streams -= 1
            measures.answered(method, route, status, seconds)
        if self._log_requests and log.isEnabledFor(logging.INFO):
            fields: dict[str, object] = {
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request_id": request.id,
            }
            if APP_ID in scope:
                fields["app_id"] = scope[APP_ID]
            log.info("%s %s %d %.1f ms", method, route, status, seconds * 1000, extra={"fields": fields})


class _Visit:
    """A request while it is answered."""

    __slots__ = ("_awaits_first", "_door", "_headers", "_send", "began", "is_stream", "status")

    def __init__(self, door: Door, send: Send, headers: list[Header]) -> None:
        self.began = door.monotonic()
        self.status: int | None = None
        self.is_stream = False
        self._awaits_first = False
        self._door = door
        self._send = send
        self._headers = headers

    async def send(self, message: Message) -> None:
        if self._awaits_first:
            self._awaits_first = False
            self._note_first()
        elif message["type"] == "http.response.start":
            self._begin(message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        self.status = message["status"]
        own = list(message.get("headers", ()))
        names = {name for name, _ in own} - {b"access-control-expose-headers", b"vary"}
        message["headers"] = [*own, *(header for header in self._headers if header[0] not in names)]
        measures = self._door.measures
        if measures is not None and (b"content-type", b"text/event-stream; charset=utf-8") in own:
            self.is_stream = self._awaits_first = True
            measures.open_streams += 1

    def _note_first(self) -> None:
        if self._door.measures is not None:
            self._door.measures.first_event(self._door.monotonic() - self.began)


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
