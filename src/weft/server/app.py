"""The ASGI app: routes behind one door, and one place for errors."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from weft.errors import WeftError
from weft.runs import Runtime
from weft.server import archive_api, console_api, openai_api, service_api, signed_files
from weft.server.door import Door, Origins, told_routes
from weft.server.errors import answer_error
from weft.server.fixed_routes import FixedRoutes
from weft.server.guarded_protocol import ConnectionLimits
from weft.server.measures import Measures
from weft.server.openapi import Description, operator_operations
from weft.server.operations import Operations
from weft.server.rate_limit import CallRates
from weft.server.reply import json_reply

_CONSOLE = "/console/api"
_ARCHIVE = "/api"


def create_app(
    runtime: Runtime,
    *,
    version: str,
    connections: ConnectionLimits | None = None,
    archive: archive_api.ArchiveDesk | None = None,
) -> ASGIApp:
    """The server's ASGI app over an open runtime.

    Args:
        runtime: Store, models and runner.
        version: This program's own, told in headers.
        connections: Counts what the port refuses, for the metrics.
        archive: The conversation archive; made of the runtime unless given.
    """
    settings = runtime.settings
    rates = CallRates(
        runtime.clock,
        per_key=settings.server.key_requests_per_minute,
        per_user=settings.server.user_requests_per_minute,
    )
    measures = Measures(runtime, version, rates, connections) if settings.server.metrics else None
    operations = Operations(runtime, version, measures)

    async def welcome(request: Request) -> Response:
        return json_reply({"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": version})

    description = Description(version, operator_operations(operations, welcome))
    app = Starlette(
        routes=told_routes(
            [
                *service_api.routes("/v1"),
                *openai_api.routes("/v1"),
                Route("/v1/", welcome),
                *signed_files.ROUTES,
                *operations.routes(),
                *description.routes(),
                *console_api.routes(_CONSOLE),
                *archive_api.routes(),
            ]
        ),
        exception_handlers={
            WeftError: answer_error,
            HTTPException: answer_error,
            Exception: answer_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.runtime = runtime
    app.state.console = console_api.Console(runtime)
    app.state.archive = archive or archive_api.make_desk(
        settings, runtime.store, clock=runtime.clock, ids=runtime.ids, files=runtime.files.content
    )
    app.state.version = version
    app.state.rates = rates
    routed = FixedRoutes(app)
    guarded = console_api.ConsoleGuard(
        routed, routed, prefix=_CONSOLE, headers={}, origins=settings.server.console_origins
    )
    return Door(
        guarded,
        told={"x-version": version, "x-env": "PRODUCTION"},
        origins=Origins(settings.server.cors_origins),
        closed=(_CONSOLE, _ARCHIVE, "/metrics"),
        clock=runtime.clock,
        ids=runtime.ids,
        log_requests=settings.log.requests,
        measures=measures,
    )
