"""What a model is told of the conversation so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.nodes.context import Context, Turn
from weft.nodes.limits import Limits
from weft.nodes.model_config import ResolvedModel
from weft.nodes.vision import Detail, file_parts
from weft.providers import Message, TextPart, estimate_prompt_tokens

_REPLY_SIZES = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "num_predict",
)


class RolePrefix(BaseModel):
    """What the two sides are called where the conversation is one text."""

    model_config = ConfigDict(extra="ignore")

    user: str = ""
    assistant: str = ""

    @field_validator("user", "assistant", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return value or ""


class Window(BaseModel):
    """How many exchanges are told."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    size: int | None = None


class MemoryConfig(BaseModel):
    """That a model is told of the conversation so far."""

    model_config = ConfigDict(extra="ignore")

    role_prefix: RolePrefix | None = None
    window: Window = Field(default_factory=Window)
    query_prompt_template: str = ""
    """The last message of the user; empty for the query itself."""

    @field_validator("window", mode="before")
    @classmethod
    def _window(cls, value: object) -> object:
        return value or {}

    @field_validator("query_prompt_template", mode="before")
    @classmethod
    def _template(cls, value: object) -> object:
        return value or ""

    def max_turns(self, limits: Limits) -> int:
        """How many exchanges at the most."""
        size = self.window.size if self.window.enabled else None
        return (
            min(size, limits.max_memory_turns) if size is not None and size > 0 else limits.max_memory_turns
        )


async def recall(
    context: Context,
    memory: MemoryConfig | None,
    model: ResolvedModel,
    parameters: Mapping[str, object],
    prompt: Sequence[Message],
    detail: Detail | None = None,
) -> list[Turn]:
    """The newest exchanges that fit beside a prompt, oldest first.

    Args:
        context: Whose conversation.
        memory: Its settings; ``None`` recalls nothing.
        model: Its size is the budget. Where it is unknown a setting is.
        parameters: Of the call; the room that they reserve for the reply is not used.
        prompt: What has to fit as well.
        detail: How files of earlier exchanges are shown; ``None`` does not show them.
    """
    if memory is None:
        return []
    context.recalls = True
    limits = context.services.limits
    budget = limits.default_memory_tokens
    if model.context_size is not None:
        budget = model.context_size - _reply_size(parameters) - estimate_prompt_tokens(prompt)
    fitting: list[Turn] = []
    for turn in reversed(await context.run.history.recent(memory.max_turns(limits))):
        budget -= estimate_prompt_tokens(history_messages([turn], detail))
        if budget < 0:
            break
        fitting.append(turn)
    return fitting[::-1]


def history_messages(turns: Iterable[Turn], detail: Detail | None = None) -> list[Message]:
    """Earlier exchanges as messages."""
    messages = []
    for turn in turns:
        parts = file_parts(turn.files, detail) if detail is not None else []
        query = [TextPart(turn.query), *parts] if parts else turn.query
        messages.append(Message("user", query, from_history=True))
        messages.append(Message("assistant", turn.answer, from_history=True))
    return messages


def history_text(turns: Iterable[Turn], prefix: RolePrefix) -> str:
    """Earlier exchanges as one text, a line for each side."""
    lines = [(f"{prefix.user}: {turn.query}", f"{prefix.assistant}: {turn.answer}") for turn in turns]
    return "\n".join(line for pair in lines for line in pair)


def _reply_size(parameters: Mapping[str, object]) -> int:
    sizes = (parameters.get(name) for name in _REPLY_SIZES)
    return next((int(size) for size in sizes if isinstance(size, int | float) and size > 0), 0)
