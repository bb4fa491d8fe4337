"""Whole conversations in the server's own store: found by their change, read in one go, and removed.

What the store's own functions do is left to them. The statements here are those that only an archive needs;
they name columns and nothing of how the store keeps them but that instants are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Result,
    Select,
    Text,
    column,
    delete,
    false,
    func,
    select,
    table,
    tuple_,
)

from weft.store import (
    Account,
    Annotation,
    AnnotationHit,
    Connection,
    Conversation,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    accounts,
    app_annotations,
    conversation_variables,
    conversations,
    end_users,
    feedbacks,
    forms,
    messages,
    node_executions,
    runs,
)

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 500
"""Ids in one statement; both databases take thousands."""
_ALL = 2**31 - 1

_apps = table(
    "apps", column("id", Text), column("workspace_id", Text), column("name", Text), column("mode", Text)
)
_conversations = table(
    "conversations",
    column("id", Text),
    column("app_id", Text),
    column("updated_at", BigInteger),
    column("is_deleted"),
)
_messages = table(
    "messages", column("id", Text), column("conversation_id", Text), column("updated_at", BigInteger)
)
_feedbacks = table(
    "feedbacks",
    column("conversation_id", Text),
    column("app_id", Text),
    column("updated_at", BigInteger),
)
_annotations = table(
    "annotations",
    column("conversation_id", Text),
    column("app_id", Text),
    column("updated_at", BigInteger),
)
_runs = table("runs", column("id", Text), column("conversation_id", Text))


@dataclass(frozen=True, slots=True)
class StoredApp:
    """An app, as far as an archive is concerned."""

    id: str
    workspace_id: str
    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A conversation and when it changed."""

    id: str
    at: int
    """Microseconds since 1970."""
    version: str
    """Changes with messages, name, feedback and annotations."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with everything that it left."""

    run: Run
    executions: Sequence[NodeExecution] = ()
    forms: Sequence[Form] = ()


@dataclass(slots=True)
class Whole:
    """A conversation with everything that belongs to it."""

    conversation: Conversation
    end_user: EndUser | None = None
    messages: Sequence[Message] = ()
    files: dict[str, tuple[MessageFile, ...]] = field(default_factory=dict)
    feedback: dict[str, tuple[Feedback, ...]] = field(default_factory=dict)
    annotations: dict[str, Annotation] = field(default_factory=dict)
    hits: dict[str, AnnotationHit] = field(default_factory=dict)
    variables: Sequence[ConversationVariable] = ()
    runs: list[WholeRun] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)


def list_apps(connection: Connection) -> list[StoredApp]:
    """All apps of all workspaces, by id."""
    rows = connection.execute(
        select(_apps.c.id, _apps.c.workspace_id, _apps.c.name, _apps.c.mode).order_by(_apps.c.id)
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
    place = tuple_(_conversations.c.updated_at, _conversations.c.id)
    query = _alive(app_id).order_by(_conversations.c.updated_at.desc(), _conversations.c.id.desc())
    if before is not None:
        query = query.where(place < tuple_(*before))
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
    place = tuple_(_conversations.c.updated_at, _conversations.c.id)
    query = _alive(app_id).where(_conversations.c.updated_at < micros(bound))
    if after is not None:
        query = query.where(place > tuple_(*after))
    query = query.order_by(_conversations.c.updated_at, _conversations.c.id)
    return _with_versions(connection, connection.execute(query.limit(limit)).all())


def list_rated(connection: Connection, app_id: str, since: int) -> list[Changed]:
    """Conversations whose feedback or annotations changed since then, which `updated_at` does not tell.

    Args:
        connection: In a read.
        app_id: The app.
        since: Microseconds since 1970.
    """
    ids: set[str] = set()
    for source in (_feedbacks, _annotations):
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
    for part in _parts(ids):
        rows = connection.execute(_alive(app_id).where(_conversations.c.id.in_(part))).all()
        found += _with_versions(connection, rows)
    return found


def count(connection: Connection, app_id: str) -> int:
    """How many conversations of an app are not deleted."""
    alive = _alive(app_id).subquery()
    return int(connection.execute(select(func.count()).select_from(alive)).scalar_one())


def read_whole(connection: Connection, app_id: str, ids: Sequence[str]) -> dict[str, Whole]:
    """Conversations with all that belongs to them, by id; those that are gone are absent."""
    found: dict[str, Whole] = {}
    for id in ids:
        conversation = conversations.find(connection, app_id, id, end_user_id=None)
        if conversation is not None:
            said = messages.list_page(connection, app_id, id, limit=_ALL - 1).items
            variables = conversation_variables.list_all(connection, app_id, id)
            found[id] = Whole(conversation, messages=said, variables=variables)
    _read_people(connection, app_id, found)
    _read_around(connection, app_id, found)
    wanted = {
        id: [message.run_id for message in whole.messages if message.run_id is not None]
        for id, whole in found.items()
    }
    executed = {one.run.id: one for one in read_runs(connection, app_id, list(chain(*wanted.values())))}
    for id, whole in found.items():
        whole.runs = [executed[run_id] for run_id in dict.fromkeys(wanted[id]) if run_id in executed]
    return found


def read_runs(connection: Connection, app_id: str, ids: Collection[str]) -> list[WholeRun]:
    """Runs with their node executions and forms; those that are gone are left out."""
    asked: dict[str, tuple[Form, ...]] = {}
    for part in _parts(list(ids)):
        asked |= forms.list_by_runs(connection, part)
    found = []
    for id in dict.fromkeys(ids):
        run = runs.find(connection, app_id, id)
        if run is not None:
            executions = node_executions.list_by_run(connection, app_id, id)
            found.append(WholeRun(run, executions, asked.get(id, ())))
    return found


def taken(connection: Connection, kind: str, ids: Collection[str]) -> set[str]:
    """Which of these ids exist, whoever's they are, deleted ones included.

    Args:
        connection: In a read or a write.
        kind: ``conversations``, ``messages`` or ``runs``.
        ids: Any number.
    """
    source = {"conversations": _conversations, "messages": _messages, "runs": _runs}[kind]
    found: set[str] = set()
    for part in _parts(sorted(ids)):
        found.update(row[0] for row in connection.execute(select(source.c.id).where(source.c.id.in_(part))))
    return found


def remove(connection: Connection, app_id: str, wanted: Sequence[Changed]) -> list[str]:
    """Take conversations out for good, with messages, feedback, variables and runs.

    One that has changed since it was looked at stays.

    Returns:
        Ids of those that are gone now.
    """
    present = {one.id: one.version for one in find_changed(connection, app_id, [one.id for one in wanted])}
    same = [one.id for one in wanted if present.get(one.id) == one.version]
    for part in _parts(same):
        # The runs have no index that begins with the conversation; their messages know them.
        told: Result[tuple[str]] = connection.execute(
            select(column("run_id"))
            .select_from(table("messages", column("run_id"), column("conversation_id")))
            .where(column("conversation_id").in_(part))
            .where(column("run_id").is_not(None))
        )
        for some in _parts([row[0] for row in told]):
            connection.execute(delete(_runs).where(_runs.c.id.in_(some)))
        connection.execute(delete(_conversations).where(_conversations.c.id.in_(part)))
    return same


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _alive(app_id: str) -> Select[tuple[str, int]]:
    return (
        select(_conversations.c.id, _conversations.c.updated_at)
        .where(_conversations.c.app_id == app_id)
        .where(_conversations.c.is_deleted == false())
    )


def _with_versions(connection: Connection, rows: Sequence[Sequence[object]]) -> list[Changed]:
    ids = [str(row[0]) for row in rows]
    marks: dict[str, list[str]] = {id: [] for id in ids}
    for source in (_messages, _feedbacks, _annotations):
        for part in _parts(ids):
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


def _read_people(connection: Connection, app_id: str, found: dict[str, Whole]) -> None:
    known: dict[str, EndUser | None] = {}
    for whole in found.values():
        id = whole.conversation.end_user_id
        if id is None:
            continue
        if id not in known:
            known[id] = end_users.find(connection, app_id, id)
        whole.end_user = known[id]


def _read_around(connection: Connection, app_id: str, found: dict[str, Whole]) -> None:
    files: dict[str, tuple[MessageFile, ...]] = {}
    given: dict[str, tuple[Feedback, ...]] = {}
    annotated: dict[str, Annotation] = {}
    hits: dict[str, AnnotationHit] = {}
    for part in _parts([message.id for whole in found.values() for message in whole.messages]):
        files |= messages.list_files(connection, part)
        given |= feedbacks.list_by_message(connection, app_id, part)
        annotated |= app_annotations.list_by_message(connection, app_id, part)
        hits |= app_annotations.list_hits_by_message(connection, app_id, part)
    people = {whole.conversation.account_id for whole in found.values()}
    people |= {one.account_id for some in given.values() for one in some}
    people |= {annotation.account_id for annotation in annotated.values()}
    known = accounts.list_by_id(connection, {id for id in people if id is not None})
    for whole in found.values():
        # The same for all of them: what is not its own is not looked up.
        whole.files, whole.feedback, whole.annotations, whole.hits = files, given, annotated, hits
        whole.accounts = known


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
