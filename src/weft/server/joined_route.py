"""Routes of one path under one roof, so that a wrong method is told all right ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_Endpoint = Callable[[Request], Awaitable[Response]]


def joined_routes(prefix: str, routes: Iterable[Route]) -> list[Route]:
    """The same routes below a prefix, one for each path, in the order in which paths come first."""
    return list(_joined(prefix, routes))


def _joined(prefix: str, routes: Iterable[Route]) -> Iterator[Route]:
    paths: dict[str, dict[str, _Endpoint]] = {}
    for route in routes:
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
