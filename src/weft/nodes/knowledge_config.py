"""How knowledge retrieval is configured.

Source: Dify app DSL, node type ``knowledge-retrieval``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.model_config import ModelConfig
from weft.retrieval import MetadataOperator

TOP_K = 4


class VectorSetting(BaseModel):
    """How much likeness of meaning counts."""

    model_config = ConfigDict(extra="ignore")

    vector_weight: float = 0.7


class KeywordSetting(BaseModel):
    """How much common words count."""

    model_config = ConfigDict(extra="ignore")

    keyword_weight: float = 0.3


class Weights(BaseModel):
    """What a weighted score is made of."""

    model_config = ConfigDict(extra="ignore")

    vector_setting: VectorSetting = Field(default_factory=VectorSetting)
    keyword_setting: KeywordSetting = Field(default_factory=KeywordSetting)

    @field_validator("vector_setting", "keyword_setting", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or {}


class RerankModelConfig(BaseModel):
    """Who puts what was found in order; files of different age spell it differently."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    provider: str = Field(default="", validation_alias=AliasChoices("provider", "reranking_provider_name"))
    model: str = Field(default="", validation_alias=AliasChoices("model", "reranking_model_name"))

    @field_validator("provider", "model", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value


class MultipleRetrievalConfig(BaseModel):
    """How what several datasets find becomes one list."""

    model_config = ConfigDict(extra="ignore")

    top_k: int = TOP_K
    score_threshold: float | None = None
    reranking_enable: bool = True
    reranking_mode: str | None = None
    reranking_model: RerankModelConfig | None = None
    weights: Weights | None = None

    @field_validator("top_k", mode="before")
    @classmethod
    def _top_k(cls, value: object) -> object:
        return TOP_K if value is None else value

    @field_validator("reranking_enable", mode="before")
    @classmethod
    def _enabled(cls, value: object) -> object:
        return True if value is None else value


class SingleRetrievalConfig(BaseModel):
    """Who chooses the dataset to search."""

    model_config = ConfigDict(extra="ignore")

    model: ModelConfig | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _no_model(cls, value: object) -> object:
        return value or None


class FilterCondition(BaseModel):
    """What a document's metadata must be like."""

    model_config = ConfigDict(extra="ignore")

    name: str
    comparison_operator: MetadataOperator
    value: str | float | list[str] | None = None
    """A text may have variables in it."""


class FilterConditions(BaseModel):
    """Conditions joined by one operator."""

    model_config = ConfigDict(extra="ignore")

    logical_operator: Literal["and", "or"] = "and"
    conditions: list[FilterCondition] = Field(default_factory=list)

    @field_validator("logical_operator", mode="before")
    @classmethod
    def _operator(cls, value: object) -> object:
        return value or "and"

    @field_validator("conditions", mode="before")
    @classmethod
    def _conditions(cls, value: object) -> object:
        return value or []


class KnowledgeRetrievalConfig(NodeConfig):
    """What is looked for, where, and how much of it is wanted."""

    query_variable_selector: SelectorField = ()
    query_attachment_selector: SelectorField = ()
    dataset_ids: list[str] = Field(default_factory=list)
    retrieval_mode: Literal["single", "multiple"] = "multiple"
    multiple_retrieval_config: MultipleRetrievalConfig = Field(default_factory=MultipleRetrievalConfig)
    single_retrieval_config: SingleRetrievalConfig = Field(default_factory=SingleRetrievalConfig)
    metadata_filtering_mode: Literal["disabled", "automatic", "manual"] = "disabled"
    metadata_filtering_conditions: FilterConditions = Field(default_factory=FilterConditions)
    metadata_model_config: ModelConfig | None = None
    """Who makes conditions out of the question in the mode `automatic`."""

    @field_validator("query_variable_selector", "query_attachment_selector", mode="before")
    @classmethod
    def _selector(cls, value: object) -> object:
        return value or ()

    @field_validator("dataset_ids", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        return value or []

    @field_validator(
        "multiple_retrieval_config",
        "single_retrieval_config",
        "metadata_filtering_conditions",
        mode="before",
    )
    @classmethod
    def _table(cls, value: object) -> object:
        return value or {}

    @field_validator("metadata_model_config", mode="before")
    @classmethod
    def _no_model(cls, value: object) -> object:
        return value or None

    @field_validator("metadata_filtering_mode", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        return value or "disabled"
