"""Workflow versions: the draft of an app, and what was published and never changes again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

import msgspec
from sqlalchemy import Connection, Integer, bindparam, delete, select

from weft.errors import NotFoundError
from weft.store import apps
from weft.store.codec import Codec
from weft.store.records import App, Page, Workflow
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import apps as apps_table
from weft.store.tables import workflows

DRAFT = "draft"

_CODEC = Codec(Workflow, workflows)
_FIXED = ("id", "app_id", "version", "created_at", "created_by")
_CHANGING = [column.name for column in workflows.c if column.name not in _FIXED]
_INSERT = inserting(workflows)
_UPDATE = updating(workflows, *_CHANGING)
_changes = _CODEC.encoder(*_CHANGING, "id")
_OF_APP = select(workflows).where(workflows.c.app_id == bindparam("app_id"))
_FIND = Statement(_OF_APP.where(workflows.c.id == bindparam("id")), ["app_id", "id"])
_FIND_DRAFT = Statement(_OF_APP.where(workflows.c.version == DRAFT), ["app_id"])
_FIND_PUBLISHED = Statement(
    select(workflows)
    .join(apps_table, apps_table.c.workflow_id == workflows.c.id)
    .where(apps_table.c.id == bindparam("app_id")),
    ["app_id"],
)
_PUBLISHED = (
    _OF_APP.where(workflows.c.version != DRAFT)
    .order_by(workflows.c.created_at.desc(), workflows.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("skipped", type_=Integer))
)
_PAGE = Statement(_PUBLISHED, ["app_id", "limit", "skipped"])
_NAMED_PAGE = Statement(_PUBLISHED.where(workflows.c.marked_name != ""), ["app_id", "limit", "skipped"])
_MARKS = ("marked_name", "marked_comment", "updated_at", "updated_by")
_MARK = updating(workflows, *_MARKS)
_marks = _CODEC.encoder(*_MARKS, "id")
_DELETE = Statement(
    delete(workflows)
    .where(workflows.c.app_id == bindparam("of_app"))
    .where(workflows.c.id == bindparam("of_id"))
    .where(workflows.c.version != DRAFT),
    ["of_app", "of_id"],
)


class Imported(msgspec.Struct, frozen=True):
    """What became of a file: the app it is, the version that is published now, and what was done."""

    app: App
    workflow: Workflow
    outcome: Literal["created", "published", "unchanged"]


def version_label(published_at: datetime) -> str:
    """What a version published at that instant is called, e.g. ``2026-01-31 09:30:00.000000``."""
    return published_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def find(connection: Connection, app_id: str, workflow_id: str) -> Workflow | None:
    """The version of that id, draft included, if it belongs to the app."""
    row = _FIND.row(connection, app_id, workflow_id)
    return None if row is None else _CODEC.decode(row)


def find_draft(connection: Connection, app_id: str) -> Workflow | None:
    """The app's draft."""
    row = _FIND_DRAFT.row(connection, app_id)
    return None if row is None else _CODEC.decode(row)


def find_published(connection: Connection, app_id: str) -> Workflow | None:
    """The version that runs when nobody asks for another."""
    row = _FIND_PUBLISHED.row(connection, app_id)
    return None if row is None else _CODEC.decode(row)


def list_page(
    connection: Connection, app_id: str, *, named_only: bool = False, page: int = 1, limit: int = 10
) -> Page[Workflow]:
    """A numbered page of an app's published versions, newest first; `named_only` for those with a name."""
    statement = _NAMED_PAGE if named_only else _PAGE
    rows = statement.rows(connection, app_id, limit + 1, (page - 1) * limit)
    return Page(_CODEC.decode_all(rows[:limit]), has_more=len(rows) > limit)


def list_by_id(connection: Connection, workflow_ids: Collection[str]) -> dict[str, Workflow]:
    """Versions by id; those that do not exist are absent."""
    if not workflow_ids:
        return {}
    query = select(workflows).where(workflows.c.id.in_(sorted(workflow_ids)))
    return {workflow.id: workflow for workflow in _CODEC.decode_all(connection.execute(query).all())}


def mark(connection: Connection, workflow: Workflow) -> None:
    """Store name, comment, `updated_at` and `updated_by` of a version that exists.

    Raises:
        NotFoundError: It has been deleted.
    """
    if _MARK.run(connection, *_marks(workflow)) == 0:
        raise NotFoundError("Workflow not found", kind="workflow", id=workflow.id)


def delete_version(connection: Connection, app_id: str, workflow_id: str) -> bool:
    """Remove a published version; whether there was one. The caller sees to it that it is not in use."""
    return _DELETE.run(connection, app_id, workflow_id) > 0


def save_draft(connection: Connection, draft: Workflow) -> Workflow:
    """Make this the app's draft; one that exists keeps its id and its maker.

    Raises:
        NotFoundError: There is no such app.
        ValueError: It is a published version.
    """
    if draft.version != DRAFT:
        raise ValueError(f"workflow {draft.id} is version {draft.version!r}, not a draft")
    apps.get_for_update(connection, draft.app_id)
    found = find_draft(connection, draft.app_id)
    if found is None:
        _INSERT.run(connection, *_CODEC.encode(draft))
        return draft
    kept = {name: getattr(found, name) for name in _FIXED}
    saved = msgspec.structs.replace(draft, **kept)
    _UPDATE.run(connection, *_changes(saved))
    return saved


def publish(connection: Connection, workflow: Workflow, *, again: bool = False) -> Workflow:
    """Store a new version and make it the app's published one.

    Content that is published already is not published again, unless asked for: the version that has it is
    returned.

    Raises:
        NotFoundError: There is no such app.
        ValueError: It is called ``draft``.
    """
    if workflow.version == DRAFT:
        raise ValueError(f"workflow {workflow.id} is a draft; give it a version_label() to publish it")
    app = apps.get_for_update(connection, workflow.app_id)
    current = find_published(connection, app.id)
    if not again and current is not None and current.content_hash == workflow.content_hash:
        return current
    _INSERT.run(connection, *_CODEC.encode(workflow))
    apps.update(
        connection,
        msgspec.structs.replace(app, workflow_id=workflow.id, updated_at=workflow.created_at),
    )
    return workflow


_FROM_FILE = (
    "name",
    "mode",
    "description",
    "icon_type",
    "icon",
    "icon_background",
    "use_icon_as_answer_icon",
)
"""Fields of an app that its file says; the others were set on the server and stay."""


def import_file(connection: Connection, app: App, workflow: Workflow) -> Imported:
    """Serve a file: create its app or publish its new content, and do nothing when nothing changed.

    Args:
        connection: In a write.
        app: As the file describes it; `source_file` is its identity within the workspace. Its id is
            used only when there is no app for that file yet.
        workflow: The file's content; `app_id` is set here.

    Raises:
        ValueError: The app has no source file.
    """
    found = apps.find_or_create_served(connection, app)
    version = msgspec.structs.replace(workflow, app_id=found.id)
    published = publish(connection, version)
    if published.id != version.id:
        return Imported(found, published, "unchanged")
    changed = msgspec.structs.replace(
        apps.get_for_update(connection, found.id), **{name: getattr(app, name) for name in _FROM_FILE}
    )
    apps.update(connection, changed)
    return Imported(changed, published, "created" if found.workflow_id is None else "published")
