"""What happened in a conversation, in a file of its own: enough to let it happen again.

A recording holds the app as it was, and of each turn the question, the answer and what every node did. It is
made of the server's own records, so any run that was ever kept can become one. Secrets are not in it: the
records do not have them, and secret environment variables are emptied.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from weft.errors import ConfigError, NotFoundError
from weft.runs import WORKSPACE_ID
from weft.store import (
    Connection,
    Message,
    NodeExecution,
    Run,
    Store,
    apps,
    end_users,
    messages,
    node_executions,
    runs,
    workflows,
)

FORMAT = 1
"""Version of the form of recordings."""

FILE_TAG = "dify_model_identity"
"""A key that only files have."""
_SYSTEM = "sys."


class RecordedExecution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one node did once."""

    node_id: str
    node_type: str
    title: str = ""
    status: str
    inputs: dict[str, Any] = {}
    process_data: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    error: str | None = None
    iteration_id: str | None = None
    iteration_index: int | None = None
    loop_id: str | None = None
    loop_index: int | None = None


class RecordedTurn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run."""

    run_id: str
    query: str | None = None
    inputs: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    status: str
    answer: str = ""
    outputs: dict[str, Any] = {}
    error: str | None = None
    executions: list[RecordedExecution] = []
    volatile: dict[str, str] = {}
    """Ids that are others in every run, with what each one is."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation from its first turn to the recorded one, or one run of a workflow."""

    format: int
    recorded_at: datetime
    name: str
    mode: str
    user: str
    app: str
    """The app's file, with secret environment variables emptied."""
    turns: list[RecordedTurn]


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; give the path of a recording"
        ) from error
    try:
        recording = msgspec.json.decode(content, type=Recording)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: is no recording: {error}; make one with `weft record`") from error
    if recording.format != FORMAT:
        raise ConfigError(
            f"{path}: is a recording of format {recording.format}, this program reads format {FORMAT}; "
            "record the conversation again"
        )
    return recording


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording, so that a person can read it too.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=2) + b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


async def record_run(store: Store, run_id: str, now: datetime) -> Recording:
    """Make a recording of a run that has been kept, with the turns of its conversation before it.

    Raises:
        NotFoundError: There is no such run.
        ConfigError: It has not ended yet.
    """
    return await store.read(lambda connection: _recording(connection, run_id, now))


def _recording(connection: Connection, run_id: str, now: datetime) -> Recording:
    everything = apps.list_all(connection, WORKSPACE_ID)
    run = next((found for app in everything if (found := runs.find(connection, app.id, run_id))), None)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}", kind="run", id=run_id)
    if run.finished_at is None:
        raise ConfigError(f"run {run_id} has not ended ({run.status}); record it when it has")
    app = apps.find(connection, run.app_id)
    workflow = workflows.find(connection, run.app_id, run.workflow_id)
    if app is None or workflow is None:
        raise NotFoundError(f"the app of run {run_id} has been deleted", kind="app", id=run.app_id)
    end_user = None if run.end_user_id is None else end_users.find(connection, run.app_id, run.end_user_id)
    turns = [_turn(connection, *pair) for pair in _pairs(connection, run)]
    return Recording(
        format=FORMAT,
        recorded_at=now,
        name=app.name,
        mode=app.mode,
        user="tester" if end_user is None else end_user.session_id,
        app=without_secrets(workflow.dsl),
        turns=turns,
    )


def _pairs(connection: Connection, run: Run) -> list[tuple[Run, Message | None]]:
    """The runs of the conversation up to the given one, with their messages."""
    if run.conversation_id is None:
        return [(run, None)]
    pairs: list[tuple[Run, Message | None]] = []
    first_id = None
    while True:  # pages lead back in time, each with its oldest message first
        page = messages.list_page(connection, run.app_id, run.conversation_id, first_id=first_id, limit=100)
        found = [
            (other, message)
            for message in page.items
            if message.run_id is not None
            and (other := runs.find(connection, run.app_id, message.run_id)) is not None
        ]
        pairs = [*found, *pairs]
        if not page.has_more:
            break
        first_id = page.items[0].id
    last = [place for place, (other, _) in enumerate(pairs) if other.id == run.id]
    return pairs[: last[0] + 1] if last else pairs


def _turn(connection: Connection, run: Run, message: Message | None) -> RecordedTurn:
    ids = {
        run.id: "run",
        run.app_id: "app",
        run.workflow_id: "workflow",
        run.conversation_id: "conversation",
        run.message_id: "message",
    }
    given = run.inputs.get(f"{_SYSTEM}files")
    return RecordedTurn(
        run_id=run.id,
        query=None if message is None else message.query,
        inputs={name: _asked(value) for name, value in run.inputs.items() if not name.startswith(_SYSTEM)},
        files=[_asked(file) for file in given if isinstance(file, dict)] if isinstance(given, list) else [],
        status=run.status,
        answer="" if message is None else message.answer,
        outputs=dict(run.outputs or {}),
        error=run.error,
        executions=recorded(node_executions.list_by_run(connection, run.app_id, run.id)),
        volatile={id: f"<{name} id>" for id, name in ids.items() if id is not None},
    )


def _asked(value: Any) -> Any:
    """An input as it is asked with: a file as its kind and address."""
    if isinstance(value, list):
        return [_asked(inner) for inner in value]
    if isinstance(value, dict) and FILE_TAG in value:
        address = value.get("remote_url") or value.get("url")
        return {"type": value.get("type"), "transfer_method": "remote_url", "url": address}
    return value


def recorded(executions: Sequence[NodeExecution]) -> list[RecordedExecution]:
    """Node executions as a recording keeps them, in their order."""
    return [
        RecordedExecution(
            node_id=execution.node_id,
            node_type=execution.node_type,
            title=execution.title,
            status=execution.status,
            inputs=dict(execution.inputs or {}),
            process_data=dict(execution.process_data or {}),
            outputs=dict(execution.outputs or {}),
            error=execution.error,
            iteration_id=execution.iteration_id,
            iteration_index=execution.iteration_index,
            loop_id=execution.loop_id,
            loop_index=execution.loop_index,
        )
        for execution in executions
    ]


def without_secrets(dsl: str) -> str:
    """The text of an app file with the values of secret environment variables emptied."""
    content = yaml.load(dsl, yaml.CSafeLoader)
    workflow = content.get("workflow") if isinstance(content, dict) else None
    variables = workflow.get("environment_variables") if isinstance(workflow, dict) else None
    secret = [
        variable
        for variable in variables or ()
        if isinstance(variable, dict) and variable.get("value_type") == "secret" and variable.get("value")
    ]
    if not secret:
        return dsl
    for variable in secret:
        variable["value"] = ""
    return yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
