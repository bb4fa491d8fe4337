"""Files: what is known of the bytes that the store of files keeps under their ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, or_, select, update

from weft.store.codec import Codec, micros
from weft.store.records import StoredFile
from weft.store.search_text import portions
from weft.store.statement import Statement, inserting
from weft.store.tables import conversations, files, message_files, messages, runs

_CODEC = Codec(StoredFile, files)
_MANY = 100_000
_INSERT = inserting(files)
_FIND = Statement(select(files).where(files.c.id == bindparam("id")), ["id"])
_APPS_THAT_USE = Statement(
    select(messages.c.app_id)
    .distinct()
    .select_from(message_files.join(messages, messages.c.id == message_files.c.message_id))
    .where(message_files.c.upload_file_id == bindparam("file_id")),
    ["file_id"],
)


def insert(connection: Connection, file: StoredFile) -> None:
    """Store a new file."""
    _INSERT.run(connection, *_CODEC.encode(file))


def find(connection: Connection, file_id: str) -> StoredFile | None:
    """The file of that id, whoever's it is: the caller has to look."""
    row = _FIND.row(connection, file_id)
    return None if row is None else _CODEC.decode(row)


def find_many(connection: Connection, app_id: str, file_ids: Collection[str]) -> dict[str, StoredFile]:
    """The app's files among those of these ids, by id."""
    if not file_ids:
        return {}
    query = select(files).where(files.c.app_id == app_id).where(files.c.id.in_(list(file_ids)))
    return {file.id: file for file in _CODEC.decode_all(connection.execute(query).all())}


def apps_that_use(connection: Connection, file_id: str) -> set[str]:
    """Ids of the apps with a message that the file came with or was made for."""
    return {str(row[0]) for row in _APPS_THAT_USE.rows(connection, file_id)}


def claim(
    connection: Connection, file_ids: Collection[str], *, conversation_id: str | None, run_id: str
) -> None:
    """Note where uploads were used first; those that were used before stay as they are."""
    if not file_ids:
        return
    connection.execute(
        update(files)
        .where(files.c.id.in_(list(file_ids)))
        .where(files.c.run_id.is_(None))
        .values(conversation_id=conversation_id, run_id=run_id)
    )


def list_of_conversation(
    connection: Connection, app_id: str, conversation_id: str, *, limit: int
) -> tuple[str, ...]:
    """Ids of the files that came with a conversation or were made in it, and that no other one shows."""
    shown_here = _shown(messages.c.conversation_id == conversation_id)
    shown_elsewhere = _shown(messages.c.conversation_id != conversation_id)
    query = (
        select(files.c.id)
        .where(files.c.app_id == app_id)
        .where(or_(files.c.conversation_id == conversation_id, shown_here))
        .where(~shown_elsewhere)
        .limit(limit)
    )
    return _ids(connection, query)


def take_along(connection: Connection, app_id: str, conversation_id: str) -> None:
    """Make those files a conversation's own that only it shows and that belong to none that is there.

    So it is known of them afterwards, when the conversation is gone, where they came from.
    """
    mine = list_of_conversation(connection, app_id, conversation_id, limit=_MANY)
    for part in portions(mine):
        connection.execute(
            update(files)
            .where(files.c.id.in_(part))
            .where(or_(files.c.conversation_id.is_(None), ~_conversation_exists()))
            .values(conversation_id=conversation_id)
        )


def list_left(
    connection: Connection, app_id: str, after: str | None, *, limit: int
) -> tuple[StoredFile, ...]:
    """Files of an app's conversations that are gone, and that nothing else shows, by id.

    Args:
        connection: In a read.
        app_id: Whose files.
        after: Id of the last one of the page before.
        limit: At most so many.
    """
    query = (
        select(files)
        .where(files.c.app_id == app_id)
        .where(files.c.conversation_id.is_not(None))
        .where(~_conversation_exists())
        .where(~select(runs.c.id).where(runs.c.id == files.c.run_id).exists())
        .where(~_shown())
        .order_by(files.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(files.c.id > after)
    return _CODEC.decode_all(connection.execute(query).all())


def list_of_app(connection: Connection, app_id: str, *, limit: int) -> tuple[str, ...]:
    """Ids of an app's files."""
    return _ids(connection, select(files.c.id).where(files.c.app_id == app_id).limit(limit))


def list_unused(
    connection: Connection, before: datetime, *, app_id: str | None = None, limit: int
) -> tuple[str, ...]:
    """Ids of the files that are older than an instant and belong to no conversation and to no run.

    These are uploads that were never used, and what came with runs of which there is no record any more.

    Args:
        connection: In a read.
        before: The files were made before it.
        app_id: Whose files; `None` for all.
        limit: At most so many.
    """
    query = (
        select(files.c.id)
        .where(files.c.created_at < micros(before))
        .where(files.c.conversation_id.is_(None))
        .where(~select(runs.c.id).where(runs.c.id == files.c.run_id).exists())
        .where(~_shown())
        .limit(limit)
    )
    return _ids(connection, query if app_id is None else query.where(files.c.app_id == app_id))


def list_stray(connection: Connection, before: datetime, *, limit: int) -> tuple[str, ...]:
    """Ids of the files that a run has made which then failed, or whose record is gone, and no message shows.

    Args:
        connection: In a read.
        before: The files were made before it; younger ones may belong to a run that goes on.
        limit: At most so many.
    """
    well = select(runs.c.id).where(runs.c.status != "failed").where(runs.c.id == files.c.run_id)
    query = (
        select(files.c.id)
        .where(files.c.origin == "run")
        .where(files.c.created_at < micros(before))
        .where(~well.exists())
        .where(~_shown())
        .limit(limit)
    )
    return _ids(connection, query)


def delete_many(connection: Connection, file_ids: Sequence[str]) -> int:
    """Forget files; how many there were."""
    if not file_ids:
        return 0
    return connection.execute(delete(files).where(files.c.id.in_(file_ids))).rowcount


def _conversation_exists() -> ColumnElement[bool]:
    return select(conversations.c.id).where(conversations.c.id == files.c.conversation_id).exists()


def _shown(where: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    """Whether a message shows the file; one of those messages only, if that is said."""
    query = select(message_files.c.id).where(message_files.c.upload_file_id == files.c.id)
    if where is not None:
        query = query.join(messages, messages.c.id == message_files.c.message_id).where(where)
    return query.exists()


def _ids(connection: Connection, query: Select[tuple[str]]) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in connection.execute(query).all())
