"""The audit log: who changed what through the console. Entries are added and never changed."""

from __future__ import annotations

from sqlalchemy import Connection, Integer, bindparam, select, tuple_

from weft.store.codec import Codec, micros
from weft.store.records import AuditEntry, Page
from weft.store.statement import Statement, inserting
from weft.store.tables import Id, Instant, audit_log

_CODEC = Codec(AuditEntry, audit_log)
_INSERT = inserting(audit_log)
_PAGE = (
    select(audit_log)
    .where(audit_log.c.workspace_id == bindparam("workspace_id"))
    .order_by(audit_log.c.created_at.desc(), audit_log.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
_NEWEST = Statement(_PAGE, ["workspace_id", "limit"])
_OLDER = Statement(
    _PAGE.where(
        tuple_(audit_log.c.created_at, audit_log.c.id)
        < tuple_(bindparam("at", type_=Instant), bindparam("before", type_=Id))
    ),
    ["workspace_id", "limit", "at", "before"],
)
_later = audit_log.alias("later")
_OPEN = Statement(
    select(audit_log.c.app_id)
    .where(audit_log.c.workspace_id == bindparam("workspace_id"))
    .where(audit_log.c.action == bindparam("begun"))
    .where(audit_log.c.app_id.is_not(None))
    .where(
        ~select(_later.c.id)
        .where(_later.c.workspace_id == audit_log.c.workspace_id)
        .where(_later.c.app_id == audit_log.c.app_id)
        .where(_later.c.action == bindparam("ended"))
        .exists()
    )
    .order_by(audit_log.c.created_at, audit_log.c.id),
    ["workspace_id", "begun", "ended"],
)


def append(connection: Connection, entry: AuditEntry) -> None:
    """Add an entry, in the same write as what it tells of."""
    _INSERT.run(connection, *_CODEC.encode(entry))


def list_page(
    connection: Connection, workspace_id: str, *, before: AuditEntry | None = None, limit: int = 20
) -> Page[AuditEntry]:
    """The newest entries of a workspace, or the newest before one of them; newest first."""
    if before is None:
        rows = _NEWEST.rows(connection, workspace_id, limit + 1)
    else:
        rows = _OLDER.rows(connection, workspace_id, limit + 1, micros(before.created_at), before.id)
    return Page(_CODEC.decode_all(rows[:limit]), has_more=len(rows) > limit)


def list_open(connection: Connection, workspace_id: str, begun: str, ended: str) -> tuple[str, ...]:
    """Ids of the apps for which an action has begun and not ended, oldest first.

    Args:
        connection: In a read.
        workspace_id: The workspace.
        begun: The action that begins, e.g. ``app.delete``.
        ended: The action that ends it.
    """
    return tuple(str(row[0]) for row in _OPEN.rows(connection, workspace_id, begun, ended))
