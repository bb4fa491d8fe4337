"""The Chatflow App API under ``/v1``, called with the key of an app."""

from starlette.routing import Route

from weft.server.service_api import application, chat, conversations, messages, variables, workflows

ROUTES: list[Route] = [
    *chat.ROUTES,
    *messages.ROUTES,
    *conversations.ROUTES,
    *variables.ROUTES,
    *application.ROUTES,
    *workflows.ROUTES,
]

__all__ = ["ROUTES"]
