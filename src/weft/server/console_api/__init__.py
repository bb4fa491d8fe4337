"""The console API under ``/console/api``, called with the login of an account: apps, logs, numbers.

A call is answered by what its account may do in its workspace; every change is noted in the audit log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.console_api import (
    account,
    apps,
    conversations,
    drafts,
    feedback,
    imports,
    keys,
    login,
    messages,
    runs,
    setup,
    statistics,
    versions,
    workflow_logs,
    workspace,
)
from weft.server.console_api.console import Console
from weft.server.console_api.guard import ConsoleGuard

_Endpoint = Callable[[Request], Awaitable[Response]]
_ROUTES: list[Route] = [
    *conversations.ROUTES,
    *messages.ROUTES,
    *workflow_logs.ROUTES,
    *runs.ROUTES,
    *statistics.ROUTES,
    *feedback.ROUTES,
    *login.ROUTES,
    *setup.ROUTES,
    *imports.ROUTES,
    *apps.ROUTES,
    *keys.ROUTES,
    *drafts.ROUTES,
    *versions.ROUTES,
    *account.ROUTES,
    *workspace.ROUTES,
]


def routes(prefix: str) -> list[Route]:
    """All routes under that prefix, one for each path, so that a wrong method is told all right ones."""
    return list(_joined(prefix))


def _joined(prefix: str) -> Iterator[Route]:
    paths: dict[str, dict[str, _Endpoint]] = {}
    for route in _ROUTES:
        for method in route.methods or ():
            paths.setdefault(prefix + route.path, {})[method] = route.endpoint
    for path, endpoints in paths.items():
        yield Route(path, _choosing(endpoints), methods=sorted(endpoints))


def _choosing(endpoints: dict[str, _Endpoint]) -> _Endpoint:
    if len(set(endpoints.values())) == 1:
        return next(iter(endpoints.values()))

    async def choose(request: Request) -> Response:
        return await endpoints[request.method](request)

    return choose


__all__ = ["Console", "ConsoleGuard", "routes"]
