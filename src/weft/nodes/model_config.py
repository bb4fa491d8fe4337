"""Which model a node asks, and how."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError
from weft.graph import Need
from weft.nodes.context import Context
from weft.providers import ChatModel, Feature
from weft.variables import MISSING, Selector, VariablePool, compile_template

_MAX_PARAMETER_CHARS = 1024


class ModelConfig(BaseModel):
    """A model and its parameters, as node data spell them."""

    model_config = ConfigDict(extra="ignore")

    provider: str = ""
    name: str = ""
    """Both may be empty in files that were exported before a model was chosen: whoever answers for models
    without a provider of their own is then asked for its default."""
    mode: str = "chat"
    completion_params: dict[str, object] = Field(default_factory=dict)
    """Passed on to the service; texts may hold variables."""

    @field_validator("provider", "name", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("mode", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        return value or "chat"

    @field_validator("completion_params", mode="before")
    @classmethod
    def _params(cls, value: object) -> object:
        return value or {}

    def reads(self) -> list[Selector]:
        """The variables in the parameters."""
        texts = (value for value in self.completion_params.values() if isinstance(value, str))
        return [selector for text in texts for selector in compile_template(text).selectors]

    def need(self, node_id: str) -> Need:
        """The model as something from outside."""
        return Need("model", f"{self.provider or '?'}/{self.name or '?'}", node_id)

    def parameters(self, pool: VariablePool) -> tuple[dict[str, object], list[str]]:
        """Parameters with values in place, and the stop words taken out of them.

        A text that held a variable and reads as a number or a boolean afterwards becomes one.

        Raises:
            NodeFailedError: A variable is missing, or a text has grown too long.
        """
        parameters: dict[str, object] = {}
        for name, value in self.completion_params.items():
            if isinstance(value, str) and compile_template(value).selectors:
                parameters[name] = _fill(name, value, pool)
            else:
                parameters[name] = value
        stop = parameters.pop("stop", None)
        if isinstance(stop, str):
            stop = [stop]
        return parameters, [str(item) for item in stop if item] if isinstance(stop, list) else []


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model and who answers for it."""

    chat: ChatModel
    name: str
    """What the service calls it."""
    features: frozenset[Feature]
    context_size: int | None
    """Tokens of prompt and reply together."""

    @classmethod
    def find(cls, context: Context, config: ModelConfig) -> ResolvedModel:
        """Ask the gateway.

        Raises:
            CredentialsError: Nobody answers for that model.
            ConfigError: The provider's settings are wrong.
        """
        chat, name = context.services.models.resolve(config.provider, config.name)
        return cls(chat, name, chat.features(name), chat.context_size(name))


def _fill(name: str, text: str, pool: VariablePool) -> object:
    template = compile_template(text)
    for selector in template.selectors:
        if pool.find(selector) is MISSING:
            raise NodeFailedError(
                f"model parameter {name!r} refers to the variable {'.'.join(selector)!r}, which has no value",
                error_type="VariableNotFoundError",
            )
    filled = template.render(pool)
    if len(filled) > _MAX_PARAMETER_CHARS:
        raise NodeFailedError(
            f"model parameter {name!r} has {len(filled)} characters with its variables in place; "
            f"at most {_MAX_PARAMETER_CHARS} are allowed",
            error_type="LLMNodeError",
        )
    try:
        decoded = msgspec.json.decode(filled)
    except msgspec.DecodeError:
        return filled
    return decoded if isinstance(decoded, bool | int | float) else filled
