"""Knowledge retrieval: passages of datasets that suit a question.

Source: Dify app DSL, node type ``knowledge-retrieval``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from weft.errors import CredentialsError, NodeFailedError, WeftError
from weft.graph import Need, NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.knowledge_choice import choose_dataset, make_filter
from weft.nodes.knowledge_config import TOP_K, KnowledgeRetrievalConfig, Weights
from weft.nodes.knowledge_models import NodeEmbedders, note_tokens
from weft.nodes.node import Node
from weft.nodes.vision import files_in
from weft.providers import RerankModel
from weft.retrieval import MetadataCondition, MetadataFilter, Passage, Retriever, Wanted, similarity
from weft.variables import Selector, Value, VariablePool, compile_template

_Found: TypeAlias = list[tuple[Retriever, Passage]]


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
        self._is_single = config.retrieval_mode == "single"
        self._chooser = config.single_retrieval_config.model
        if not self._is_single or len(self._dataset_ids) < 2:
            self._chooser = None
        automatic = config.metadata_filtering_mode == "automatic"
        self._filterer = config.metadata_model_config if automatic else None

    def reads(self) -> Sequence[Selector]:
        """The question, and what the filter and the models' parameters refer to."""
        config = self.config
        own = (config.query_variable_selector, config.query_attachment_selector)
        templates = (template for _, template in self._conditions if template is not None)
        models = (model for model in (self._chooser, self._filterer) if model is not None)
        return [
            *(selector for selector in own if selector),
            *(selector for template in templates for selector in template.selectors),
            *(selector for model in models for selector in model.reads()),
        ]

    def needs(self) -> Sequence[Need]:
        """The datasets, and the models that choose among them."""
        models = (model for model in (self._chooser, self._filterer) if model is not None)
        return [
            *(Need("dataset", dataset_id, self.id) for dataset_id in self._dataset_ids),
            *(model.need(self.id) for model in models),
        ]

    async def run(self, context: Context) -> NodeResult:
        """Search the datasets and put what they find in order.

        Raises:
            NodeFailedError: The question is no text, or there is nothing but a picture to search by.
            UnknownDatasetError: There are no settings for a dataset.
            RetrievalError: A dataset cannot be searched now.
            ProviderError: A model failed that chooses, filters, embeds or reranks.
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
        notes: list[str] = []
        datasets = [context.services.datasets.find(dataset_id) for dataset_id in self._dataset_ids]
        retrievers = await self._choose(context, datasets, query, notes)
        filters = await self._filter(context, retrievers, query, notes)
        reranker = self._reranker(context, notes)
        if has_attachments:
            notes.append("files of the question were not searched by")
        if notes:
            context.process_data["notes"] = list(notes)
        found = await self._search(context, retrievers, query, filters, reranker)
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

    async def _choose(
        self, context: Context, retrievers: Sequence[Retriever], query: str, notes: list[str]
    ) -> Sequence[Retriever]:
        """In mode single the one dataset that a model chooses, if there is a choice and a model."""
        if not self._is_single or len(retrievers) < 2:
            return retrievers
        if self._chooser is None:
            notes.append("mode single: all datasets were searched, as no model is set that chooses one")
            return retrievers
        chosen = await choose_dataset(context, self._chooser, retrievers, query)
        context.process_data["dataset_id"] = None if chosen is None else chosen.dataset_id
        if chosen is None:
            notes.append("mode single: the model found none of the datasets fit")
            return ()
        return (chosen,)

    async def _filter(
        self, context: Context, retrievers: Sequence[Retriever], query: str, notes: list[str]
    ) -> MetadataFilter | None:
        config = self.config
        if config.metadata_filtering_mode != "automatic":
            return self._manual_filter(context.pool)
        if self._filterer is None:
            notes.append("automatic metadata filters: all documents were searched, as no model is set")
            return None
        known = await asyncio.gather(*(item.metadata_fields() for item in retrievers))
        fields = sorted({name for names in known for name in names})
        if not fields:
            notes.append("automatic metadata filters: all documents were searched, as no fields are known")
            return None
        given = config.metadata_filtering_conditions
        operator = given.logical_operator if "logical_operator" in given.model_fields_set else None
        filters = await make_filter(context, self._filterer, fields, query, operator)
        if filters is not None:
            context.process_data["metadata_filter"] = [
                {"name": item.name, "comparison_operator": item.operator, "value": _recorded(item.value)}
                for item in filters.conditions
            ]
        return filters

    def _manual_filter(self, pool: VariablePool) -> MetadataFilter | None:
        if not self._conditions:
            return None
        conditions = []
        for item, template in self._conditions:
            value: Wanted = item.value if template is None else template.render(pool)
            conditions.append(MetadataCondition(item.name, item.comparison_operator, value))
        return MetadataFilter(conditions, self.config.metadata_filtering_conditions.logical_operator)

    def _weights(self) -> Weights | None:
        multiple = self.config.multiple_retrieval_config
        weighted = multiple.reranking_enable and multiple.reranking_mode == "weighted_score"
        return multiple.weights or Weights() if weighted and not self._is_single else None

    def _reranker(self, context: Context, notes: list[str]) -> tuple[RerankModel, str] | None:
        """Who puts passages in order, and under which name; ``None`` if nobody shall or can."""
        multiple = self.config.multiple_retrieval_config
        wanted = multiple.reranking_model
        off = self._is_single or not multiple.reranking_enable or self._weights() is not None
        if off or wanted is None or not wanted.model:
            return None
        try:
            return context.services.models.resolve_rerank(wanted.provider, wanted.model)
        except CredentialsError as error:
            # An app that was made elsewhere is better served in the order of its datasets than not at all.
            notes.append(f"passages are in the order of the datasets' scores: {error}")
            return None

    async def _search(
        self,
        context: Context,
        retrievers: Sequence[Retriever],
        query: str,
        filters: MetadataFilter | None,
        reranker: tuple[RerankModel, str] | None,
    ) -> _Found:
        multiple = self.config.multiple_retrieval_config
        top_k = TOP_K if self._is_single else max(0, multiple.top_k)
        threshold = None if self._is_single else multiple.score_threshold
        weights = self._weights()
        scored_anew = weights is not None or reranker is not None
        search = _Search(query, top_k, None if scored_anew else threshold, filters, NodeEmbedders(context))
        found = await search.of(retrievers)
        if weights is not None:
            found = _weighted(found, query, weights)
        elif reranker is not None and found:
            found = await _reranked(context, found, query, *reranker)
        if scored_anew and threshold is not None:
            found = [entry for entry in found if (entry[1].score or 0.0) >= threshold]
        return sorted(found, key=lambda entry: -(entry[1].score or 0.0))[:top_k]


@dataclass(frozen=True, slots=True)
class _Search:
    """What every dataset is asked."""

    query: str
    top_k: int
    threshold: float | None
    filters: MetadataFilter | None
    embedders: NodeEmbedders

    async def of(self, retrievers: Sequence[Retriever]) -> _Found:
        """What all datasets find, in their order; the first failure ends the search."""
        failure: WeftError | None = None
        tasks: list[asyncio.Task[list[Passage]]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks += [group.create_task(self._one(retriever)) for retriever in retrievers]
        except* WeftError as errors:
            failure = next(error for error in errors.exceptions if isinstance(error, WeftError))
        if failure is not None:
            raise failure
        return [
            (retriever, passage)
            for retriever, task in zip(retrievers, tasks, strict=True)
            for passage in task.result()
        ]

    async def _one(self, retriever: Retriever) -> list[Passage]:
        return await retriever.search(
            self.query,
            top_k=self.top_k,
            score_threshold=self.threshold,
            filters=self.filters,
            embedders=self.embedders,
        )


async def _reranked(context: Context, found: _Found, query: str, model: RerankModel, name: str) -> _Found:
    """The passages with the scores that a model gives them; those that it leaves out are gone."""
    began = context.services.clock.monotonic()
    result = await model.rerank(name, query, [passage.content for _, passage in found])
    note_tokens(context, model.name, name, result.usage, began)
    return [
        (retriever, replace(passage, score=round(score, 6)))
        for (retriever, passage), score in zip(found, result.scores, strict=True)
        if score is not None
    ]


def _recorded(value: Wanted) -> Value:
    return [*value] if isinstance(value, list) else value


def _weighted(found: _Found, query: str, weights: Weights) -> _Found:
    """The passages with scores made of likeness of meaning and of words in common with the question."""
    likeness = similarity(query, [passage.content for _, passage in found])
    vector, keyword = weights.vector_setting.vector_weight, weights.keyword_setting.keyword_weight
    return [
        (retriever, replace(passage, score=round(vector * _meaning(passage) + keyword * like, 6)))
        for (retriever, passage), like in zip(found, likeness, strict=True)
    ]


def _meaning(passage: Passage) -> float:
    """The score of a passage without that of its words, where they are known apart."""
    return (passage.score or 0.0) if passage.vector_score is None else passage.vector_score


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
