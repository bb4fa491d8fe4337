"""The Chatflow App API under ``/v1``, called with the key of an app."""

from starlette.routing import Route

from weft.server.service_api import application, chat, conversations, messages, variables, workflows

_ROUTES = [
    *chat.ROUTES,
    *messages.ROUTES,
    *conversations.ROUTES,
    *variables.ROUTES,
    *application.ROUTES,
    *workflows.ROUTES,
]


def routes(prefix: str) -> list[Route]:
    """All routes under that prefix, flat, those first that are called most."""
    return [
        Route(prefix + route.path, route.endpoint, methods=sorted(route.methods or ())) for route in _ROUTES
    ]


__all__ = ["routes"]
