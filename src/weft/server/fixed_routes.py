"""Routes that need no search: those of fixed paths, by method and path.

Starlette tries one route after the other and passes every message through three layers that catch what routes
raise. On the way of a message that costs as much as the run of a small flow, so paths without parameters are
looked up here, and what they raise is answered here, in the same words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weft.errors import WeftError
from weft.server.errors import answer_error
from weft.server.request_id import TEMPLATE

Endpoint = Callable[[Request], Awaitable[Response]]


class FixedRoutes:
    """Answers requests to fixed paths and leaves all others to the app.

    Args:
        app: Has all routes.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        for route in app.routes:
            if isinstance(route, Route) and not route.param_convertors:
                for method in route.methods or ():
                    self._endpoints.setdefault((method, route.path), route.endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        endpoint = self._endpoints.get((scope.get("method", ""), path))
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        scope["path_params"] = {}
        scope[TEMPLATE] = path
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except (WeftError, HTTPException) as error:
            response = await answer_error(request, error)
        except Exception as error:  # the border around a request
            await (await answer_error(request, error))(scope, receive, send)
            raise
        await response(scope, receive, send)
