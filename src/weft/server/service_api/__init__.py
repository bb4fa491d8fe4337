"""The Chatflow App API under ``/v1``, called with the key of an app."""

from starlette.routing import Route

from weft.server.joined_route import joined_routes
from weft.server.service_api import (
    annotations,
    application,
    audio,
    chat,
    completion,
    conversations,
    end_users,
    feedback,
    files,
    forms,
    messages,
    rejoin,
    sessions,
    suggested,
    variables,
    workflows,
)

_ROUTES = [
    *chat.ROUTES,
    *messages.ROUTES,
    *conversations.ROUTES,
    *variables.ROUTES,
    *application.ROUTES,
    *workflows.ROUTES,
    *feedback.ROUTES,
    *files.ROUTES,
    *suggested.ROUTES,
    *end_users.ROUTES,
    *annotations.ROUTES,
    *completion.ROUTES,
    *audio.ROUTES,
    *forms.ROUTES,
    *rejoin.ROUTES,
    *sessions.ROUTES,
]


def routes(prefix: str) -> list[Route]:
    """All routes under that prefix, one for each path, those first that are called most."""
    return joined_routes(prefix, _ROUTES)


__all__ = ["routes"]
