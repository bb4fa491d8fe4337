"""Turns of conversations that lie in an archive: this server's own, those of others, and imported ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, get_type_hints

import msgspec

from weft.archive import Archive, AsyncArchive, RunRecord
from weft.archive import Conversation as ArchivedConversation
from weft.errors import InvalidRequestError, NotFoundError
from weft.sessions.change import SessionChange
from weft.sessions.opinion import told_opinions
from weft.sessions.plain import JsonObject, objects
from weft.sessions.turn import SessionHead, Turn, TurnPage, links_of, turns_of
from weft.store import (
    Annotation,
    App,
    Conversation,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    Link,
    Message,
    MessageFile,
    NodeExecution,
    Record,
    Run,
    Workflow,
)

R = TypeVar("R", bound=Record)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_STATUSES = {"scheduled", "running", "succeeded", "failed", "stopped", "partial-succeeded", "paused"}
_NODE_STATUSES = {"pending", "running", "succeeded", "failed", "exception", "stopped", "paused", "retry"}
_MESSAGE_STATUSES = {"normal", "error", "paused"}
_FORM_STATUSES = {"waiting", "submitted", "expired"}


class ArchiveReader:
    """A `SessionReader` over an archive.

    What an archived conversation does not have, the session does not have either: without runs there are no
    steps and no agents. A conversation is read when its session is opened and does not change afterwards.

    Args:
        archive: Where conversations and runs lie.
        organization_id: The organisation that they belong to; `None` for whichever.
    """

    def __init__(self, archive: Archive | AsyncArchive, organization_id: str | None = None) -> None:
        self._archive = archive if isinstance(archive, AsyncArchive) else AsyncArchive(archive)
        self._organization_id = organization_id
        self._read: tuple[str, ArchivedConversation | None] | None = None
        """The conversation that was read last, since a session reads page after page of one."""

    async def head(self, session_id: str, *, user_id: str | None, detail: bool = True) -> SessionHead:
        """See `SessionReader.head`; `user_id` is the end user's text, or the account's id."""
        self._read = None
        conversation = await self._conversation(session_id)
        if conversation is not None:
            head = await self._conversation_head(conversation)  # all of it has been read anyway
        else:
            record = await self._archive.find_run(session_id, self._organization_id)
            if record is None or record.conversation_id is not None:
                raise _absent(session_id)
            run = _run(record, None)
            head = SessionHead(
                app=_app(record.fields, run.app_id, run.created_at, run.mode),
                end_user=_end_user(record.fields, run.app_id, run.created_at),
                workflow=_workflow(record.fields, run),
                session_id=run.id,
                run=run,
            )
        account_id = head.conversation.account_id if head.conversation else head.run and head.run.account_id
        owner = account_id if head.end_user is None else head.end_user.session_id
        if user_id is not None and owner != user_id:
            raise _absent(session_id)
        return head

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        """See `SessionReader.turns`."""
        conversation = await self._conversation(session_id)
        if conversation is None:
            turn = await self.find_turn(session_id, session_id)
            return TurnPage(() if turn is None else (turn,), has_more=False)
        messages = _messages(conversation)
        end = len(messages)
        if before is not None:
            place = next((place for place, message in enumerate(messages) if message["id"] == before), None)
            if place is None:
                raise NotFoundError("First Message Not Exists.", kind="message", id=before)
            end = place
        begin = max(end - limit, 0)
        links = await self._links(session_id)
        found = [
            await self._turn(conversation, item, links[place], detail=detail)
            for place, item in enumerate(messages[begin:end], begin)
        ]
        return TurnPage(tuple(found), has_more=begin > 0)

    async def links(self, session_id: str) -> Sequence[Link]:
        """See `SessionReader.links`."""
        return (await self._links(session_id))[::-1]

    async def change(self, session_id: str, change: SessionChange) -> None:
        """Refused: what is archived stays as it is."""
        raise InvalidRequestError(
            f"session {session_id!r} lies in an archive and cannot be changed there; restore it first"
        )

    async def _links(self, session_id: str) -> list[Link]:
        """The places of a conversation's messages, oldest first."""
        conversation = await self._conversation(session_id)
        if conversation is None:
            return []
        return list(links_of(_message(conversation, item) for item in _messages(conversation)))

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """See `SessionReader.find_turn`."""
        conversation = await self._conversation(session_id)
        if conversation is not None:
            links = await self._links(session_id)
            for message, link in zip(_messages(conversation), links, strict=True):
                if id in (message["id"], message.get("workflow_run_id")):
                    return await self._turn(conversation, message, link, detail=True)
            return None
        record = await self._archive.find_run(session_id, self._organization_id) if id == session_id else None
        if record is None:
            return None
        run = _run(record, None)
        return turns_of((), (run,), _executions(record, run), (), _forms(record, run))[0]

    async def _conversation(self, session_id: str) -> ArchivedConversation | None:
        if self._read is None or self._read[0] != session_id:
            self._read = (session_id, await self._archive.find(session_id, self._organization_id))
        return self._read[1]

    async def _conversation_head(self, archived: ArchivedConversation) -> SessionHead:
        fields = archived.fields
        row = _row(
            Conversation,
            {
                **fields,
                "id": archived.id,
                "end_user_id": fields.get("from_end_user_id") or _first(archived, "from_end_user_id"),
                "account_id": fields.get("from_account_id") or _first(archived, "from_account_id"),
            },
        )
        messages = _messages(archived)
        newest = messages[-1].get("workflow_run_id") if messages else None
        record = await self._find_run(newest)
        run = None if record is None else _run(record, None)
        of_run = {} if record is None else record.fields
        told = fields if isinstance(fields.get("workflow"), Mapping) else of_run
        return SessionHead(
            app=_app(fields, row.app_id, row.created_at, "advanced-chat" if run is None else run.mode),
            conversation=row,
            end_user=_end_user({**fields, "from_end_user_id": row.end_user_id}, row.app_id, row.created_at),
            variables=[
                _row(
                    ConversationVariable,
                    {
                        "id": "",
                        "conversation_id": row.id,
                        "app_id": row.app_id,
                        "variable_id": variable.get("id"),
                        "created_at": fields["created_at"],
                        "updated_at": fields["updated_at"],
                        **variable,
                    },
                )
                for variable in objects(fields.get("conversation_variables") or fields.get("variables"))
            ],
            workflow=None if run is None else _workflow(told, run),
        )

    async def _turn(
        self, archived: ArchivedConversation, item: JsonObject, link: Link, *, detail: bool
    ) -> Turn:
        message = _message(archived, item)
        record = await self._find_run(message.run_id)
        run = None if record is None else _run(record, message)
        turn = Turn(message=message, run=run, link=link)
        if not detail:
            return turn
        ran: dict[str, Any] = {}
        if record is not None and run is not None:
            ran = {"executions": _executions(record, run), "forms": _forms(record, run)}
        return replace(
            turn,
            **ran,
            files=_files(item, message),
            feedback=_feedback(item, message),
            annotation=_annotation(item, message),
            opinions=told_opinions(item),
        )

    async def _find_run(self, run_id: object) -> RunRecord | None:
        if not isinstance(run_id, str) or not run_id:
            return None
        return await self._archive.find_run(run_id, self._organization_id)


def _absent(session_id: str) -> NotFoundError:
    return NotFoundError("Conversation Not Exists.", kind="conversation", id=session_id)


def _messages(archived: ArchivedConversation) -> list[JsonObject]:
    return sorted(archived.messages, key=lambda item: (_instant(item["created_at"]), str(item["id"])))


def _first(archived: ArchivedConversation, name: str) -> object:
    """What the first message that says it says."""
    return next((item[name] for item in archived.messages if item.get(name)), None)


def _message(archived: ArchivedConversation, item: JsonObject) -> Message:
    usage = _usage(item)
    known = item.get("status") in _MESSAGE_STATUSES
    return _row(
        Message,
        {
            "updated_at": item["created_at"],
            "total_price": usage.get("total_price"),
            "currency": usage.get("currency"),
            **item,
            "status": item["status"] if known else "error" if item.get("error") else "normal",
            "app_id": archived.app_id,
            "run_id": item.get("workflow_run_id"),
            "end_user_id": item.get("from_end_user_id"),
            "account_id": item.get("from_account_id"),
            "latency": item.get("provider_response_latency"),
        },
    )


def _usage(item: Mapping[str, object]) -> Mapping[str, object]:
    metadata = item.get("metadata")
    usage = metadata.get("usage") if isinstance(metadata, Mapping) else None
    return usage if isinstance(usage, Mapping) else {}


def _files(item: JsonObject, message: Message) -> list[MessageFile]:
    made = [
        _row(
            MessageFile,
            {
                "transfer_method": "remote_url",
                "belongs_to": "user",
                "type": "custom",
                "created_at": message.created_at,
                "name": file.get("filename"),
                **file,
                "message_id": message.id,
            },
        )
        for file in objects(item.get("message_files"))
    ]
    return sorted(made, key=lambda file: (file.created_at, file.id))


def _feedback(item: JsonObject, message: Message) -> list[Feedback]:
    """The rows of what people thought of the answer, as far as the log has them whole."""
    return [
        _row(
            Feedback,
            {
                **one,
                "app_id": message.app_id,
                "conversation_id": message.conversation_id,
                "message_id": message.id,
                "end_user_id": one.get("from_end_user_id"),
                "account_id": one.get("from_account_id"),
            },
        )
        for one in objects(item.get("feedbacks"))
        if one.get("id") and one.get("from_source")
    ]


def _annotation(item: JsonObject, message: Message) -> Annotation | None:
    """The row of what the answer should have been."""
    told = item.get("annotation")
    if not isinstance(told, Mapping) or not told.get("id"):
        return None
    fields = {
        "question": message.query,
        "answer": told.get("content"),
        "updated_at": told.get("created_at"),
        **told,
        "app_id": message.app_id,
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "embedding": None,
    }
    return _row(Annotation, fields)


def _run(record: RunRecord, message: Message | None) -> Run:
    fields = record.fields
    status = fields["status"]
    if status not in _RUN_STATUSES:
        status = "failed" if fields.get("error") else "succeeded"
    priced: JsonObject = {}
    if message is not None:
        priced = {"total_price": message.total_price, "currency": message.currency}
    return _row(
        Run,
        {
            "workflow_id": "",
            "version": "",
            "mode": "advanced-chat" if record.conversation_id is not None else "workflow",
            "log_id": "",
            "triggered_from": "app-run",
            "created_from": "service-api",
            "created_by_role": "end_user",
            "message_id": None if message is None else message.id,
            **priced,
            **fields,
            "id": record.id,
            "status": status,
        },
    )


def _executions(record: RunRecord, run: Run) -> list[NodeExecution]:
    made = []
    for place, item in enumerate(objects(record.fields["node_executions"]), start=1):
        around = item.get("execution_metadata")
        inside = dict(around) if isinstance(around, Mapping) else {}
        nested = {
            name: inside.get(name) for name in ("iteration_id", "iteration_index", "loop_id", "loop_index")
        }
        status = item.get("status") if item.get("status") in _NODE_STATUSES else "succeeded"
        made.append(
            _row(
                NodeExecution,
                {
                    "id": f"{run.id}-{place}",
                    "index": place,
                    "node_id": "",
                    "node_type": "",
                    "title": "",
                    "created_at": run.created_at,
                    **nested,
                    **item,
                    "status": status,
                    "run_id": run.id,
                    "app_id": run.app_id,
                },
            )
        )
    return made  # as they stand, which is their order


def _forms(record: RunRecord, run: Run) -> list[Form]:
    """What the run asked people, as this server's logs tell it."""
    return [
        _row(
            Form,
            {
                "content": "",
                "inputs": [],
                "actions": [],
                **item,
                "status": item.get("status") if item.get("status") in _FORM_STATUSES else "expired",
                "run_id": run.id,
                "app_id": run.app_id,
                "token": None,
            },
        )
        for item in objects(record.fields.get("forms"))
    ]


def _app(fields: Mapping[str, object], app_id: str, created_at: datetime, mode: str) -> App:
    told = fields.get("app")
    return _row(
        App,
        {
            "workspace_id": "",
            "name": fields.get("app_name") or "",
            "mode": mode,
            "created_at": created_at,
            "updated_at": created_at,
            **(told if isinstance(told, Mapping) else {}),
            "id": app_id,
        },
    )


def _end_user(fields: Mapping[str, object], app_id: str, created_at: datetime) -> EndUser | None:
    told = fields.get("end_user") or fields.get("created_by_end_user")
    known: JsonObject = dict(told) if isinstance(told, Mapping) else {}
    id = known.get("id") or fields.get("from_end_user_id")
    if not id:
        return None
    return _row(
        EndUser,
        {
            "session_id": fields.get("from_end_user_session_id") or id,
            "created_at": created_at,
            "updated_at": created_at,
            **known,
            "id": id,
            "workspace_id": "",
            "app_id": app_id,
        },
    )


def _workflow(fields: Mapping[str, object], run: Run) -> Workflow | None:
    """The version of a run: as the archived session tells it, or as another server's run does."""
    told = fields.get("workflow")
    version: JsonObject = dict(told) if isinstance(told, Mapping) else {"graph": fields.get("graph")}
    if not isinstance(version.get("graph"), Mapping):
        return None
    return _row(
        Workflow,
        {
            "id": run.workflow_id,
            "version": run.version,
            "dsl": "",
            "content_hash": "",
            "created_at": run.created_at,
            "updated_at": run.created_at,
            **version,
            "app_id": run.app_id,
        },
    )


def _row(kind: type[R], values: Mapping[str, object]) -> R:
    """A record of what is known; fields without a value, or with one of a wrong kind, have their default."""
    fields: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        hint = _hints(kind)[field.name]
        value = _value(values.get(field.name), hint)
        if value is not None:
            fields[field.name] = value
        elif field.required:
            fields[field.name] = _EMPTY.get(hint, "")
    return kind(**fields)


def _value(value: object, hint: str) -> object:
    if value is None:
        return None
    match hint:
        case "instant":
            return _instant(value)
        case "price":
            return _price(value)
        case "object":
            return value if isinstance(value, Mapping) else None
        case "number":
            return value if isinstance(value, int | float) else None
        case "text":
            return value if isinstance(value, str) else str(value)
        case _:
            return value


_EMPTY: dict[str, object] = {"instant": _EPOCH, "object": {}, "number": 0}
_KINDS: dict[type[Record], dict[str, str]] = {}


def _hints(kind: type[Record]) -> dict[str, str]:
    """What each field of a record is, in one word."""
    found = _KINDS.get(kind)
    if found is None:
        found = _KINDS[kind] = {name: _word(str(hint)) for name, hint in get_type_hints(kind).items()}
    return found


def _word(hint: str) -> str:
    words: Iterable[tuple[str, str]] = (
        ("Sequence", "any"),
        ("datetime", "instant"),
        ("Decimal", "price"),
        ("Mapping", "object"),
        ("object", "any"),
        ("bool", "any"),
        ("int", "number"),
        ("float", "number"),
        ("Literal", "any"),
    )
    return next((word for part, word in words if part in hint), "text")


def _instant(value: object) -> datetime:
    """An instant out of ISO text, unix seconds or a datetime; the epoch where it is none."""
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float):
            found = datetime.fromtimestamp(value, UTC)
        else:
            found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return _EPOCH
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _price(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
