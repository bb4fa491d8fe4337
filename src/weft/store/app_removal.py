"""Removing an app: at once for everybody who looks, its records afterwards in portions.

The app's own row takes keys, versions, annotations and end users with it. Conversations and runs are only
tied to it by its id, so that they can go little by little while others write.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete, select

from weft.store.tables import apps, conversations, files, runs

_PARTS: tuple[Table, ...] = (conversations, runs, files)
"""Messages, feedback and variables go with conversations; node executions and forms with runs."""


def remove(connection: Connection, workspace_id: str, app_id: str) -> bool:
    """Remove an app and what only makes sense with it; whether the workspace had it."""
    found = connection.execute(
        delete(apps).where(apps.c.workspace_id == workspace_id).where(apps.c.id == app_id)
    )
    return found.rowcount > 0


def remove_records(connection: Connection, app_id: str, *, limit: int) -> int:
    """Remove a portion of what is left of an app that has been removed; 0 when nothing is left."""
    for table in _PARTS:
        portion = select(table.c.id).where(table.c.app_id == app_id).limit(limit)
        removed = connection.execute(delete(table).where(table.c.id.in_(portion))).rowcount
        if removed:
            return removed
    return 0
