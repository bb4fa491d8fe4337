"""What an llm node is told by its app.

Source: Dify app DSL, node type ``llm``; older spellings of the same things are understood.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, field_validator

from weft.nodes.config import NodeConfig
from weft.nodes.knowledge import KnowledgeConfig
from weft.nodes.memory import MemoryConfig
from weft.nodes.model_config import ModelConfig
from weft.nodes.prompt import PromptConfig, PromptTemplate
from weft.nodes.vision import VisionConfig


class LlmConfig(NodeConfig):
    """A model and what it is asked."""

    model: ModelConfig
    prompt_template: list[PromptTemplate] = Field(default_factory=list)
    prompt_config: PromptConfig = Field(default_factory=PromptConfig)
    memory: MemoryConfig | None = None
    context: KnowledgeConfig = Field(default_factory=KnowledgeConfig)
    vision: VisionConfig = Field(default_factory=VisionConfig)
    structured_output_enabled: bool = Field(
        default=False,
        validation_alias=AliasChoices("structured_output_enabled", "structured_output_switch_on"),
    )
    structured_output: dict[str, object] = Field(default_factory=dict)
    reasoning_format: Literal["tagged", "separated"] = "tagged"

    @field_validator("prompt_template", mode="before")
    @classmethod
    def _messages(cls, value: object) -> object:
        # The prompt of a completion model is a single text.
        return [value] if isinstance(value, dict) else value or []

    @field_validator("prompt_config", "context", "vision", "structured_output", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return value or {}

    @field_validator("structured_output_enabled", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        return value or False

    @field_validator("reasoning_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value or "tagged"

    @property
    def completion(self) -> bool:
        """Whether the prompt was written for a model that continues one text."""
        return self.model.mode == "completion" and len(self.prompt_template) == 1
