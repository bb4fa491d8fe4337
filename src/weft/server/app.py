"""The ASGI app: routes, the headers that every answer has, and one place for errors."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.errors import WeftError
from weft.runs import Runtime
from weft.server import service_api
from weft.server.errors import answer_error
from weft.server.reply import json_reply

_CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-Version, X-Env, X-Trace-Id",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, X-App-Code, X-Passport",
    "access-control-max-age": "86400",
}


def create_app(runtime: Runtime, *, version: str) -> ASGIApp:
    """The server's ASGI app over an open runtime.

    Args:
        runtime: Store, models and runner.
        version: This program's own, told in headers.
    """

    async def welcome(request: Request) -> Response:
        return json_reply({"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": version})

    async def health(request: Request) -> Response:
        return json_reply({"status": "ok", "version": version, "running": len(runtime.runner.live)})

    app = Starlette(
        routes=[*service_api.routes("/v1"), Route("/v1/", welcome), Route("/health", health)],
        exception_handlers={
            WeftError: answer_error,
            HTTPException: answer_error,
            Exception: answer_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.runtime = runtime
    return _Headers(app, {"x-version": version, "x-env": "PRODUCTION", **_CORS})


class _Headers:
    """Adds the headers of every answer, and answers a browser that asks whether it may call."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        if scope["method"] == "OPTIONS" and _asks_first(scope):
            await Response(status_code=200, headers=_PREFLIGHT)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _asks_first(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])
