"""A stored conversation as an archive keeps it, with everything that its session is made of; and back.

The fields are those of the archive's own formats, and beside them what the server's records have: a session
that is read from the archive is the same, ids and times included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from weft.archive import Conversation, RunRecord
from weft.errors import ConflictError, NotFoundError
from weft.sessions.plain import JsonObject, objects, plain_object
from weft.sessions.turn import SessionHead, SessionReader, Turn

if TYPE_CHECKING:
    from weft.store import Annotation, Connection, Run, Store, Workflow

_PAGE = 200
_KNOWN = ("app_id", "conversation_id")
"""What the conversation says for all that belongs to it."""


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """What `Archive.save` and `Archive.save_runs` take."""

    conversation: Conversation | None
    """`None` for the run of an app without conversations."""
    runs: tuple[RunRecord, ...]


async def archived_session(reader: SessionReader, session_id: str) -> ArchivedSession:
    """A conversation, or a run of an app without any, for the archive.

    Args:
        reader: Where it lies.
        session_id: Its id.

    Raises:
        NotFoundError: There is none.
    """
    head = await reader.head(session_id, user_id=None)
    turns = await read_turns(reader, session_id)
    runs = tuple(_run_record(head, turn.run, turn) for turn in turns if turn.run is not None)
    return ArchivedSession(_conversation(head, turns), runs)


async def restore_session(reader: SessionReader, session_id: str, store: Store) -> None:
    """Put a conversation, or a run of an app without any, back into a server's records.

    Its app must be there. A conversation that was deleted is still in the records until it is removed.

    Args:
        reader: Where it lies.
        session_id: Its id.
        store: Where it goes.

    Raises:
        NotFoundError: There is none, or its app is not in the store.
        ConflictError: The store has something of that id.
    """
    from sqlalchemy.exc import IntegrityError

    from weft.store import apps

    head = await reader.head(session_id, user_id=None)
    turns = await read_turns(reader, session_id)

    def write(connection: Connection) -> None:
        app = apps.find(connection, head.app.id)
        if app is None:
            raise NotFoundError(f"there is no app {head.app.id!r}", kind="app", id=head.app.id)
        try:
            _insert(connection, head, turns, app.workspace_id)
        except IntegrityError as error:
            raise ConflictError(
                f"session {session_id!r} cannot be restored: the store has rows of its ids, maybe of the "
                "same session deleted and not yet removed"
            ) from error

    await store.write(write)


async def read_turns(reader: SessionReader, session_id: str) -> list[Turn]:
    """All turns of a session with all detail, oldest first."""
    pages: list[tuple[Turn, ...]] = []
    before: str | None = None
    while True:
        page = await reader.turns(session_id, before=before, limit=_PAGE, detail=True)
        pages.append(page.turns)
        first = page.turns[0].message if page.turns else None
        if not page.has_more or first is None:
            return [turn for turns in reversed(pages) for turn in turns]
        before = first.id


def _insert(connection: Connection, head: SessionHead, turns: list[Turn], workspace_id: str) -> None:
    from weft.store import (
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

    replace = msgspec.structs.replace
    owner: JsonObject = {}
    if head.end_user is not None:
        user = replace(head.end_user, workspace_id=workspace_id)
        # Somebody of that name may have come back meanwhile, under another id.
        owner = {"end_user_id": end_users.find_or_create(connection, user).id}
    if head.conversation is not None:
        conversations.insert(connection, replace(head.conversation, **owner))
    conversation_variables.insert_missing(connection, head.variables)
    for turn in turns:
        if turn.message is not None:
            messages.insert(connection, replace(turn.message, **owner))
        if turn.run is not None:
            runs.start(connection, None, None, replace(turn.run, **owner))
        node_executions.append(connection, turn.executions)
        messages.insert_files(connection, turn.files)
        for form in turn.forms:
            forms.create(connection, form)
        for one in turn.feedback:
            theirs = owner if one.end_user_id is not None else {}
            feedbacks.put(connection, replace(one, **theirs))
        note = turn.annotation
        # An app keeps its annotations when a conversation is removed.
        if note is not None and app_annotations.find(connection, note.app_id, note.id) is None:
            app_annotations.insert(connection, note)


def _conversation(head: SessionHead, turns: list[Turn]) -> Conversation | None:
    row = head.conversation
    if row is None:
        return None
    fields = _fields(row, without=("id", "is_deleted", "read_at", "end_user_id", "account_id"))
    return Conversation.parse(
        {
            **fields,
            **_around(head),
            "conversation_id": row.id,
            "from_end_user_id": row.end_user_id,
            "from_account_id": row.account_id,
            "conversation_variables": [_fields(variable) for variable in head.variables],
            "messages": [_message(turn) for turn in turns if turn.message is not None],
        }
    )


def _around(head: SessionHead) -> JsonObject:
    app = head.app
    return {
        "app": {
            "id": app.id,
            "name": app.name,
            "mode": app.mode,
            "tags": list(app.tags),
            "workflow_id": app.workflow_id,
            "created_at": app.created_at.isoformat(),
            "updated_at": app.updated_at.isoformat(),
        },
        "end_user": None if head.end_user is None else _fields(head.end_user, without=("workspace_id",)),
        "workflow": None if head.workflow is None else _version(head.workflow),
    }


def _version(workflow: Workflow) -> JsonObject:
    """What a session tells of a version: its nodes, without their settings."""
    nodes = []
    for node in objects(workflow.graph.get("nodes")):
        data = node.get("data")
        data = data if isinstance(data, Mapping) else {}
        told: JsonObject = {"title": data.get("title"), "type": data.get("type")}
        if data.get("memory") is not None:
            told["memory"] = {}
        nodes.append({"id": node.get("id"), "data": told})
    return {
        "id": workflow.id,
        "version": workflow.version,
        "content_hash": workflow.content_hash,
        "graph": {"nodes": nodes},
        "created_at": workflow.created_at.isoformat(),
    }


def _message(turn: Turn) -> JsonObject:
    row = turn.message
    assert row is not None
    fields = _fields(row, without=("app_id", "run_id", "end_user_id", "account_id", "latency"))
    return {
        **fields,
        "workflow_run_id": row.run_id,
        "from_end_user_id": row.end_user_id,
        "from_account_id": row.account_id,
        "provider_response_latency": row.latency,
        "message_files": [
            {**_fields(file, without=("message_id", "name")), "filename": file.name} for file in turn.files
        ],
        "feedbacks": [
            {
                **_fields(one, without=(*_KNOWN, "message_id", "end_user_id", "account_id")),
                "from_end_user_id": one.end_user_id,
                "from_account_id": one.account_id,
            }
            for one in turn.feedback
        ],
        **({} if turn.annotation is None else {"annotation": _annotation(turn.annotation)}),
    }


def _annotation(row: Annotation) -> JsonObject:
    fields = _fields(row, without=(*_KNOWN, "message_id", "answer", "embedding", "embedding_model"))
    return {**fields, "content": row.answer}


def _run_record(head: SessionHead, run: Run, turn: Turn) -> RunRecord:
    return RunRecord.parse(
        {
            **_fields(run, without=("id",)),
            **(_around(head) if head.conversation is None else {}),
            "run_id": run.id,
            "node_executions": [_fields(item, without=("run_id", "app_id")) for item in turn.executions],
            # Whoever knows the token of a form may fill it in.
            "forms": [_fields(form, without=("run_id", "app_id", "token")) for form in turn.forms],
        }
    )


def _fields(row: msgspec.Struct, *, without: tuple[str, ...] = ()) -> JsonObject:
    """A record as JSON: instants and prices as text."""
    built = plain_object(msgspec.to_builtins(row))
    return {name: value for name, value in built.items() if name not in without}
