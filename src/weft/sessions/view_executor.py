"""Executions of nodes that ask a model, as runs of agents with the messages that went to and fro."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping

from weft.sessions.executor_run import RunOutput
from weft.sessions.message import Message
from weft.sessions.plain import JsonObject, objects
from weft.sessions.view_step import node_metrics, node_status
from weft.store import NodeExecution


def executor_runs(
    executions: Iterable[NodeExecution], run: Mapping[str, object], forgetful: Collection[str] = ()
) -> Iterator[RunOutput]:
    """Executions of model-calling nodes as runs of agents, each known by its node's id.

    Args:
        executions: Of such nodes only.
        run: Fields of the run that they are part of.
        forgetful: Ids of nodes that are known to tell their models nothing of earlier turns.
    """
    around = {name: run[name] for name in ("session_id", "workflow_id", "user_id")}
    around["parent_run_id"] = run["run_id"]
    for execution in executions:
        noted = execution.process_data or {}
        messages = _messages(execution, remembers=execution.node_id not in forgetful)
        asked = [message for message in messages if message.role == "user"]
        yield RunOutput.built(
            {
                **around,
                "run_id": execution.id,
                "agent_id": execution.node_id,
                "agent_name": execution.title,
                "workflow_step_id": execution.node_id,
                "input": {"input_content": asked[-1].content} if asked else None,
                "content": _answer(execution) or None,
                "messages": messages or None,
                "model": _text(noted.get("model_name")) or None,
                "model_provider": _text(noted.get("model_provider")) or None,
                "metrics": node_metrics(execution),
                "reasoning_content": _text((execution.outputs or {}).get("reasoning_content")) or None,
                "metadata": {"error": execution.error} if execution.error else None,
                "created_at": int(execution.created_at.timestamp() // 1),
                "status": node_status(execution),
            }
        )


def _messages(execution: NodeExecution, *, remembers: bool) -> list[Message]:
    """The prompt, what an agent did meanwhile, and the answer.

    Their ids are the execution's with a number, so that the same rows always give the same messages.
    """
    created = int(execution.created_at.timestamp() // 1)
    made = [*_prompt(execution, remembers=remembers), *_rounds(execution)]
    answer, calls = _last_said(execution) or _answer(execution), _extraction_calls(execution)
    if answer or calls:
        made.append(
            Message(
                role="assistant",
                content=answer or None,
                tool_calls=calls or None,
                reasoning_content=_text((execution.outputs or {}).get("reasoning_content")) or None,
                metrics=node_metrics(execution),
            )
        )
    for number, message in enumerate(made):
        message.id, message.created_at = f"{execution.id}-{number}", created
    return made


def _prompt(execution: NodeExecution, *, remembers: bool) -> list[Message]:
    """The messages that were sent, those of earlier turns marked.

    Where the record does not say which these are, it is everything between the system messages at the
    beginning and the last message of the user.
    """
    prompts = objects((execution.process_data or {}).get("prompts"))
    last_user = max((place for place, item in enumerate(prompts) if item.get("role") == "user"), default=None)
    if execution.node_type == "agent" and last_user is not None:
        prompts = prompts[: last_user + 1]  # what follows are its own rounds; the log knows more of them
    marked = any("from_history" in item for item in prompts)
    begin = next((place for place, item in enumerate(prompts) if item.get("role") != "system"), 0)
    found = []
    for place, item in enumerate(prompts):
        between = remembers and last_user is not None and begin <= place < last_user
        images = [
            {"url": file.get("url")} for file in objects(item.get("files")) if file.get("type") == "image"
        ]
        found.append(
            Message(
                role=_text(item.get("role")) or "user",
                content=_text(item.get("text")),
                images=[*images] or None,
                from_history=bool(item.get("from_history")) if marked else between,
            )
        )
    return found


def _rounds(execution: NodeExecution) -> Iterator[Message]:
    """What an agent asked of its tools and what they said, round by round, as its log has it."""
    entries = objects((execution.execution_metadata or {}).get("agent_log"))
    for entry in entries:
        if entry.get("parent_id") is not None:
            continue
        calls = [
            _Call(child)
            for child in entries
            if child.get("parent_id") == entry.get("id") and _Call(child).name
        ]
        if not calls:
            continue
        said = _text(_output(entry).get("llm_response"))
        yield Message(role="assistant", content=said or None, tool_calls=[call.as_call() for call in calls])
        for call in calls:
            yield Message(
                role="tool",
                content=call.response,
                tool_call_id=call.id,
                tool_name=call.name,
                tool_args=call.arguments,
                tool_call_error=call.failed,
            )


def _last_said(execution: NodeExecution) -> str:
    """What an agent said in its last round; its output has what it said in the others too."""
    entries = objects((execution.execution_metadata or {}).get("agent_log"))
    rounds = [entry for entry in entries if entry.get("parent_id") is None]
    return _text(_output(rounds[-1]).get("llm_response")) if rounds else ""


class _Call:
    """The use of a tool, as a line of an agent's log."""

    def __init__(self, entry: Mapping[str, object]) -> None:
        output = _output(entry)
        self.id = _text(entry.get("id"))
        self.name = _text(output.get("tool_call_name"))
        self.arguments = output.get("tool_call_input")
        self.response = _text(output.get("tool_response"))
        self.failed = True if entry.get("error") else None

    def as_call(self) -> JsonObject:
        """As the model asked for it."""
        arguments = json.dumps(self.arguments or {}, ensure_ascii=False)
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": arguments}}


def _output(entry: Mapping[str, object]) -> Mapping[str, object]:
    data = entry.get("data")
    output = data.get("output") if isinstance(data, Mapping) else None
    return output if isinstance(output, Mapping) else {}


def _answer(execution: NodeExecution) -> str:
    """What the node made of the model's reply, as text."""
    outputs = execution.outputs or {}
    match execution.node_type:
        case "question-classifier":
            return _text(outputs.get("class_name"))
        case "parameter-extractor":
            found = {name: value for name, value in outputs.items() if not name.startswith("__")}
            return json.dumps(found, ensure_ascii=False) if found else ""
        case _:
            return _text(outputs.get("text"))


def _extraction_calls(execution: NodeExecution) -> list[JsonObject]:
    """How a parameter-extractor's model handed in its values, where it called a function."""
    calls = objects((execution.process_data or {}).get("tool_call"))
    return [
        {
            "id": f"{execution.id}-call-{number}",
            "type": "function",
            "function": {"name": _text(call.get("name")), "arguments": _text(call.get("arguments"))},
        }
        for number, call in enumerate(calls)
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
