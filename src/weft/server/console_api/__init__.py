"""The console API under ``/console/api``, called with the login of an account: apps, logs, numbers.

A call is answered by what its account may do in its workspace; every change is noted in the audit log.
"""

from __future__ import annotations

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
    sessions,
    setup,
    statistics,
    versions,
    workflow_logs,
    workspace,
)
from weft.server.console_api.console import Console
from weft.server.console_api.guard import ConsoleGuard
from weft.server.joined_route import joined_routes

_ROUTES: list[Route] = [
    *conversations.ROUTES,
    *messages.ROUTES,
    *workflow_logs.ROUTES,
    *runs.ROUTES,
    *sessions.ROUTES,
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
    return joined_routes(prefix, _ROUTES)


__all__ = ["Console", "ConsoleGuard", "routes"]
