"""Whole conversations of the server's own store, with everything that belongs to them, read in one go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeVar

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


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


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
