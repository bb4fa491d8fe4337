"""Datasets that a service searches: asking it, and reading what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from weft.retrieval.condition import MetadataFilter
from weft.retrieval.config import DatasetConfig
from weft.retrieval.errors import RetrievalError
from weft.retrieval.http import JsonHttp
from weft.retrieval.passage import Passage
from weft.retrieval.port import Embedders
from weft.variables import Value

R = TypeVar("R", bound=msgspec.Struct)


class _DifyDocument(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    data_source_type: str | None = None
    doc_metadata: dict[str, Value] | None = None


class _DifySegment(msgspec.Struct):
    id: str
    content: str
    document_id: str = ""
    position: int | None = None
    sign_content: str | None = None
    answer: str | None = None
    word_count: int | None = None
    hit_count: int | None = None
    index_node_hash: str | None = None
    document: _DifyDocument | None = None


class _DifyRecord(msgspec.Struct):
    segment: _DifySegment
    score: float | None = None
    child_chunks: list[Value] | None = None
    files: list[Value] | None = None
    summary: str | None = None


class _DifyAnswer(msgspec.Struct):
    records: list[_DifyRecord]


class _ExternalRecord(msgspec.Struct):
    content: str | None = None
    score: float | None = None
    title: str | None = None
    metadata: dict[str, Value] | None = None


class _ExternalAnswer(msgspec.Struct):
    records: list[_ExternalRecord]


class _Service:
    def __init__(self, dataset_id: str, config: DatasetConfig, http: JsonHttp) -> None:
        self.dataset_id = dataset_id
        self.name = config.name or dataset_id
        self.description = config.description
        self._config = config
        self._http = http
        self._knowledge_id = config.knowledge_id or dataset_id

    async def metadata_fields(self) -> list[str]:
        """The service does not say."""
        return []

    async def _ask(self, url: str, body: Mapping[str, object], answer: type[R]) -> R:
        what = f"dataset {self.dataset_id!r}"
        try:
            reply = await self._http.post(
                url, body, api_key=self._config.api_key, timeout=self._config.timeout
            )
        except RetrievalError as error:
            raise RetrievalError(f"{what}: {error}") from error
        if reply.status != 200:
            raise RetrievalError(f"{what}: {_explain(reply.status, reply.body)}")
        try:
            return msgspec.convert(reply.body, answer)
        except msgspec.ValidationError as error:
            raise RetrievalError(
                f"{what}: the service answered something else than passages: {error}"
            ) from error


class DifyRetriever(_Service):
    """Asks a Dify server.

    The dataset searches as it is set up there, and conditions are checked here on what comes back. With a
    `search_method` of its own, all is left to the server.

    Source: Dify service API, ``POST /datasets/{dataset_id}/retrieve``.
    """

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
        embedders: Embedders | None = None,
    ) -> list[Passage]:
        """What the server finds; see `weft.retrieval.Retriever`."""
        config = self._config
        body: dict[str, object] = {"query": query}
        if config.search_method is not None:
            body["retrieval_model"] = {
                "search_method": config.search_method,
                "reranking_enable": False,
                "top_k": top_k,
                "score_threshold_enabled": score_threshold is not None,
                "score_threshold": score_threshold or 0.0,
                **({} if filters is None else {"metadata_filtering_conditions": _conditions(filters)}),
            }
        url = f"{config.dify.rstrip('/')}/datasets/{quote(self._knowledge_id, safe='')}/retrieve"
        answer = await self._ask(url, body, _DifyAnswer)
        passages = [_from_dify(record) for record in answer.records]
        if filters is not None and config.search_method is None:
            passages = [passage for passage in passages if filters.matches(passage.metadata)]
        return _best(passages, top_k, score_threshold)


class ExternalRetriever(_Service):
    """Asks a service that speaks Dify's External Knowledge API.

    Source: Dify External Knowledge API, ``POST <endpoint>/retrieval``.
    """

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
        embedders: Embedders | None = None,
    ) -> list[Passage]:
        """What the service finds; see `weft.retrieval.Retriever`."""
        body: dict[str, object] = {
            "knowledge_id": self._knowledge_id,
            "query": query,
            "retrieval_setting": {"top_k": top_k, "score_threshold": score_threshold or 0.0},
        }
        if filters is not None and filters.conditions:
            body["metadata_condition"] = _conditions(filters)
        base = self._config.external.rstrip("/")
        url = base if base.endswith("/retrieval") else f"{base}/retrieval"
        answer = await self._ask(url, body, _ExternalAnswer)
        return _best([_from_external(record) for record in answer.records], top_k, score_threshold)


def _from_dify(record: _DifyRecord) -> Passage:
    segment = record.segment
    document = segment.document or _DifyDocument()
    content = segment.sign_content or segment.content  # with links to pictures that work
    return Passage(
        content=f"question:{content} answer:{segment.answer}" if segment.answer else content,
        score=record.score,
        title=document.name or "",
        document_id=segment.document_id or document.id or "",
        document_name=document.name or "",
        data_source_type=document.data_source_type,
        segment_id=segment.id,
        position=segment.position,
        word_count=segment.word_count,
        hit_count=segment.hit_count,
        index_node_hash=segment.index_node_hash,
        summary=record.summary,
        child_chunks=record.child_chunks or [],
        files=record.files or [],
        metadata=document.doc_metadata or {},
    )


def _from_external(record: _ExternalRecord) -> Passage:
    metadata = record.metadata or {}
    title = record.title or ""
    return Passage(
        content=record.content or "",
        score=record.score,
        title=title,
        document_id=str(metadata.get("document_id") or title),
        document_name=title,
        data_source_type="external",
        metadata=metadata,
        external=True,
    )


def _best(passages: Sequence[Passage], top_k: int, score_threshold: float | None) -> list[Passage]:
    kept = [
        passage
        for passage in passages
        if score_threshold is None or (passage.score is not None and passage.score >= score_threshold)
    ]
    return sorted(kept, key=lambda passage: -(passage.score or 0.0))[:top_k]


def _conditions(filters: MetadataFilter) -> dict[str, object]:
    return {
        "logical_operator": filters.logical_operator,
        "conditions": [
            {"name": item.name, "comparison_operator": item.operator, "value": item.value}
            for item in filters.conditions
        ],
    }


def _explain(status: int, body: object) -> str:
    """Why a service refused; what it says itself is cut short."""
    said = ""
    if isinstance(body, dict):
        said = str(body.get("message") or body.get("error_msg") or "")[:300]
    match status:
        case 401 | 403:
            advice = "the service refuses the api_key; correct it in the settings"
        case 404:
            advice = "the service knows no such dataset; correct the address or knowledge_id in the settings"
        case 429:
            advice = "the service asks to slow down"
        case _:
            advice = f"the service answered with status {status}"
    return f"{advice} ({said})" if said else advice
