"""A turn of a stored conversation as a run of a session."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from weft.sessions.executor_run import TeamRunOutput
from weft.sessions.message import Message
from weft.sessions.plain import JsonObject, objects, plain, plain_object
from weft.sessions.status import RunStatus
from weft.sessions.turn import SessionHead, Turn
from weft.sessions.view_executor import executor_runs
from weft.sessions.view_step import model_nodes, step_metrics, step_tree
from weft.sessions.workflow_run import WorkflowRunOutput

if TYPE_CHECKING:
    from weft.store import MessageFile

_STATUS = {
    "scheduled": RunStatus.pending,
    "running": RunStatus.running,
    "succeeded": RunStatus.completed,
    "partial-succeeded": RunStatus.completed,
    "failed": RunStatus.error,
    "stopped": RunStatus.cancelled,
    "paused": RunStatus.paused,
}
_MESSAGE_STATUS = {"normal": RunStatus.completed, "error": RunStatus.error, "paused": RunStatus.paused}
_MEDIA = {"image": "images", "audio": "audio", "video": "videos"}


def session_id_of(head: SessionHead) -> str:
    """The id of the session."""
    return head.conversation.id if head.conversation is not None else head.session_id or ""


def user_of(head: SessionHead, first: Turn | None = None) -> str | None:
    """Who talks: the text that callers send for an end user, or the id of an account."""
    if head.end_user is not None:
        return head.end_user.session_id
    if head.conversation is not None:
        return head.conversation.account_id
    return first.run.account_id if first is not None and first.run is not None else None


def run_of(head: SessionHead, turn: Turn, *, replaced: bool = False) -> WorkflowRunOutput:
    """A turn as a run.

    Args:
        head: The conversation.
        turn: The message and its run.
        replaced: A newer turn answers the same parent message.
    """
    message, run = turn.message, turn.run
    status = RunStatus.regenerated if replaced else _status(turn)
    session_id, user_id = session_id_of(head), user_of(head, turn)
    run_id = turn.ids[0] if turn.ids else None
    made = WorkflowRunOutput(
        input=_input(turn),
        content=_content(turn),
        workflow_id=run.workflow_id if run is not None else head.app.workflow_id,
        workflow_name=head.app.name,
        run_id=run_id,
        session_id=session_id,
        user_id=user_id,
        step_results=[*step_tree(turn.executions)],
        events=None if turn.events is None else [*turn.events],
        metrics={"steps": step_metrics(turn.executions), "duration": duration_of(turn)},
        metadata=_run_metadata(turn),
        created_at=_created(turn),
        status=status,
    )
    for kind, found in media_of(turn.files).items():
        setattr(made, kind, found)
    members = [
        *executor_runs(model_nodes(turn.executions), made, _forgetful(head) if turn.executions else ())
    ]
    team = TeamRunOutput(
        run_id=message.id if message is not None else f"{run_id}-team",
        team_id=head.app.id,
        team_name=head.app.name,
        session_id=session_id,
        parent_run_id=run_id,
        user_id=user_id,
        content=made.content,
        messages=_transcript(turn, made),
        member_responses=[*members],
        created_at=made.created_at,
        status=status,
    )
    made.step_executor_runs = [team, *members]
    return made


def _status(turn: Turn) -> RunStatus:
    if turn.run is not None:
        return _STATUS[turn.run.status]
    return RunStatus.pending if turn.message is None else _MESSAGE_STATUS[turn.message.status]


def _input(turn: Turn) -> object:
    if turn.message is not None and turn.message.query:
        return turn.message.query
    if turn.run is not None:
        return {name: plain(value) for name, value in turn.run.inputs.items() if not name.startswith("sys.")}
    return None if turn.message is None else plain_object(turn.message.inputs)


def _content(turn: Turn) -> object:
    if turn.message is not None and turn.message.answer:
        return turn.message.answer
    if _status(turn) is RunStatus.error or turn.run is None or not turn.run.outputs:
        return None
    return plain_object(turn.run.outputs)


def duration_of(turn: Turn) -> float:
    """How long a turn took, in seconds."""
    if turn.run is not None:
        return turn.run.elapsed_time
    return 0.0 if turn.message is None else turn.message.latency


def _created(turn: Turn) -> int:
    row = turn.message or turn.run
    return 0 if row is None else seconds(row.created_at)


def _run_metadata(turn: Turn) -> JsonObject:
    message, run = turn.message, turn.run
    found: JsonObject = {}
    if message is not None:
        found |= {
            "message_id": message.id,
            "parent_message_id": turn.parent,
            "inputs": plain_object(message.inputs),
        }
        found |= plain_object(message.metadata or {})
    error = run.error if run is not None else None if message is None else message.error
    if error:
        found["error"] = error
    if run is not None:
        found |= {
            "run_status": run.status,
            "version": run.version,
            "task_id": run.task_id,
            "log_id": run.log_id,
        }
        if run.exceptions_count:
            found["exceptions_count"] = run.exceptions_count
    return {**found, **plain_object(turn.annotations)}


def _transcript(turn: Turn, made: WorkflowRunOutput) -> list[Message]:
    """What the person and the app said."""
    said = (("user", made.input), ("assistant", made.content))
    owner = turn.message.id if turn.message is not None else str(made.run_id)
    return [
        Message(
            id=f"{owner}-{role}",
            role=role,
            content=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            created_at=made.created_at,
            metrics=_tokens(turn) if role == "assistant" else None,
        )
        for role, value in said
        if value
    ]


def _tokens(turn: Turn) -> JsonObject | None:
    message = turn.message
    if message is None or not message.message_tokens + message.answer_tokens:
        return None
    return {
        "input_tokens": message.message_tokens,
        "output_tokens": message.answer_tokens,
        "total_tokens": message.message_tokens + message.answer_tokens,
        "cost": float(message.total_price),
        "duration": message.latency,
    }


def _forgetful(head: SessionHead) -> set[str]:
    """Ids of nodes that tell their models nothing of earlier turns, as far as the graph is known."""
    found = set()
    for node in objects(None if head.workflow is None else head.workflow.graph.get("nodes")):
        data = node.get("data")
        if isinstance(data, Mapping) and data.get("memory") is None:
            found.add(str(node.get("id")))
    return found


def media_of(files: Iterable[MessageFile]) -> dict[str, list[JsonObject]]:
    """References to files by the field of a run that they belong in."""
    found: dict[str, list[JsonObject]] = {}
    for file in files:
        reference: JsonObject = {
            "id": file.id,
            "url": file.url,
            "upload_file_id": file.upload_file_id,
            "filename": file.name,
            "mime_type": file.mime_type,
            "size": file.size,
            "belongs_to": file.belongs_to,
        }
        held = {name: value for name, value in reference.items() if value is not None}
        found.setdefault(_MEDIA.get(file.type, "files"), []).append(held)
    return found


def seconds(instant: datetime) -> int:
    """Whole unix seconds, rounded down."""
    return int(instant.timestamp() // 1)
