"""Annotations of an app: questions with the answers that people wrote, and when they were given.

The plain name of this noun is taken by ``from __future__ import annotations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, bindparam, delete, func, or_, select, update

from weft.errors import NotFoundError
from weft.store.codec import Codec, instant
from weft.store.records import Annotation, AnnotationHit
from weft.store.statement import Statement, containing, inserting, updating
from weft.store.tables import annotation_hits, annotation_table

_CODEC = Codec(Annotation, annotation_table)
_HIT_CODEC = Codec(AnnotationHit, annotation_hits)
_INSERT = inserting(annotation_table)
_INSERT_HIT = inserting(annotation_hits)
_CONTENT = ("question", "answer", "updated_at", "account_id", "embedding_model", "embedding")
_UPDATE = updating(annotation_table, *_CONTENT)
_content = _CODEC.encoder(*_CONTENT, "id")
_INDEX = ("embedding_model", "embedding")
_UPDATE_INDEX = updating(annotation_table, *_INDEX)
_index = _CODEC.encoder(*_INDEX, "id")
_OF_APP = select(annotation_table).where(annotation_table.c.app_id == bindparam("app_id"))
_FIND = Statement(_OF_APP.where(annotation_table.c.id == bindparam("id")), ["app_id", "id"])
_FIND_BY_MESSAGE = Statement(
    _OF_APP.where(annotation_table.c.message_id == bindparam("message_id"))
    .order_by(annotation_table.c.created_at.desc(), annotation_table.c.id.desc())
    .limit(1),
    ["app_id", "message_id"],
)
_ALL = Statement(_OF_APP.order_by(annotation_table.c.created_at, annotation_table.c.id), ["app_id"])
_REMOVE = Statement(
    delete(annotation_table)
    .where(annotation_table.c.app_id == bindparam("of_app"))
    .where(annotation_table.c.id == bindparam("of_id")),
    ["of_app", "of_id"],
)
_COUNT_HIT = Statement(
    update(annotation_table)
    .where(annotation_table.c.id == bindparam("row_id"))
    .values(hit_count=annotation_table.c.hit_count + 1),
    ["row_id"],
)
_STATE = Statement(
    select(func.count(), func.max(annotation_table.c.updated_at)).where(
        annotation_table.c.app_id == bindparam("app_id")
    ),
    ["app_id"],
)
_HITS = Statement(
    select(annotation_hits)
    .where(annotation_hits.c.app_id == bindparam("app_id"))
    .where(annotation_hits.c.annotation_id == bindparam("annotation_id"))
    .order_by(annotation_hits.c.created_at.desc(), annotation_hits.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("skipped", type_=Integer)),
    ["app_id", "annotation_id", "limit", "skipped"],
)


class AnnotationPage(msgspec.Struct, frozen=True):
    """One numbered page; `total` counts the annotations of all pages."""

    items: tuple[Annotation, ...]
    total: int
    has_more: bool


class AnnotationState(msgspec.Struct, frozen=True):
    """Changes whenever an annotation of the app is made, changed or deleted."""

    count: int
    changed_at: datetime | None


def insert(connection: Connection, annotation: Annotation) -> None:
    """Store a new annotation."""
    _INSERT.run(connection, *_CODEC.encode(annotation))


def update_content(connection: Connection, annotation: Annotation) -> None:
    """Store question, answer, author, index and `updated_at` of an annotation that exists.

    Raises:
        NotFoundError: It has been deleted.
    """
    if _UPDATE.run(connection, *_content(annotation)) == 0:
        raise _absent(annotation.id)


def update_index(connection: Connection, annotations: Sequence[Annotation]) -> None:
    """Store how questions are compared; what is gone, or asks something else by now, is left alone."""
    for annotation in annotations:
        found = find(connection, annotation.app_id, annotation.id)
        if found is not None and found.question == annotation.question:
            _UPDATE_INDEX.run(connection, *_index(annotation))


def find(connection: Connection, app_id: str, annotation_id: str) -> Annotation | None:
    """The app's annotation of that id."""
    row = _FIND.row(connection, app_id, annotation_id)
    return None if row is None else _CODEC.decode(row)


def get(connection: Connection, app_id: str, annotation_id: str) -> Annotation:
    """As `find`.

    Raises:
        NotFoundError: There is none.
    """
    found = find(connection, app_id, annotation_id)
    if found is None:
        raise _absent(annotation_id)
    return found


def find_by_message(connection: Connection, app_id: str, message_id: str) -> Annotation | None:
    """The annotation that corrects a message."""
    row = _FIND_BY_MESSAGE.row(connection, app_id, message_id)
    return None if row is None else _CODEC.decode(row)


def remove(connection: Connection, app_id: str, annotation_id: str) -> None:
    """Delete an annotation and the history of its hits.

    Raises:
        NotFoundError: There is none.
    """
    if _REMOVE.run(connection, app_id, annotation_id) == 0:
        raise _absent(annotation_id)


def list_page(
    connection: Connection, app_id: str, *, keyword: str = "", page: int = 1, limit: int = 20
) -> AnnotationPage:
    """The annotations of an app, newest first.

    Args:
        connection: In a read.
        app_id: The app.
        keyword: Occurs in question or answer, in whatever case; empty for all.
        page: Counts from 1.
        limit: Annotations on a page.

    Source: Dify service API, `GET /apps/annotations`.
    """
    conditions: list[ColumnElement[bool]] = [annotation_table.c.app_id == app_id]
    if keyword:
        pattern = func.lower(containing(keyword))
        searched = (annotation_table.c.question, annotation_table.c.answer)
        conditions.append(or_(*(func.lower(column).like(pattern, escape="/") for column in searched)))
    total = connection.execute(
        select(func.count()).select_from(annotation_table).where(*conditions)
    ).scalar_one()
    skipped = (page - 1) * limit
    if skipped >= total:
        return AnnotationPage((), total, has_more=False)
    rows = connection.execute(
        select(annotation_table)
        .where(*conditions)
        .order_by(annotation_table.c.created_at.desc(), annotation_table.c.id.desc())
        .limit(limit)
        .offset(skipped)
    ).all()
    return AnnotationPage(_CODEC.decode_all(rows), total, has_more=total > page * limit)


def list_all(connection: Connection, app_id: str) -> tuple[Annotation, ...]:
    """Every annotation of an app, oldest first."""
    return _CODEC.decode_all(_ALL.rows(connection, app_id))


def list_by_message(connection: Connection, app_id: str, message_ids: Sequence[str]) -> dict[str, Annotation]:
    """The annotations that correct messages, by message id; a message without one is absent."""
    if not message_ids:
        return {}
    query = (
        select(annotation_table)
        .where(annotation_table.c.app_id == app_id)
        .where(annotation_table.c.message_id.in_(message_ids))
        .order_by(annotation_table.c.created_at, annotation_table.c.id)
    )
    found = _CODEC.decode_all(connection.execute(query).all())
    return {annotation.message_id: annotation for annotation in found if annotation.message_id is not None}


def state(connection: Connection, app_id: str) -> AnnotationState:
    """How many annotations an app has, and when the last of them changed; hits change nothing."""
    row = _STATE.row(connection, app_id)
    count, changed = row if row is not None else (0, None)
    return AnnotationState(
        count if isinstance(count, int) else 0, instant(changed) if isinstance(changed, int) else None
    )


def record_hit(connection: Connection, hit: AnnotationHit) -> bool:
    """Note that an annotation has answered a message, and count it; false if it is gone meanwhile."""
    if _COUNT_HIT.run(connection, hit.annotation_id) == 0:
        return False
    _INSERT_HIT.run(connection, *_HIT_CODEC.encode(hit))
    return True


def list_hits(
    connection: Connection, app_id: str, annotation_id: str, *, page: int = 1, limit: int = 20
) -> tuple[AnnotationHit, ...]:
    """A numbered page of what an annotation has answered, newest first."""
    return _HIT_CODEC.decode_all(_HITS.rows(connection, app_id, annotation_id, limit, (page - 1) * limit))


def list_hits_by_message(
    connection: Connection, app_id: str, message_ids: Sequence[str]
) -> dict[str, AnnotationHit]:
    """The hits that answered messages, by message id; a message without one is absent."""
    if not message_ids:
        return {}
    query = (
        select(annotation_hits)
        .where(annotation_hits.c.app_id == app_id)
        .where(annotation_hits.c.message_id.in_(message_ids))
    )
    found = _HIT_CODEC.decode_all(connection.execute(query).all())
    return {hit.message_id: hit for hit in found}


def _absent(annotation_id: str) -> NotFoundError:
    return NotFoundError("Annotation not found", kind="annotation", id=annotation_id)
