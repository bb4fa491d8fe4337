"""A turn of a stored conversation as a run of a session."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from weft.sessions.executor_run import RunOutput, TeamRunOutput
from weft.sessions.message import Message
from weft.sessions.plain import JsonObject, objects, plain, plain_object, shared
from weft.sessions.status import RunStatus
from weft.sessions.turn import SessionHead, Turn
from weft.sessions.view_executor import executor_runs
from weft.sessions.view_form import show_forms
from weft.sessions.view_step import model_nodes, step_metrics, step_tree
from weft.sessions.workflow_run import WorkflowRunOutput
from weft.store import MessageFile, given_of, link_of, made_of, status_of

_STATUS = {
    "scheduled": RunStatus.pending,
    "running": RunStatus.running,
    "succeeded": RunStatus.completed,
    "partial-succeeded": RunStatus.completed,
    "failed": RunStatus.error,
    "stopped": RunStatus.cancelled,
    "paused": RunStatus.paused,
}
_SAID: JsonObject = {"stop_after_tool_call": False, "from_history": False}
"""What the plain form of a message says in any case."""
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
        replaced: The conversation has gone on without its answer.
    """
    fields = _run_fields(head, turn, replaced=replaced)
    said = [Message.built(message) for message in _transcript(turn, fields)]
    made = WorkflowRunOutput.built(fields)
    made.step_results = [*step_tree(turn.executions)]
    members = _members(head, turn, fields)
    team = {**_team_fields(head, turn, fields), "messages": said, "member_responses": [*members]}
    made.step_executor_runs = [TeamRunOutput.built(team), *members]
    show_forms(made, turn.forms)
    return made


def plain_run_of(head: SessionHead, turn: Turn, *, replaced: bool, steps: bool, messages: bool) -> JsonObject:
    """The plain form of `run_of`, without what nobody wants of it, for those who write it and forget it.

    Most turns become text without ever having been objects, which halves the time.
    """
    if turn.forms or turn.executions or turn.run is None or turn.run.status == "paused":
        run = run_of(head, turn, replaced=replaced)
        prune(run, steps=steps, messages=messages)
        return run.dumped(shared)
    fields = _run_fields(head, turn, replaced=replaced)
    found = {name: value for name, value in fields.items() if value is not None}
    found["content_type"] = "str"
    if messages:
        said = [{**_SAID, **message} for message in _transcript(turn, fields)]
        team = {name: value for name, value in _team_fields(head, turn, fields).items() if value is not None}
        found["step_executor_runs"] = [
            {**team, "content_type": "str", "messages": said, "member_responses": []}
        ]
    return found


def _run_fields(head: SessionHead, turn: Turn, *, replaced: bool) -> JsonObject:
    """What a run says of itself, without its steps and agents."""
    run = turn.run
    fields: JsonObject = {
        "input": _input(turn),
        "content": _content(turn),
        "workflow_id": run.workflow_id if run is not None else head.app.workflow_id,
        "workflow_name": head.app.name,
        "run_id": turn.id,
        "session_id": session_id_of(head),
        "user_id": user_of(head, turn),
        "events": None if turn.events is None else [*turn.events],
        "metrics": {"steps": step_metrics(turn.executions), "duration": duration_of(turn)},
        "metadata": _run_metadata(turn),
        "created_at": _created(turn),
        "status": RunStatus.regenerated if replaced else _status(turn),
    }
    if turn.files:
        fields.update(media_of(turn.files))
    return fields


def _team_fields(head: SessionHead, turn: Turn, run: JsonObject) -> JsonObject:
    """The team that all agents of the app are."""
    return {
        "run_id": turn.message.id if turn.message is not None else f"{run['run_id']}-team",
        "team_id": head.app.id,
        "team_name": head.app.name,
        "session_id": run["session_id"],
        "parent_run_id": run["run_id"],
        "user_id": run["user_id"],
        "content": run["content"],
        "created_at": run["created_at"],
        "status": run["status"],
    }


def _members(head: SessionHead, turn: Turn, run: JsonObject) -> list[RunOutput]:
    if not turn.executions:
        return []
    return [*executor_runs(model_nodes(turn.executions), run, _forgetful(head))]


def _status(turn: Turn) -> RunStatus:
    message, run = turn.message, turn.run
    found = status_of(None if run is None else run.status, None if message is None else message.status)
    return _STATUS[found]


def _input(turn: Turn) -> object:
    message, run = turn.message, turn.run
    row = run or message
    if row is None:
        return None
    return plain(given_of("" if message is None else message.query, row.inputs))


def _content(turn: Turn) -> object:
    message, run = turn.message, turn.run
    answer = "" if message is None else message.answer
    if run is None:
        return answer or None
    return plain(made_of(answer, run.outputs, run.status))


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
        found = {
            "message_id": message.id,
            "parent_message_id": _parent(turn),
            "inputs": plain_object(message.inputs),
            **plain_object(message.metadata or {}),
        }
    error = run.error if run is not None else None if message is None else message.error
    if error:
        found["error"] = error
    if run is not None:
        found["run_status"], found["version"] = run.status, run.version
        found["task_id"], found["log_id"] = run.task_id, run.log_id
        if run.exceptions_count:
            found["exceptions_count"] = run.exceptions_count
    if turn.opinions:
        found.update(plain_object(turn.opinions))
    return found


def _parent(turn: Turn) -> str | None:
    """What its caller said that it answers to."""
    if turn.link is not None:
        return turn.link.parent
    message = turn.message
    return None if message is None else link_of(message.id, message.parent_message_id, None).parent


def _transcript(turn: Turn, run: JsonObject) -> list[JsonObject]:
    """What the person and the app said, as fields of messages."""
    owner = turn.message.id if turn.message is not None else str(run["run_id"])
    found: list[JsonObject] = []
    for role, value in (("user", run["input"]), ("assistant", run["content"])):
        if value:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            message: JsonObject = {"id": f"{owner}-{role}", "role": role, "content": text}
            message["created_at"] = run["created_at"]
            tokens = _tokens(turn) if role == "assistant" else None
            if tokens is not None:
                message["metrics"] = tokens
            found.append(message)
    return found


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


def prune(run: WorkflowRunOutput, *, steps: bool, messages: bool) -> None:
    """Leave out what nobody wants of a run: what its steps did, or the runs of agents and teams."""
    if not steps:
        run.step_results = []
        if isinstance(run.metrics, dict):
            run.metrics = {**run.metrics, "steps": {}}
    if not messages:
        run.step_executor_runs = None


def seconds(instant: datetime) -> int:
    """Whole unix seconds, rounded down."""
    return int(instant.timestamp() // 1)
