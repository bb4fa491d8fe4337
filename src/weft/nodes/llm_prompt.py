"""The prompt of an llm node: template messages, then the conversation, then the query, then files.

Source: Dify app DSL, prompt assembly of the node type ``llm``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weft.errors import NodeFailedError
from weft.nodes.context import Context
from weft.nodes.knowledge import Knowledge
from weft.nodes.llm_config import LlmConfig
from weft.nodes.memory import MemoryConfig, RolePrefix, history_messages, history_text, recall
from weft.nodes.model_config import ResolvedModel
from weft.nodes.prompt import Gap, PromptMessage, PromptTemplate, find_text, require
from weft.nodes.vision import keep_supported, show_files
from weft.providers import Message
from weft.variables import Selector, Value

_QUERY: Selector = ("sys", "query")


class LlmPrompt:
    """The prompt of one node, taken apart once."""

    def __init__(self, config: LlmConfig) -> None:
        self._config = config
        variables = config.prompt_config.jinja2_variables
        self._messages = [
            PromptMessage(template, variables, completion=config.completion)
            for template in config.prompt_template
        ]
        query = config.memory.query_prompt_template if config.memory is not None else ""
        self._query = PromptMessage(PromptTemplate(text=query), ()) if query else None
        messages = [*self._messages, *([self._query] if self._query is not None else [])]
        self._required = _unique(selector for message in messages for selector in message.selectors)
        self._jinja_variables = {
            name: selector for message in messages for name, selector in message.variables.items()
        }
        asked = [_QUERY] if self._query is None and config.memory is not None else []
        self.reads: tuple[Selector, ...] = _unique(
            [
                *(selector for message in messages for selector in message.reads),
                *asked,
                *config.context.reads(),
                *config.vision.reads(),
            ]
        )
        """All variables that it looks at."""

    def inputs(self, context: Context) -> dict[str, Value]:
        """The values of its variables, for the record.

        Raises:
            NodeFailedError: One of them does not exist.
        """
        return {**context.collect(self._jinja_variables), **require(context.pool, self._required)}

    async def assemble(
        self,
        context: Context,
        model: ResolvedModel,
        parameters: Mapping[str, object],
        knowledge: Knowledge,
    ) -> list[Message]:
        """The messages to send, fit for that model.

        Raises:
            NodeFailedError: Nothing is left to send, or something that it needs is missing or wrong.
        """
        vision = self._config.vision
        fill: dict[Gap, str] = {"context": knowledge.text}
        if self._config.completion:
            messages = await self._complete(context, model, parameters, fill)
        else:
            messages = await self._chat(context, model, parameters, fill)
        files = vision.files(context.pool)
        if files:
            context.inputs["#files#"] = list(files)
        if vision.enabled:
            show_files(messages, files, vision.detail)
            show_files(messages, knowledge.files, vision.detail)
        messages = keep_supported(messages, model.features)
        if not messages:
            raise NodeFailedError(
                "the prompt is empty; write a message, or refer to a variable that has a value",
                error_type="NoPromptFoundError",
            )
        return messages

    async def _chat(
        self,
        context: Context,
        model: ResolvedModel,
        parameters: Mapping[str, object],
        fill: Mapping[Gap, str],
    ) -> list[Message]:
        vision, memory = self._config.vision, self._config.memory
        messages = [
            message for item in self._messages for message in item.messages(context, fill, vision.detail)
        ]
        if memory is None:
            return messages
        if self._query is not None:
            query = self._query.messages(context, fill, vision.detail)
        else:
            text = find_text(context.pool, _QUERY)
            query = [Message("user", text)] if text else []
        shown = vision.detail if vision.enabled else None
        turns = await recall(context, memory, model, parameters, [*messages, *query], shown)
        return [*messages, *history_messages(turns, shown), *query]

    async def _complete(
        self,
        context: Context,
        model: ResolvedModel,
        parameters: Mapping[str, object],
        fill: Mapping[Gap, str],
    ) -> list[Message]:
        prompt, memory = self._messages[0], self._config.memory
        prefix = None if memory is None else _prefix(memory)
        if self._query is not None:
            query = self._query.render(context, fill)
        else:
            query = find_text(context.pool, _QUERY)
        fill = {**fill, "sys.query": query}
        if prefix is not None:
            bare = Message("user", prompt.render(context, fill))
            turns = await recall(context, memory, model, parameters, [bare])
            fill["histories"] = history_text(turns, prefix)
        text = prompt.render(context, fill)
        if fill.get("histories") and not prompt.has("histories"):
            text = f"{fill['histories']}\n{text}"
        messages = [Message("user", text)] if text else []
        return messages + prompt.file_messages(context, self._config.vision.detail)


def _prefix(memory: MemoryConfig) -> RolePrefix:
    if memory.role_prefix is None:
        raise NodeFailedError(
            "the memory of a completion model needs names for both sides; fill in the role prefixes",
            error_type="MemoryRolePrefixRequiredError",
        )
    return memory.role_prefix


def _unique(selectors: Iterable[Selector]) -> tuple[Selector, ...]:
    return tuple(dict.fromkeys(selectors))
