"""Conversations by their last change: those that are new to somebody who copies them, those that are idle.

Feedback and annotations do not move a conversation's time of change, so everything of it that may change is
told by its version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Select, delete, false, func, select, tuple_

from weft.store.codec import micros
from weft.store.search_text import portions
from weft.store.tables import annotation_table, apps, conversations, feedbacks, messages, runs

Kind = Literal["conversations", "messages", "runs"]
_place = tuple_(conversations.c.updated_at, conversations.c.id)


@dataclass(frozen=True, slots=True)
class Changed:
    """A conversation and when it changed."""

    id: str
    at: int
    """Microseconds since 1970."""
    version: str
    """Changes with messages, name, feedback and annotations."""


@dataclass(frozen=True, slots=True)
class StoredApp:
    """An app of any workspace, without what it does."""

    id: str
    workspace_id: str
    name: str
    mode: str


def list_apps(connection: Connection) -> list[StoredApp]:
    """All apps of all workspaces, by id."""
    rows = connection.execute(
        select(apps.c.id, apps.c.workspace_id, apps.c.name, apps.c.mode).order_by(apps.c.id)
    )
    return [StoredApp(*row) for row in rows]


def list_changed(
    connection: Connection, app_id: str, before: tuple[int, str] | None, *, limit: int
) -> list[Changed]:
    """Conversations that are not deleted, the newest change first.

    Args:
        connection: In a read.
        app_id: The app.
        before: Change and id of the last one of the page before.
        limit: At most so many.
    """
    query = _alive(app_id).order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
    if before is not None:
        query = query.where(_place < tuple_(*before))
    return _with_versions(connection, connection.execute(query.limit(limit)).all())


def list_idle(
    connection: Connection, app_id: str, bound: datetime, after: tuple[int, str] | None, *, limit: int
) -> list[Changed]:
    """Conversations that have not changed since then, the oldest change first.

    Args:
        connection: In a read.
        app_id: The app.
        bound: They changed before it.
        after: Change and id of the last one of the page before.
        limit: At most so many.
    """
    query = _alive(app_id).where(conversations.c.updated_at < micros(bound))
    if after is not None:
        query = query.where(_place > tuple_(*after))
    query = query.order_by(conversations.c.updated_at, conversations.c.id)
    return _with_versions(connection, connection.execute(query.limit(limit)).all())


def list_rated(connection: Connection, app_id: str, since: int) -> list[Changed]:
    """Conversations whose feedback or annotations changed since then.

    Args:
        connection: In a read.
        app_id: The app.
        since: Microseconds since 1970.
    """
    ids: set[str] = set()
    for source in (feedbacks, annotation_table):
        rows = connection.execute(
            select(source.c.conversation_id)
            .distinct()
            .where(source.c.app_id == app_id)
            .where(source.c.updated_at >= since)
            .where(source.c.conversation_id.is_not(None))
        )
        ids.update(row[0] for row in rows)
    return find_changed(connection, app_id, sorted(ids))


def find_changed(connection: Connection, app_id: str, ids: Sequence[str]) -> list[Changed]:
    """Those of these conversations that the app has and that are not deleted."""
    found = []
    for part in portions(ids):
        rows = connection.execute(_alive(app_id).where(conversations.c.id.in_(part))).all()
        found += _with_versions(connection, rows)
    return found


def count(connection: Connection, app_id: str) -> int:
    """How many conversations of an app are not deleted."""
    alive = _alive(app_id).subquery()
    return int(connection.execute(select(func.count()).select_from(alive)).scalar_one())


def owners(connection: Connection, kind: Kind, ids: Collection[str]) -> dict[str, str]:
    """Which of these ids exist, deleted ones included, and the app that each belongs to.

    Args:
        connection: In a read or a write.
        kind: What they are ids of.
        ids: Any number.
    """
    source = {"conversations": conversations, "messages": messages, "runs": runs}[kind]
    found: dict[str, str] = {}
    for part in portions(sorted(ids)):
        rows = connection.execute(select(source.c.id, source.c.app_id).where(source.c.id.in_(part)))
        found.update((str(row[0]), str(row[1])) for row in rows)
    return found


def remove(connection: Connection, app_id: str, wanted: Sequence[Changed]) -> list[str]:
    """Take conversations out for good, with messages, feedback, variables and runs.

    One that has changed since it was looked at stays. Annotations stay, as they are the app's.

    Returns:
        Ids of those that are gone now.
    """
    present = {one.id: one.version for one in find_changed(connection, app_id, [one.id for one in wanted])}
    same = [one.id for one in wanted if present.get(one.id) == one.version]
    for part in portions(same):
        # The runs have no index that begins with the conversation; their messages know them.
        told = connection.execute(
            select(messages.c.run_id)
            .where(messages.c.conversation_id.in_(part))
            .where(messages.c.run_id.is_not(None))
        )
        for some in portions([str(row[0]) for row in told]):
            connection.execute(delete(runs).where(runs.c.id.in_(some)))
        connection.execute(delete(conversations).where(conversations.c.id.in_(part)))
    return same


def _alive(app_id: str) -> Select[tuple[str, int]]:
    return (
        select(conversations.c.id, conversations.c.updated_at)
        .where(conversations.c.app_id == app_id)
        .where(conversations.c.is_deleted == false())
    )


def _with_versions(connection: Connection, rows: Sequence[Sequence[object]]) -> list[Changed]:
    ids = [str(row[0]) for row in rows]
    marks: dict[str, list[str]] = {id: [] for id in ids}
    for source in (messages, feedbacks, annotation_table):
        for part in portions(ids):
            counted = connection.execute(
                select(source.c.conversation_id, func.count(), func.max(source.c.updated_at))
                .where(source.c.conversation_id.in_(part))
                .group_by(source.c.conversation_id)
            )
            for id, times, latest in counted:
                marks[id].append(f"{source.name[0]}{times}-{latest}")
    return [
        Changed(str(row[0]), int(str(row[1])), ".".join([str(row[1]), *marks[str(row[0])]])) for row in rows
    ]
