"""Routes of fixed paths: found without a search, and answered as the search would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route

from weft.errors import NotFoundError
from weft.server import archive_api, console_api, openai_api, service_api
from weft.server.door import told_routes
from weft.server.errors import answer_error
from weft.server.fixed_routes import FixedRoutes

pytestmark = pytest.mark.anyio

Sent = list[dict[str, Any]]


async def echo(request: Request) -> Response:
    return PlainTextResponse(f"{request.app.state.name} {request.path_params} {request.scope['weft.route']}")


async def missing(request: Request) -> Response:
    raise NotFoundError("There is none.")


async def teapot(request: Request) -> Response:
    raise HTTPException(405)


async def broken(request: Request) -> Response:
    raise ZeroDivisionError


def make_app() -> Starlette:
    app = Starlette(
        routes=told_routes(
            [
                Route("/echo", echo, methods=["POST"]),
                Route("/missing", missing),
                Route("/teapot", teapot),
                Route("/broken", broken),
                Route("/items/{id}", echo),
            ]
        ),
        exception_handlers={
            NotFoundError: answer_error,
            HTTPException: answer_error,
            Exception: answer_error,
        },
    )
    app.state.name = "house"
    return app


async def call(app: Callable[..., Awaitable[None]], method: str, path: str) -> tuple[Sent, str]:
    """What was sent, and the class of what was raised."""
    sent: Sent = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    try:
        await app(scope, receive, send)
    except Exception as error:
        return sent, type(error).__name__
    return sent, ""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/echo"),
        ("GET", "/echo"),
        ("GET", "/items/1"),
        ("GET", "/missing"),
        ("HEAD", "/teapot"),
        ("GET", "/broken"),
        ("GET", "/nowhere"),
    ],
)
async def test_the_answer_is_that_of_the_search(method: str, path: str) -> None:
    app = make_app()
    assert await call(FixedRoutes(app), method, path) == await call(app, method, path)


async def test_a_fixed_path_is_answered_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    routed = FixedRoutes(app)
    monkeypatch.setattr(app, "middleware_stack", None)
    monkeypatch.setattr(app, "build_middleware_stack", None)
    sent, _ = await call(routed, "POST", "/echo")
    assert sent[1]["body"] == b"house {} /echo"


def test_no_route_with_a_parameter_stands_before_a_fixed_one_of_its_kind() -> None:
    routes = [
        *service_api.routes("/v1"),
        *openai_api.routes("/v1"),
        *console_api.routes("/console/api"),
        *archive_api.routes(),
    ]
    for route in routes:
        if "{" in route.path:
            continue
        for method in route.methods or ():
            scope = {"type": "http", "method": method, "path": route.path}
            first = next(other for other in routes if other.matches(scope)[0] is Match.FULL)
            assert first.path == route.path
