"""Apps: chatflows under their names. What an app does stands in its workflow versions."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from weft.errors import NotFoundError
from weft.store.codec import Codec, storable
from weft.store.records import App
from weft.store.statement import Statement, inserting, inserting_once, updating
from weft.store.tables import apps

CODEC = Codec(App, apps)
_FIXED = ("id", "workspace_id", "created_at")
_CHANGING = [column.name for column in apps.c if column.name not in _FIXED]
_INSERT = inserting(apps)
_INSERT_SERVED = inserting_once(apps, "workspace_id", "source_file")
_UPDATE = updating(apps, *_CHANGING)
_changes = CODEC.encoder(*_CHANGING, "id")
_BY_ID = select(apps).where(apps.c.id == bindparam("id"))
_FIND = Statement(_BY_ID, ["id"])
_LOCK = Statement(_BY_ID.with_for_update(), ["id"])
_FIND_IN_WORKSPACE = Statement(
    _BY_ID.where(apps.c.workspace_id == bindparam("workspace_id")), ["id", "workspace_id"]
)
_FIND_SERVED = Statement(
    select(apps)
    .where(apps.c.workspace_id == bindparam("workspace_id"))
    .where(apps.c.source_file == bindparam("source_file")),
    ["workspace_id", "source_file"],
)
_LIST = Statement(
    select(apps)
    .where(apps.c.workspace_id == bindparam("workspace_id"))
    .order_by(apps.c.created_at.desc(), apps.c.id.desc()),
    ["workspace_id"],
)


def create(connection: Connection, app: App) -> None:
    """Store a new app."""
    _INSERT.run(connection, *CODEC.encode(app))


def find_or_create_served(connection: Connection, app: App) -> App:
    """The app of that workspace and source file, which is the given one when there was none.

    Raises:
        ValueError: The given app has no source file.
    """
    if app.source_file is None:
        raise ValueError(f"app {app.id} has no source file to be known by")
    key = app.workspace_id, storable(app.source_file)
    row = _FIND_SERVED.row(connection, *key)
    if row is None:
        _INSERT_SERVED.run(connection, *CODEC.encode(app))
        row = _FIND_SERVED.row(connection, *key)
    if row is None:
        raise _absent(app.id)
    return CODEC.decode(row)


def find(connection: Connection, app_id: str) -> App | None:
    """The app of that id, for a caller whose key names it."""
    row = _FIND.row(connection, app_id)
    return None if row is None else CODEC.decode(row)


def find_in_workspace(connection: Connection, workspace_id: str, app_id: str) -> App | None:
    """The app of that id, if it belongs to the workspace."""
    row = _FIND_IN_WORKSPACE.row(connection, app_id, workspace_id)
    return None if row is None else CODEC.decode(row)


def get_for_update(connection: Connection, app_id: str) -> App:
    """The app of that id, which nobody else can change until this write ends.

    Raises:
        NotFoundError: There is none.
    """
    row = _LOCK.row(connection, app_id)
    if row is None:
        raise _absent(app_id)
    return CODEC.decode(row)


def list_all(connection: Connection, workspace_id: str) -> tuple[App, ...]:
    """All apps of a workspace, newest first."""
    return CODEC.decode_all(_LIST.rows(connection, workspace_id))


def update(connection: Connection, app: App) -> None:
    """Store all fields of an app; read it with `get_for_update` in the same write.

    Raises:
        NotFoundError: There is no app of that id.
    """
    if _UPDATE.run(connection, *_changes(app)) == 0:
        raise _absent(app.id)


def _absent(app_id: str) -> NotFoundError:
    return NotFoundError(f"app {app_id} does not exist", kind="app", id=app_id)
