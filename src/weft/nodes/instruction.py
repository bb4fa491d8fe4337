"""What nodes have in common that give a model a fixed task and one text to do it with."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, field_validator

from weft.nodes.config import NodeConfig
from weft.nodes.context import Context
from weft.nodes.memory import MemoryConfig, RolePrefix, history_text, recall
from weft.nodes.model_call import ModelReply, call_model
from weft.nodes.model_config import ModelConfig, ResolvedModel
from weft.nodes.vision import VisionConfig, keep_supported, show_files
from weft.providers import ChatRequest, Message, Tool
from weft.variables import Selector, compile_template

_NO_TEXT = "(empty)"
"""Stands for an empty text, because services refuse empty messages."""


class InstructedConfig(NodeConfig):
    """A model, and what the app's author adds to its task."""

    model: ModelConfig
    instruction: str = ""
    """May hold variables."""
    memory: MemoryConfig | None = None
    vision: VisionConfig = Field(default_factory=VisionConfig)

    @field_validator("instruction", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("vision", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return value or {}

    def reads(self) -> Sequence[Selector]:
        """The variables of the instruction, the files and the model's parameters."""
        instruction = compile_template(self.instruction).selectors
        return (*instruction, *self.vision.reads(), *self.model.reads())


async def ask(
    context: Context,
    config: InstructedConfig,
    system: str,
    query: str,
    *,
    model: ResolvedModel | None = None,
    tools: Sequence[Tool] = (),
    example: str = "",
) -> ModelReply:
    """Put a task to the node's model; the reply is not streamed.

    The instruction and the conversation so far go into the system message, the text alone into the message
    of the user.

    Args:
        context: Of the node.
        config: Whose model, instruction, memory and files.
        system: The task.
        query: The text.
        model: The node's model if it is known already.
        tools: What the model may call.
        example: A reply of the right form.

    Raises:
        ProviderError: The service failed.
        NodeFailedError: A variable of the parameters is missing, or the files are none.
    """
    model = model or ResolvedModel.find(context, config.model)
    parameters, stop = config.model.parameters(context.pool)
    instruction = compile_template(config.instruction).render(context.pool).strip()
    if instruction:
        system = f"{system}\n\nInstructions:\n{instruction}"
    messages = [Message("system", system), Message("user", query or _NO_TEXT)]
    turns = await recall(context, config.memory, model, parameters, messages)
    if turns:
        told = history_text(turns, RolePrefix(user="Human", assistant="Assistant"))
        messages[0] = Message("system", f"{system}\n\nThe conversation so far:\n{told}")
    show_files(messages, config.vision.files(context.pool), config.vision.detail)
    request = ChatRequest(
        model.name,
        keep_supported(messages, model.features),
        parameters=parameters,
        stop=stop,
        tools=list(tools),
        user=context.run.user,
        node_id=context.node_id,
        example=example,
    )
    return await call_model(context, config.model, model, request)
