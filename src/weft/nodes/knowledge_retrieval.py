"""Knowledge retrieval: passages of datasets that suit a question.

Source: Dify app DSL, node type ``knowledge-retrieval``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError, WeftError
from weft.graph import Need, NodeSpec
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.nodes.vision import files_in
from weft.retrieval import (
    MetadataCondition,
    MetadataFilter,
    MetadataOperator,
    Passage,
    Retriever,
    Wanted,
    similarity,
)
from weft.variables import Selector, Value, VariablePool, compile_template

_TOP_K = 4
_Found: TypeAlias = list[tuple[Retriever, Passage]]


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


class MultipleRetrievalConfig(BaseModel):
    """How what several datasets find becomes one list."""

    model_config = ConfigDict(extra="ignore")

    top_k: int = _TOP_K
    score_threshold: float | None = None
    reranking_enable: bool = True
    reranking_mode: str | None = None
    reranking_model: dict[str, object] | None = None
    weights: Weights | None = None

    @field_validator("top_k", mode="before")
    @classmethod
    def _top_k(cls, value: object) -> object:
        return _TOP_K if value is None else value

    @field_validator("reranking_enable", mode="before")
    @classmethod
    def _enabled(cls, value: object) -> object:
        return True if value is None else value


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
    metadata_filtering_mode: Literal["disabled", "automatic", "manual"] = "disabled"
    metadata_filtering_conditions: FilterConditions = Field(default_factory=FilterConditions)

    @field_validator("query_variable_selector", "query_attachment_selector", mode="before")
    @classmethod
    def _selector(cls, value: object) -> object:
        return value or ()

    @field_validator("dataset_ids", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        return value or []

    @field_validator("multiple_retrieval_config", "metadata_filtering_conditions", mode="before")
    @classmethod
    def _table(cls, value: object) -> object:
        return value or {}

    @field_validator("metadata_filtering_mode", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        return value or "disabled"


class KnowledgeRetrievalNode(Node[KnowledgeRetrievalConfig]):
    """Searches datasets; its output `result` is a list of passages, best first.

    Where Dify would do more than can be done here, the record of the node says so under `notes`.
    """

    config_type: ClassVar[type[NodeConfig]] = KnowledgeRetrievalConfig

    def prepare(self, spec: NodeSpec) -> None:
        """Take the templates of the filter apart."""
        config = self.config
        manual = config.metadata_filtering_mode == "manual"
        self._conditions = [
            (item, compile_template(item.value) if isinstance(item.value, str) else None)
            for item in config.metadata_filtering_conditions.conditions
            if manual
        ]
        self._dataset_ids = list(dict.fromkeys(config.dataset_ids))

    def reads(self) -> Sequence[Selector]:
        """The question, and what the filter refers to."""
        config = self.config
        own = (config.query_variable_selector, config.query_attachment_selector)
        templates = (template for _, template in self._conditions if template is not None)
        return [
            *(selector for selector in own if selector),
            *(selector for template in templates for selector in template.selectors),
        ]

    def needs(self) -> Sequence[Need]:
        """The datasets."""
        return [Need("dataset", dataset_id, self.id) for dataset_id in self._dataset_ids]

    async def run(self, context: Context) -> NodeResult:
        """Search all datasets and put what they find in order.

        Raises:
            NodeFailedError: The question is no text, or there is nothing but a picture to search by.
            UnknownDatasetError: There are no settings for a dataset.
            RetrievalError: A dataset cannot be searched now.
        """
        config = self.config
        if not config.query_variable_selector and not config.query_attachment_selector:
            return NodeResult({})
        query = self._query(context)
        has_attachments = self._has_attachments(context)
        context.inputs = {"query": query}
        if not query.strip():
            if has_attachments:
                raise NodeFailedError(
                    "the question is empty, and datasets cannot be searched by a file alone; "
                    "let a question come with the file"
                )
            return NodeResult({"result": []})
        notes = self._notes(has_attachments)
        context.process_data = {"notes": list(notes)} if notes else {}
        retrievers = [context.services.datasets.find(dataset_id) for dataset_id in self._dataset_ids]
        found = await self._search(retrievers, query, self._filter(context.pool))
        return NodeResult({"result": [_item(*entry, place) for place, entry in enumerate(found, 1)]})

    def _query(self, context: Context) -> str:
        selector = self.config.query_variable_selector
        if not selector:
            return ""
        query = context.pool.find(selector)
        if not isinstance(query, str):
            raise NodeFailedError(
                f"the question variable {'.'.join(selector)!r} is missing or holds no text; choose a text"
            )
        return query

    def _has_attachments(self, context: Context) -> bool:
        selector = self.config.query_attachment_selector
        if not selector:
            return False
        value = context.pool.find(selector)
        files = files_in(value)
        if not files and value != [] and value is not None:
            raise NodeFailedError(
                f"the variable {'.'.join(selector)!r} is missing or holds no file; choose a file variable"
            )
        return bool(files)

    def _notes(self, has_attachments: bool) -> list[str]:
        """What is done otherwise than the app's author asked for."""
        config, multiple = self.config, self.config.multiple_retrieval_config
        notes = []
        if config.retrieval_mode == "single" and len(self._dataset_ids) > 1:
            notes.append("mode single: all datasets were searched, no model chose one of them")
        has_model = bool(multiple.reranking_model and multiple.reranking_model.get("model"))
        reranks = config.retrieval_mode == "multiple" and multiple.reranking_enable
        if reranks and has_model and self._weights() is None:
            notes.append("rerank models cannot be asked: passages are in the order of the datasets' scores")
        if config.metadata_filtering_mode == "automatic":
            notes.append("automatic metadata filters are not made: all documents were searched")
        if has_attachments:
            notes.append("files of the question were not searched by")
        return notes

    def _weights(self) -> Weights | None:
        multiple = self.config.multiple_retrieval_config
        weighted = multiple.reranking_enable and multiple.reranking_mode == "weighted_score"
        return (
            multiple.weights or Weights() if weighted and self.config.retrieval_mode == "multiple" else None
        )

    def _filter(self, pool: VariablePool) -> MetadataFilter | None:
        if not self._conditions:
            return None
        conditions = []
        for item, template in self._conditions:
            value: Wanted = item.value if template is None else template.render(pool)
            conditions.append(MetadataCondition(item.name, item.comparison_operator, value))
        return MetadataFilter(conditions, self.config.metadata_filtering_conditions.logical_operator)

    async def _search(
        self, retrievers: Sequence[Retriever], query: str, filters: MetadataFilter | None
    ) -> _Found:
        multiple = self.config.multiple_retrieval_config
        is_multiple = self.config.retrieval_mode == "multiple"
        top_k = max(0, multiple.top_k) if is_multiple else _TOP_K
        threshold = multiple.score_threshold if is_multiple else None
        weights = self._weights()
        found = await _ask_all(retrievers, query, top_k, None if weights else threshold, filters)
        if weights is not None:
            found = _weighted(found, query, weights)
            found = [entry for entry in found if threshold is None or (entry[1].score or 0.0) >= threshold]
        return sorted(found, key=lambda entry: -(entry[1].score or 0.0))[:top_k]


async def _ask_all(
    retrievers: Sequence[Retriever],
    query: str,
    top_k: int,
    threshold: float | None,
    filters: MetadataFilter | None,
) -> _Found:
    """What all datasets find, in their order; the first failure ends the search."""
    failure: WeftError | None = None
    tasks: list[asyncio.Task[list[Passage]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            for retriever in retrievers:
                search = retriever.search(query, top_k=top_k, score_threshold=threshold, filters=filters)
                tasks.append(group.create_task(search))
    except* WeftError as errors:
        failure = next(error for error in errors.exceptions if isinstance(error, WeftError))
    if failure is not None:
        raise failure
    return [
        (retriever, passage)
        for retriever, task in zip(retrievers, tasks, strict=True)
        for passage in task.result()
    ]


def _weighted(found: _Found, query: str, weights: Weights) -> _Found:
    """The passages with scores made of their own ones and of the words that they share with the question."""
    likeness = similarity(query, [passage.content for _, passage in found])
    vector, keyword = weights.vector_setting.vector_weight, weights.keyword_setting.keyword_weight
    return [
        (retriever, replace(passage, score=round(vector * (passage.score or 0.0) + keyword * like, 6)))
        for (retriever, passage), like in zip(found, likeness, strict=True)
    ]


def _item(retriever: Retriever, passage: Passage, position: int) -> Value:
    """A passage as apps see it.

    Source: Dify app DSL, output of knowledge retrieval.
    """
    metadata: dict[str, Value] = {
        "_source": "knowledge",
        "dataset_id": retriever.dataset_id,
        "dataset_name": retriever.name,
        "document_id": passage.document_id,
        "document_name": passage.document_name,
        "data_source_type": passage.data_source_type,
    }
    if not passage.external:
        metadata["segment_id"] = passage.segment_id
    metadata |= {"retriever_from": "workflow", "score": passage.score}
    if not passage.external:
        metadata |= {
            "child_chunks": passage.child_chunks,
            "segment_hit_count": passage.hit_count,
            "segment_word_count": passage.word_count,
            "segment_position": passage.position,
            "segment_index_node_hash": passage.index_node_hash,
        }
    metadata |= {"doc_metadata": passage.metadata, "position": position}
    item: dict[str, Value] = {"title": passage.title, "content": passage.content, "metadata": metadata}
    if passage.files:
        item["files"] = passage.files
    if passage.summary:
        item["summary"] = passage.summary
    return item
