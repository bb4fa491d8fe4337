"""Datasets and searching them: folders on this machine, Dify servers, and other knowledge services.

::

    datasets = open_datasets({"handbook": {"folder": "docs"}})
    passages = await datasets.find("handbook").search("holidays", top_k=3)
    await datasets.close()

A folder is searched by words, and by meaning too where a search is given models that embed texts.
"""

from weft.retrieval.condition import MetadataCondition, MetadataFilter, MetadataOperator, Wanted
from weft.retrieval.config import DatasetConfig, parse_datasets_config
from weft.retrieval.datasets import Datasets, open_datasets
from weft.retrieval.errors import RetrievalError, UnknownDatasetError
from weft.retrieval.folder import FolderRetriever
from weft.retrieval.http import JsonHttp, JsonReply
from weft.retrieval.passage import Passage
from weft.retrieval.port import Embedder, Embedders, Retriever
from weft.retrieval.ranking import KeywordIndex, similarity
from weft.retrieval.service import DifyRetriever, ExternalRetriever
from weft.retrieval.vector import Packed, VectorIndex, pack
from weft.retrieval.vector_store import VectorStore

__all__ = [
    "DatasetConfig",
    "Datasets",
    "DifyRetriever",
    "Embedder",
    "Embedders",
    "ExternalRetriever",
    "FolderRetriever",
    "JsonHttp",
    "JsonReply",
    "KeywordIndex",
    "MetadataCondition",
    "MetadataFilter",
    "MetadataOperator",
    "Packed",
    "Passage",
    "RetrievalError",
    "Retriever",
    "UnknownDatasetError",
    "VectorIndex",
    "VectorStore",
    "Wanted",
    "open_datasets",
    "pack",
    "parse_datasets_config",
    "similarity",
]
