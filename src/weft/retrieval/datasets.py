"""The datasets that this server knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from weft.retrieval.config import DatasetConfig, parse_datasets_config
from weft.retrieval.errors import UnknownDatasetError
from weft.retrieval.folder import FolderRetriever
from weft.retrieval.http import JsonHttp, OpenHttp
from weft.retrieval.port import Retriever
from weft.retrieval.service import DifyRetriever, ExternalRetriever
from weft.retrieval.vector_store import VectorStore


class Datasets:
    """Retrievers by the id of their dataset.

    Args:
        retrievers: All there are.
        http: Closed together with this.
        vectors: Closed together with this.
    """

    def __init__(
        self,
        retrievers: Mapping[str, Retriever] | None = None,
        http: JsonHttp | None = None,
        vectors: VectorStore | None = None,
    ) -> None:
        self._retrievers = dict(retrievers or {})
        self._http = http
        self._vectors = vectors

    def find(self, dataset_id: str) -> Retriever:
        """The dataset of that id.

        Raises:
            UnknownDatasetError: There is none; the message says what to configure.
        """
        retriever = self._retrievers.get(dataset_id)
        if retriever is None:
            raise UnknownDatasetError(dataset_id, self.names())
        return retriever

    def names(self) -> list[str]:
        """Ids of all datasets, sorted."""
        return sorted(self._retrievers)

    def __contains__(self, dataset_id: object) -> bool:
        return dataset_id in self._retrievers

    async def close(self) -> None:
        """Give back connections and files; to be called when no search is running."""
        if self._vectors is not None:
            self._vectors.close()
        if self._http is not None:
            await self._http.close()


def open_datasets(
    tables: Mapping[str, object], *, http: JsonHttp | None = None, vectors: Path | None = None
) -> Datasets:
    """The datasets of the settings; nothing is read or asked before the first search.

    Args:
        tables: The ``[datasets."ID"]`` tables; their keys are the fields of `DatasetConfig`.
        http: Reaches knowledge services; made here unless given.
        vectors: File for the vectors of folders, made when first needed; they are made anew without it.

    Returns:
        Datasets to be closed after use.

    Raises:
        ConfigError: A table is wrong; the message names it and the field.
    """
    http = http or OpenHttp()
    store = VectorStore(vectors)
    configs = parse_datasets_config(tables)
    return Datasets({key: _open(key, config, http, store) for key, config in configs.items()}, http, store)


def _open(dataset_id: str, config: DatasetConfig, http: JsonHttp, vectors: VectorStore) -> Retriever:
    if config.folder:
        weights = {"keyword_search": 0.0, "full_text_search": 0.0, "semantic_search": 1.0}
        return FolderRetriever(
            dataset_id,
            Path(config.folder).expanduser(),
            name=config.name,
            description=config.description,
            embedding_model=config.embedding_model,
            vector_weight=weights.get(config.search_method or "", config.vector_weight),
            vectors=vectors,
        )
    if config.dify:
        return DifyRetriever(dataset_id, config, http)
    return ExternalRetriever(dataset_id, config, http)
