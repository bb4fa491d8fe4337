"""Apps: chatflows under their names. What an app does stands in its workflow versions."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from weft.errors import NotFoundError
from weft.store.codec import Codec, storable
from weft.store.records import App, AppMode
from weft.store.statement import Statement, containing, inserting, inserting_once, updating
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


class AppFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which apps are wanted; everything that is given must hold."""

    mode: AppMode | None = None
    name: str = ""
    """Anywhere in the name, in whatever case."""
    created_by: str | None = None
    """An account's id."""
    tag: frozenset[str] = frozenset()
    """Names of tags, each of which the app has."""


class AppPage(msgspec.Struct, frozen=True):
    """One numbered page; `total` counts the apps of all pages."""

    items: tuple[App, ...]
    total: int
    has_more: bool


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


def list_page(
    connection: Connection, workspace_id: str, wanted: AppFilter, *, page: int = 1, limit: int = 20
) -> AppPage:
    """Apps of a workspace, newest first.

    Args:
        connection: In a read.
        workspace_id: The workspace.
        wanted: Which apps.
        page: Counts from 1.
        limit: Apps on a page.

    Source: Dify console API, `GET /apps`.
    """
    conditions: list[ColumnElement[bool]] = [apps.c.workspace_id == workspace_id]
    if wanted.mode is not None:
        conditions.append(apps.c.mode == wanted.mode)
    if wanted.created_by is not None:
        conditions.append(apps.c.created_by == wanted.created_by)
    if wanted.name:
        pattern = func.lower(containing(wanted.name))
        conditions.append(func.lower(apps.c.name).like(pattern, escape="/"))
    query = select(apps).where(*conditions).order_by(apps.c.created_at.desc(), apps.c.id.desc())
    skipped = (page - 1) * limit
    if wanted.tag:  # stands inside a JSON text
        found = CODEC.decode_all(connection.execute(query).all())
        tagged = tuple(app for app in found if wanted.tag <= set(app.tags))
        return AppPage(tagged[skipped : skipped + limit], len(tagged), has_more=len(tagged) > page * limit)
    total = connection.execute(select(func.count()).select_from(apps).where(*conditions)).scalar_one()
    rows = connection.execute(query.limit(limit).offset(skipped)).all() if skipped < total else []
    return AppPage(CODEC.decode_all(rows), total, has_more=total > page * limit)


def update(connection: Connection, app: App) -> None:
    """Store all fields of an app; read it with `get_for_update` in the same write.

    Raises:
        NotFoundError: There is no app of that id.
    """
    if _UPDATE.run(connection, *_changes(app)) == 0:
        raise _absent(app.id)


def _absent(app_id: str) -> NotFoundError:
    return NotFoundError(f"app {app_id} does not exist", kind="app", id=app_id)
