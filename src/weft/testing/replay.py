"""Letting a recorded conversation happen again, with what came from outside then.

Models say what they said, tools and requests give what they gave. Everything else runs: prompts are made,
branches are decided, code is executed, templates are rendered. So the same file gives the same run, and a
changed file shows what its change does.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from weft.errors import ConfigError, NodeFailedError
from weft.graph import NodeSpec
from weft.nodes import Context, Node, NodeResult, build_node
from weft.providers import TokenUsage
from weft.settings import Settings
from weft.testing.difference import Difference, differences
from weft.testing.flow import FlowRun, open_flow
from weft.testing.mock import MODEL_TYPES, Mock, Run, play, stand_in
from weft.testing.recording import RecordedExecution, RecordedTurn, Recording, recorded
from weft.variables import revive

OUTSIDE_TYPES = frozenset(
    {"agent", "document-extractor", "http-request", "human-input", "knowledge-retrieval", "tool"}
)
"""Node types whose work lies outside; they give what was recorded."""

_Key = tuple[str, str | None, int | None, str | None, int | None]


class ReplayedTurn(msgspec.Struct, frozen=True):
    """One turn, then and now."""

    before: RecordedTurn
    after: RecordedTurn
    differences: list[Difference]


async def replay_recording(
    recording: Recording, app: Path | None = None, *, settings: Settings | None = None
) -> list[ReplayedTurn]:
    """Run every turn of a recording again.

    Args:
        recording: What happened.
        app: The file to run; the recorded one unless given.
        settings: Limits and the like. What models, tools and services do is recorded.

    Raises:
        ConfigError: The file is of another mode, or takes other inputs than were given.
        GraphError: It cannot be run.
    """
    tape = _Tape()
    turns: list[ReplayedTurn] = []
    with tempfile.TemporaryDirectory(prefix="weft-replay-") as folder:
        if app is None:
            app = Path(folder) / "recorded.yml"
            app.write_text(recording.app, encoding="utf-8")
        async with open_flow(app, settings=settings, build=tape.build) as flow:
            if flow.is_chat != (recording.mode == "advanced-chat"):
                raise ConfigError(f"{app}: is not of the mode {recording.mode!r} that the recording has")
            conversation_id = None
            for turn in recording.turns:
                tape.load(turn)
                run = await flow.ask(
                    turn.query,
                    inputs=turn.inputs,
                    files=turn.files,
                    user=recording.user,
                    conversation_id=conversation_id,
                )
                conversation_id = run.conversation_id
                after = as_turn(run, turn)
                turns.append(ReplayedTurn(turn, after, differences(turn, after)))
    return turns


def as_turn(run: FlowRun, asked: RecordedTurn) -> RecordedTurn:
    """A run in the form of a recording."""
    return RecordedTurn(
        run_id=run.run_id,
        query=asked.query,
        inputs=asked.inputs,
        files=asked.files,
        status=run.status,
        answer=run.answer,
        # As the record has them: files as objects.
        outputs=msgspec.json.decode(msgspec.json.encode(run.outputs)),
        error=run.error,
        executions=recorded(run.executions),
        volatile=dict(run.volatile),
    )


class _Tape:
    """What came from outside in one turn, by where it came in."""

    def __init__(self) -> None:
        self._left: dict[_Key, deque[RecordedExecution]] = {}

    def load(self, turn: RecordedTurn) -> None:
        """Put in the executions of a turn."""
        self._left = {}
        # A retry precedes the end of its node, whatever the order of the records.
        for one in sorted(turn.executions, key=lambda execution: execution.status != "retry"):
            key = (one.node_id, one.iteration_id, one.iteration_index, one.loop_id, one.loop_index)
            self._left.setdefault(key, deque()).append(one)

    def build(self, spec: NodeSpec) -> Node[Any]:
        """Make a node; those whose work lies outside give what was recorded."""
        if spec.type in MODEL_TYPES | OUTSIDE_TYPES:
            retry = spec.data.get("retry_config")
            if isinstance(retry, Mapping):  # nobody has to wait for what is known
                data = {**spec.data, "retry_config": {**retry, "retry_interval": 0}}
                spec = replace(spec, data=data)
        node = build_node(spec)
        if spec.type in MODEL_TYPES:
            stand_in(node, self._model(node.run))
        elif spec.type in OUTSIDE_TYPES:
            stand_in(node, self._outside)
        return node

    def _model(self, original: Run) -> Run:
        async def run(context: Context) -> NodeResult:
            one = self._next(context)
            mock = (
                Mock(error=one.error, error_type=_error_type(one))
                if one.error is not None
                else Mock(text=_reply(one))
            )
            return await play(mock, context, original, _usage(one))

        return run

    async def _outside(self, context: Context) -> NodeResult:
        one = self._next(context)
        context.inputs, context.process_data = dict(one.inputs), dict(one.process_data)
        if one.error is not None:
            raise NodeFailedError(one.error, error_type=_error_type(one))
        outputs = {name: revive(value) for name, value in one.outputs.items()}
        handle = outputs.get("__action_id")
        return NodeResult(outputs, handle=handle if isinstance(handle, str) else None)

    def _next(self, context: Context) -> RecordedExecution:
        frame = context.frame
        key = (
            context.node_id,
            frame.iteration_id,
            frame.iteration_index,
            frame.loop_id,
            frame.loop_index,
        )
        left = self._left.get(key)
        if not left:
            raise NodeFailedError(
                f"nothing was recorded for node {context.title or context.node_id!r} here; "
                "record the conversation again with the changed app",
                error_type="NotRecordedError",
            )
        return left.popleft()


def _error_type(execution: RecordedExecution) -> str:
    told = execution.outputs.get("error_type")
    return told if isinstance(told, str) else "RecordedError"


def _usage(execution: RecordedExecution) -> TokenUsage | None:
    told = execution.outputs.get("usage")
    if not isinstance(told, dict):
        return None
    counts = (told.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    return TokenUsage(*(count if isinstance(count, int) else 0 for count in counts))


def _reply(execution: RecordedExecution) -> str:
    """What the model had said, so that the node makes the same of it again."""
    outputs = execution.outputs
    if execution.node_type == "llm":
        thought = outputs.get("reasoning_content")
        text = str(outputs.get("text", ""))
        return f"<think>{thought}</think>\n{text}" if isinstance(thought, str) and thought else text
    if execution.node_type == "question-classifier":
        chosen = {"category_id": outputs.get("class_id"), "category_name": outputs.get("class_name")}
        return msgspec.json.encode(chosen).decode()
    values = {name: value for name, value in outputs.items() if not name.startswith("__") and name != "usage"}
    return msgspec.json.encode(values).decode()
