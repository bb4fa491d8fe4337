"""Datasets and searching them: folders on this machine, Dify servers, and other knowledge services.

::

    datasets = open_datasets({"handbook": {"folder": "docs"}})
    passages = await datasets.find("handbook").search("holidays", top_k=3)
    await datasets.close()

A folder is searched by keywords; there are no embeddings.
"""

from weft.retrieval.condition import MetadataCondition, MetadataFilter, MetadataOperator, Wanted
from weft.retrieval.config import DatasetConfig, parse_datasets_config
from weft.retrieval.datasets import Datasets, open_datasets
from weft.retrieval.errors import RetrievalError, UnknownDatasetError
from weft.retrieval.folder import FolderRetriever
from weft.retrieval.http import JsonHttp, JsonReply
from weft.retrieval.passage import Passage
from weft.retrieval.port import Retriever
from weft.retrieval.ranking import KeywordIndex, similarity
from weft.retrieval.service import DifyRetriever, ExternalRetriever

__all__ = [
    "DatasetConfig",
    "Datasets",
    "DifyRetriever",
    "ExternalRetriever",
    "FolderRetriever",
    "JsonHttp",
    "JsonReply",
    "KeywordIndex",
    "MetadataCondition",
    "MetadataFilter",
    "MetadataOperator",
    "Passage",
    "RetrievalError",
    "Retriever",
    "UnknownDatasetError",
    "Wanted",
    "open_datasets",
    "parse_datasets_config",
    "similarity",
]
