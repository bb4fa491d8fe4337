"""Headers of the console's answers: nothing is cached, framed or guessed, and only known pages may call.

The service API is for pages of anybody, as its keys are for programs; the console is not.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIXED = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "vary": "Origin",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, X-CSRF-Token, X-WORKSPACE-ID",
    "access-control-max-age": "600",
}


class ConsoleGuard:
    """Takes the console's part of the traffic and gives the rest to another app.

    Args:
        console: Answers below `prefix`.
        others: Answers everything else.
        prefix: Of the console's paths.
        headers: Of every answer.
        origins: Addresses of pages that may call from a browser, separated by blanks or commas.
    """

    def __init__(
        self, console: ASGIApp, others: ASGIApp, *, prefix: str, headers: dict[str, str], origins: str
    ) -> None:
        self._console = console
        self._others = others
        self._prefix = prefix
        self._headers = _encoded({**headers, **_FIXED})
        self._origins = {origin.rstrip("/").encode() for origin in origins.replace(",", " ").split()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == self._prefix or path.startswith(f"{self._prefix}/")):
            await self._others(scope, receive, send)
            return
        sent = dict(scope["headers"])
        origin = sent.get(b"origin")
        headers = list(self._headers)
        if origin in self._origins and origin is not None:
            headers.append((b"access-control-allow-origin", origin))
            headers.append((b"access-control-allow-credentials", b"true"))
        names = {name for name, _ in headers}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message.get("headers", ()) if pair[0] not in names]
                message["headers"] = [*own, *headers]
            await send(message)

        if scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
            allowed = _PREFLIGHT if origin in self._origins else {}
            await Response(status_code=200, headers=allowed)(scope, receive, send_with_headers)
            return
        await self._console(scope, receive, send_with_headers)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
