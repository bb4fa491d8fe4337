"""Which datasets there are, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from weft.errors import ConfigError

SearchMethod = Literal["semantic_search", "full_text_search", "keyword_search", "hybrid_search"]
_KINDS = ("folder", "dify", "external")


class DatasetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a dataset is: exactly one of `folder`, `dify` and `external` is given."""

    name: str = ""
    """What people call it; its id unless given."""
    description: str = ""
    """What can be found in it, for a model that has to choose a dataset."""
    folder: str = ""
    """Path of a folder with text and Markdown files."""
    dify: str = ""
    """Address of a Dify service API, such as ``https://host/v1``."""
    external: str = ""
    """Address of a service that speaks Dify's External Knowledge API; ``/retrieval`` comes after it."""
    api_key: str = ""
    """Secret; never part of `repr` or of an error message."""
    knowledge_id: str = ""
    """The id at the service; the dataset's own unless given."""
    search_method: SearchMethod | None = None
    """How it is searched. Unless given: a folder by words and meaning, a Dify dataset as it is set there."""
    embedding_model: str = ""
    """Model for the meaning of a folder's texts, ``provider/model``. Unless given: the first one that a
    provider's table names, else one that is built in."""
    vector_weight: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """How much meaning counts against words in a folder, from 0 to 1."""
    timeout: Annotated[float, Meta(gt=0)] = 30.0
    """Seconds for one search at a service."""

    def __repr__(self) -> str:
        kind = next((kind for kind in _KINDS if getattr(self, kind)), "nothing")
        return f"DatasetConfig({kind}, name={self.name!r}{', api_key=***' if self.api_key else ''})"


def parse_datasets_config(tables: Mapping[str, object]) -> dict[str, DatasetConfig]:
    """Make configurations out of the ``[datasets."ID"]`` tables of a settings file.

    Raises:
        ConfigError: A table is wrong; the message names it and the field.
    """
    return {dataset_id: _parse(dataset_id, table) for dataset_id, table in tables.items()}


def _parse(dataset_id: str, table: object) -> DatasetConfig:
    where = f'[datasets."{dataset_id}"]'
    try:
        config = msgspec.convert(table, DatasetConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error
    given = [kind for kind in _KINDS if getattr(config, kind)]
    if len(given) != 1:
        raise ConfigError(
            f"{where}: {' and '.join(given) or 'nothing'} says where it is; "
            "give exactly one of folder, dify and external"
        )
    if config.folder and not Path(config.folder).expanduser().is_dir():
        raise ConfigError(f"{where} folder: {config.folder!r} is no folder; correct the path")
    if config.embedding_model and not all(config.embedding_model.partition("/")):
        raise ConfigError(
            f"{where} embedding_model: {config.embedding_model!r} names no provider or no model; "
            "write provider/model"
        )
    url = config.dify or config.external
    if url:
        _check_url(f"{where} {given[0]}", url)
    return config


def _check_url(where: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{where}: this is no address of a service; write https://host/v1 or the like")
