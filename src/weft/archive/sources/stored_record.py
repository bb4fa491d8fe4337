"""The store's rows as fields of the archive, and back.

Every column of a conversation, its messages, files, feedback, variables, runs, node executions and forms has
its field, so that a restored row is the row that was. Left out are what lets somebody in (tokens of forms),
and what only a living process needs (owner and task of a run, the state of a paused one).

Going back, fields that another source did not give are filled with what a row of their kind begins with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TypeVar, cast
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from weft.archive.conversation import Conversation as Archived
from weft.archive.instant import parse_instant, render_instant
from weft.archive.json_text import JsonObject
from weft.archive.run_record import RunRecord
from weft.archive.source import Loaded
from weft.archive.sources.stored import Whole, WholeRun
from weft.errors import InvalidRequestError
from weft.store import (
    Account,
    Annotation,
    Conversation,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    StoredApp,
)

R = TypeVar("R", bound=msgspec.Struct)
_OF_ITS_PARENT = frozenset({"app_id", "conversation_id", "message_id", "run_id", "workspace_id"})
_NAMES_OF_PEOPLE = {"end_user_id": "from_end_user_id", "account_id": "from_account_id"}
_FILE_NAMES = {"name": "filename"}


def archived(whole: Whole) -> Loaded:
    """A conversation with its runs, as the archive keeps them."""
    conversation = whole.conversation
    fields = _fields(conversation, _NAMES_OF_PEOPLE)
    fields["conversation_id"] = fields.pop("id")
    del fields["is_deleted"]
    fields["app_id"] = conversation.app_id
    if whole.end_user is not None:
        fields["from_end_user_session_id"] = whole.end_user.session_id
        fields["end_user"] = _fields(whole.end_user)
    if conversation.account_id is not None and conversation.account_id in whole.accounts:
        fields["from_account_name"] = whole.accounts[conversation.account_id].name
    fields["variables"] = [_fields(variable) for variable in whole.variables]
    fields["messages"] = [_message(message, whole) for message in whole.messages]
    return Loaded(Archived.parse(fields), [archived_run(one) for one in whole.runs])


def archived_run(whole: WholeRun) -> RunRecord:
    """A run with its node executions and forms."""
    run = whole.run
    fields = _fields(run, {"end_user_id": "created_by_end_user_id", "account_id": "created_by_account_id"})
    fields |= {"app_id": run.app_id, "conversation_id": run.conversation_id, "message_id": run.message_id}
    for name in ("owner_id", "task_id"):
        del fields[name]
    fields["node_executions"] = [_fields(execution) for execution in whole.executions]
    if whole.forms:
        fields["forms"] = [_without(_fields(form), "token") for form in whole.forms]
    return RunRecord.parse(fields)


def restored(fields: Mapping[str, object], runs: Sequence[RunRecord], app: StoredApp) -> Whole:
    """The rows of an archived conversation, as those of this app.

    Raises:
        InvalidRequestError: An id is no UUID, or a field has a value that no row can hold.
    """
    id = _uuid(fields.get("conversation_id"), "conversation_id")
    try:
        return _restored(id, fields, runs, app)
    except (msgspec.ValidationError, InvalidOperation) as error:
        raise InvalidRequestError(f"conversation {id}: {error}; it cannot be restored") from error


def _restored(id: str, fields: Mapping[str, object], runs: Sequence[RunRecord], app: StoredApp) -> Whole:
    read = _Reader(fields)
    person = _end_user(read, app)
    of_app: JsonObject = {"app_id": app.id, "end_user_id": None if person is None else person.id}
    conversation = read.record(
        Conversation,
        {
            **of_app,
            "id": id,
            "from_source": _source(fields.get("from_source")),
            "account_id": fields.get("from_account_id"),
            "status": "completed" if fields.get("status") == "completed" else "normal",
            "introduction": fields.get("introduction") or "",
        },
    )
    whole = Whole(conversation, end_user=person)
    defaults: JsonObject = {
        **of_app,
        "conversation_id": id,
        "from_source": conversation.from_source,
        "account_id": conversation.account_id,
        "invoke_from": conversation.invoke_from,
    }
    said = []
    for told in cast("list[JsonObject]", fields.get("messages") or []):
        said.append(_restore_message(told, defaults, whole))
    whole.messages = said
    whole.variables = [
        _Reader(told).record(
            ConversationVariable, {"id": told["id"], "app_id": app.id, "conversation_id": id}
        )
        for told in _objects(fields.get("variables"))
    ]
    answers = {message.run_id: message for message in said if message.run_id is not None}
    whole.runs = [restored_run(run, app, answers.get(run.id)) for run in runs]
    return whole


def restored_run(record: RunRecord, app: StoredApp, message: Message | None = None) -> WholeRun:
    """The rows of an archived run, as those of this app.

    Args:
        message: The message that it answered.

    Raises:
        InvalidRequestError: An id is no UUID, or a field has a value that no row can hold.
    """
    fields = record.fields
    read = _Reader(fields)
    id = _uuid(record.id, "run_id")
    whose = fields.get("created_by_end_user_id") or (message.end_user_id if message else None)
    account = fields.get("created_by_account_id")
    person = fields.get("created_by_end_user")
    if whose is None and isinstance(person, Mapping):
        whose = person.get("id")
    finished = fields.get("finished_at")
    status = fields.get("status")
    ended = status not in ("running", "scheduled", "paused")
    run = read.record(
        Run,
        {
            "id": id,
            "app_id": app.id,
            "workflow_id": fields.get("workflow_id") or id,
            "version": fields.get("version") or "",
            "mode": fields.get("mode") or app.mode,
            "log_id": fields.get("log_id") or id,
            "triggered_from": fields.get("triggered_from") or "app-run",
            "created_from": fields.get("created_from") or "service-api",
            "created_by_role": fields.get("created_by_role")
            or ("end_user" if account is None else "account"),
            "conversation_id": message.conversation_id if message else fields.get("conversation_id"),
            "message_id": message.id if message else fields.get("message_id"),
            "end_user_id": whose,
            "account_id": account,
            # Nobody goes on with what was running when it was archived.
            "status": status if ended else "stopped",
            "finished_at": finished if ended and finished is not None else fields["created_at"],
            "task_id": None,
            "owner_id": None,
            "inputs": fields.get("inputs") or {},
        },
    )
    executions = []
    for number, told in enumerate(_objects(fields.get("node_executions")), 1):
        executions.append(
            _Reader(told).record(
                NodeExecution,
                {
                    "id": told.get("id") or _made_up(id, str(number)),
                    "run_id": id,
                    "app_id": app.id,
                    "index": told.get("index") or number,
                    "node_id": told.get("node_id") or "",
                    "node_type": told.get("node_type") or "",
                    "title": told.get("title") or "",
                    "status": told.get("status") or "succeeded",
                    "created_at": told.get("created_at") or fields["created_at"],
                    "elapsed_time": told.get("elapsed_time") or 0.0,
                },
            )
        )
    closed = [
        _Reader(told).record(
            Form,
            {
                "run_id": id,
                "app_id": app.id,
                "token": None,
                "status": "expired" if told.get("status") == "waiting" else told.get("status"),
            },
        )
        for told in _objects(fields.get("forms"))
    ]
    return WholeRun(run, executions, closed)


def _message(message: Message, whole: Whole) -> JsonObject:
    fields = _fields(
        message, {**_NAMES_OF_PEOPLE, "latency": "provider_response_latency", "run_id": "workflow_run_id"}
    )
    fields["workflow_run_id"] = message.run_id
    fields["feedbacks"] = [
        {
            **_fields(feedback, _NAMES_OF_PEOPLE),
            **_account("from_account", feedback.account_id, whole.accounts),
        }
        for feedback in whole.feedback.get(message.id, ())
    ]
    fields["message_files"] = [_fields(file, _FILE_NAMES) for file in whole.files.get(message.id, ())]
    annotation = whole.annotations.get(message.id)
    if annotation is not None:
        fields["annotation"] = {
            **_without(_fields(annotation), "embedding", "embedding_model", "hit_count"),
            "content": annotation.answer,
            **_account("account", annotation.account_id, whole.accounts),
        }
    hit = whole.hits.get(message.id)
    if hit is not None:
        fields["annotation_hit_history"] = {**_fields(hit), "annotation_id": hit.annotation_id}
    return fields


def _account(name: str, id: str | None, accounts: Mapping[str, Account]) -> JsonObject:
    found = accounts.get(id or "")
    return {} if found is None else {name: {"id": found.id, "name": found.name, "email": found.email}}


def _restore_message(told: JsonObject, defaults: JsonObject, whole: Whole) -> Message:
    id = _uuid(told.get("id"), "message id")
    at = told.get("created_at")
    message = _Reader(told).record(
        Message,
        {
            **defaults,
            "id": id,
            "from_source": _source(told.get("from_source") or defaults["from_source"]),
            "run_id": told.get("workflow_run_id"),
            "updated_at": told.get("updated_at") or at,
            "end_user_id": told.get("from_end_user_id") or defaults["end_user_id"],
            "account_id": told.get("from_account_id") or defaults["account_id"],
            "invoke_from": told.get("invoke_from") or defaults["invoke_from"],
            "inputs": told.get("inputs") or {},
            "status": told.get("status") if told.get("status") in ("normal", "error") else "normal",
            "latency": told.get("provider_response_latency") or 0.0,
        },
    )
    parent: JsonObject = {"app_id": defaults["app_id"], "message_id": id}
    whole.files[id] = tuple(
        _Reader(file).record(
            MessageFile,
            {
                **parent,
                "created_at": file.get("created_at") or at,
                "name": file.get("filename"),
                "belongs_to": file.get("belongs_to") or "user",
            },
        )
        for file in _objects(told.get("message_files"))
    )
    opinions = _objects(told.get("feedbacks")) or _objects([told.get("feedback")])
    whole.feedback[id] = tuple(
        _Reader(opinion).record(
            Feedback,
            {
                **parent,
                "conversation_id": message.conversation_id,
                "id": opinion.get("id") or _made_up(id, str(opinion.get("from_source"))),
                "from_source": opinion.get("from_source") or "user",
                "created_at": opinion.get("created_at") or at,
                "updated_at": opinion.get("updated_at") or opinion.get("created_at") or at,
                "end_user_id": opinion.get("from_end_user_id"),
                "account_id": opinion.get("from_account_id"),
            },
        )
        for opinion in opinions
        if opinion.get("rating") in ("like", "dislike")
    )
    note = told.get("annotation")
    if isinstance(note, Mapping) and note.get("id"):
        whole.annotations[id] = _Reader(note).record(
            Annotation,
            {
                **parent,
                "conversation_id": message.conversation_id,
                "question": note.get("question") or message.query,
                "answer": note.get("answer") or note.get("content") or "",
                "created_at": note.get("created_at") or at,
                "updated_at": note.get("updated_at") or note.get("created_at") or at,
            },
        )
    return message


def _end_user(read: _Reader, app: StoredApp) -> EndUser | None:
    fields = read.fields
    id = fields.get("from_end_user_id")
    whole = fields.get("end_user")
    if not isinstance(id, str):
        return None
    told: Mapping[str, object] = whole if isinstance(whole, Mapping) else {}
    created_at = told.get("created_at") or fields["created_at"]
    return _Reader(told).record(
        EndUser,
        {
            "id": id,
            "workspace_id": app.workspace_id,
            "app_id": app.id,
            "session_id": told.get("session_id") or fields.get("from_end_user_session_id") or id,
            "created_at": created_at,
            "updated_at": told.get("updated_at") or created_at,
        },
    )


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    # Looking at a class takes ten times as long as making one of its records.
    return msgspec.structs.fields(kind)


class _Reader:
    """Makes records of JSON fields; instants and prices may have any spelling."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.fields = fields

    def record(self, kind: type[R], known: Mapping[str, object]) -> R:
        """A record whose fields are those known, else those of the archive, else the record's own defaults.

        Raises:
            msgspec.ValidationError: A value is of the wrong type, or missing.
        """
        values: JsonObject = {}
        for one in _fields_of(kind):
            if one.name in known:
                value = known[one.name]
            elif one.name in self.fields:
                value = self.fields[one.name]
            else:
                continue
            if value is None and not one.required and one.default is not None:
                continue  # another server's null stands for what a row begins with
            if one.type in (datetime, datetime | None) and value is not None:
                value = parse_instant(value, one.name)
            elif one.type is Decimal:
                value = Decimal(str(value))
            values[one.name] = value
        return msgspec.convert(values, kind)


def _fields(record: msgspec.Struct, names: Mapping[str, str] | None = None) -> JsonObject:
    """A record's fields as JSON, without the ids of what it is part of."""
    fields: JsonObject = {}
    for name in record.__struct_fields__:
        if name in _OF_ITS_PARENT:
            continue
        value = getattr(record, name)
        if isinstance(value, datetime):
            value = render_instant(value)
        elif isinstance(value, Decimal):
            value = str(value)
        fields[(names or {}).get(name, name)] = value
    return fields


def _without(fields: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in fields.items() if name not in names}


def _objects(value: object) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _source(value: object) -> str:
    """The store knows two sources; whatever else an archive says came through the API."""
    return "console" if value == "console" else "api"


def _uuid(value: object, what: str) -> str:
    try:
        if isinstance(value, str) and str(UUID(value)) == value:
            return value
    except ValueError:
        pass
    raise InvalidRequestError(
        f"{what} {str(value)[:60]!r} is no UUID, so the server could not be asked for it",
        {what: "not a UUID"},
    )


def _made_up(parent: str, name: str) -> str:
    """The same id for the same thing every time, where the source gave none."""
    return str(uuid5(NAMESPACE_URL, f"{parent}/{name}"))
