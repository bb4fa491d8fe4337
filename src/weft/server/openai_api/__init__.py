"""A second door to the same apps, under ``/v1`` too: the one that front ends for OpenAI's models knock at.

The key of an app opens it, the app is the model. Only what a person would call chatting is offered.

Source: OpenAI API reference, chat completions and models.
"""

from starlette.routing import Route

from weft.server.openai_api import completions, models

_ROUTES = [*completions.ROUTES, *models.ROUTES]


def routes(prefix: str) -> list[Route]:
    """All routes under that prefix."""
    return [
        Route(prefix + route.path, route.endpoint, methods=sorted(route.methods or ())) for route in _ROUTES
    ]


__all__ = ["routes"]
