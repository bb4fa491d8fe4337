"""Workspaces: what apps and accounts belong to."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from weft.errors import StoreError
from weft.store.codec import Codec
from weft.store.records import Workspace
from weft.store.statement import Statement, inserting_once
from weft.store.tables import workspaces

_CODEC = Codec(Workspace, workspaces)
_INSERT = inserting_once(workspaces, "id")
_FIND = Statement(select(workspaces).where(workspaces.c.id == bindparam("id")), ["id"])


def find(connection: Connection, workspace_id: str) -> Workspace | None:
    """The workspace of that id."""
    row = _FIND.row(connection, workspace_id)
    return None if row is None else _CODEC.decode(row)


def find_or_create(connection: Connection, workspace: Workspace) -> Workspace:
    """The stored workspace of that id, which is the given one when there was none."""
    found = find(connection, workspace.id)
    if found is None:
        _INSERT.run(connection, *_CODEC.encode(workspace))
        found = find(connection, workspace.id)
    if found is None:
        raise StoreError(f"workspace {workspace.id} was removed while it was being created; try again")
    return found
