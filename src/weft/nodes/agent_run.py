"""What both ways of an agent have in common: asking its model, using its tools, saying its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.nodes.agent_config import AgentConfig, AgentTask
from weft.nodes.agent_log import AgentLog, LogLine
from weft.nodes.agent_tool import AgentTool, Observation, find_by_name
from weft.nodes.context import Context, usage_metadata
from weft.nodes.memory import history_messages, recall
from weft.nodes.model_call import ModelReply, ReplySink, call_model
from weft.nodes.model_config import ResolvedModel
from weft.nodes.tool_call import caller_of
from weft.providers import ChatRequest, Message, Tool, Usage
from weft.variables import File, Value

_MAX_LABEL = 100


class AgentRun:
    """One execution of an agent."""

    def __init__(
        self,
        context: Context,
        config: AgentConfig,
        task: AgentTask,
        model: ResolvedModel,
        tools: Sequence[AgentTool],
    ) -> None:
        self.task = task
        self.tools = list(tools)
        self.log = AgentLog(context)
        self.usage = Usage.zero()
        """Of all calls of the model."""
        self.text: list[str] = []
        """What was said, to be joined."""
        self.files: list[File] = []
        self._context = context
        self._memory = config.memory
        self._model = model
        self._parameters, self._stop = task.model.parameters(context.pool)
        self._caller = caller_of(context)

    @property
    def model_name(self) -> str:
        """For the log."""
        return self.task.model.name or self._model.name

    def say(self, text: str) -> None:
        """Say the next piece of the text."""
        if text:
            self.text.append(text)
            self._context.stream("text", text)

    async def prompt(self, system: str) -> list[Message]:
        """The instruction, the conversation so far, and the query."""
        messages = [Message("system", system)] if system.strip() else []
        query = Message("user", self.task.query)
        turns = await recall(self._context, self._memory, self._model, self._parameters, [*messages, query])
        return [*messages, *history_messages(turns), query]

    async def ask(
        self,
        messages: Sequence[Message],
        sink: ReplySink,
        *,
        tools: Sequence[Tool] = (),
        tool_choice: str | None = None,
        stop: Sequence[str] = (),
    ) -> ModelReply:
        """Ask the model; what it uses is added up, also if it fails.

        Raises:
            ProviderError: The service failed.
        """
        context = self._context
        request = ChatRequest(
            self._model.name,
            list(messages),
            parameters=self._parameters,
            stop=[*self._stop, *stop],
            tools=list(tools),
            tool_choice=tool_choice,
            user=context.run.user,
            node_id=context.node_id,
        )
        before, context.usage = self.usage, None
        try:
            return await call_model(context, self.task.model, self._model, request, sink)
        finally:
            # The call has noted its own usage; what counts for the node is that of all calls.
            self.usage = before + (_noted(context) or Usage.zero())
            context.usage = self.usage
            context.metadata.update(usage_metadata(self.usage))

    async def use(self, name: str, arguments: Mapping[str, Value] | None, parent: LogLine) -> str:
        """Use a tool and tell what came of it.

        Args:
            name: As the model says it.
            arguments: As the model gives them; ``None`` if they could not be read.
            parent: The line that the log of it goes under.
        """
        tool = find_by_name(self.tools, name)
        line = self.log.start(f"CALL {name[:_MAX_LABEL]}", parent, "" if tool is None else tool.provider)
        if tool is None:
            known = ", ".join(tool.name for tool in self.tools) or "none"
            seen = _failed(f"There is no tool {name!r}. Tools: {known}")
        elif arguments is None:
            seen = _failed("The parameters could not be read; give them as one JSON object.")
        else:
            seen = await tool.use(arguments, self._context, self._caller, line.id)
        self.files += seen.files
        data: dict[str, Value] = {
            "output": {
                "tool_call_name": name,
                "tool_call_input": seen.arguments,
                "tool_response": seen.text,
            }
        }
        self.log.finish(line, data, error=seen.error)
        return seen.text


def _noted(context: Context) -> Usage | None:
    return context.usage


def _failed(text: str) -> Observation:
    return Observation(text, {}, [], text)
