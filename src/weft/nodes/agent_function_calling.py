"""An agent whose model calls functions."""

from __future__ import annotations

import msgspec

from weft.nodes.agent_run import AgentRun
from weft.nodes.json_reply import find_json_object
from weft.nodes.model_call import ModelReply, ReplySink
from weft.providers import Message, ToolCall
from weft.variables import Value

_MAX_CALLS = 32
"""In one reply."""


class _SpeakingSink(ReplySink):
    """Says the text as it comes; what the model thinks goes into the log only."""

    __slots__ = ("_run",)

    def __init__(self, run: AgentRun) -> None:
        super().__init__()
        self._run = run

    def text(self, piece: str) -> None:
        """The text goes on."""
        super().text(piece)
        self._run.say(piece)


async def call_functions(run: AgentRun) -> None:
    """Let the model use tools as often as it may, then answer.

    Everything that it says is streamed, also what it says before it uses a tool. When it has used tools in as
    many rounds as it may, it is asked once more and may use none.

    Raises:
        ProviderError: The service failed.
    """
    messages = await run.prompt(run.task.instruction)
    described = [tool.described() for tool in run.tools]
    for number in range(1, run.task.max_iterations + 2):
        last = number > run.task.max_iterations
        round_line = run.log.start(f"ROUND {number}")
        thought_line = run.log.start(f"{run.model_name} Thought", round_line, run.task.model.provider)
        reply = await run.ask(
            messages, _SpeakingSink(run), tools=described, tool_choice="none" if last and described else None
        )
        calls = [] if last else reply.tool_calls
        run.log.finish(thought_line, _thought(reply), reply.usage)
        messages.append(Message("assistant", reply.text, tool_calls=calls))
        responses: list[Value] = []
        for place, call in enumerate(calls):
            if place < _MAX_CALLS:
                seen = await run.use(call.name, _arguments(call), round_line)
            else:
                seen = f"Not done: at most {_MAX_CALLS} tools are used at once."
            messages.append(Message("tool", seen, tool_call_id=call.id))
            responses.append({"tool_call_id": call.id, "tool_call_name": call.name, "tool_response": seen})
        data: dict[str, Value] = {"output": {"llm_response": reply.text, "tool_responses": responses}}
        run.log.finish(round_line, data, reply.usage, _unfinished(run, reply) if last else None)
        if not calls:
            return
        if reply.text:
            run.say("\n")


def _arguments(call: ToolCall) -> dict[str, Value] | None:
    if not call.arguments.strip():
        return {}
    try:
        decoded = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        return find_json_object(call.arguments)
    return decoded if isinstance(decoded, dict) else None


def _thought(reply: ModelReply) -> dict[str, Value]:
    calls: list[Value] = [
        {"name": call.name, "args": _arguments(call) or call.arguments} for call in reply.tool_calls
    ]
    thought: dict[str, Value] = {
        "output": reply.text,
        "tool_name": ";".join(call.name for call in reply.tool_calls),
        "tool_input": calls,
    }
    return {**thought, "reasoning": reply.reasoning} if reply.reasoning else thought


def _unfinished(run: AgentRun, reply: ModelReply) -> str | None:
    if not reply.tool_calls:
        return None
    return (
        f"the model wants to use more tools after {run.task.max_iterations} rounds; "
        "raise maximum_iterations if this is intended"
    )
