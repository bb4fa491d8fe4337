from __future__ import annotations

from pathlib import Path

import pytest

from weft.errors import ConfigError
from weft.retrieval import Datasets, UnknownDatasetError, open_datasets, parse_datasets_config

pytestmark = pytest.mark.anyio


async def test_a_folder_of_the_settings_can_be_searched(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Holidays are in May.")
    datasets = open_datasets({"k": {"folder": str(tmp_path), "name": "Handbook"}})
    (passage,) = await datasets.find("k").search("holidays", top_k=1)
    await datasets.close()

    assert (passage.content, datasets.find("k").name) == ("Holidays are in May.", "Handbook")
    assert (datasets.names(), "k" in datasets, "x" in datasets) == (["k"], True, False)


async def test_an_unknown_dataset_says_what_to_configure() -> None:
    with pytest.raises(UnknownDatasetError) as caught:
        Datasets().find("x-1")
    assert caught.value.dataset_id == "x-1"
    assert str(caught.value) == (
        'dataset \'x-1\' is not known here; add a table [datasets."x-1"] to weft.toml with folder = "path" '
        'for texts on this machine, or with dify = "https://host/v1" or external = "https://host" and an '
        "api_key for a knowledge service; known: none"
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "nothing says where it is; give exactly one of folder, dify and external"),
        ({"dify": "https://h", "external": "https://h"}, "dify and external says where it is"),
        ({"folder": "/no/such/folder"}, "folder: '/no/such/folder' is no folder; correct the path"),
        ({"dify": "host/v1"}, "dify: this is no address of a service"),
        ({"dify": "https://me:hush@host/v1"}, "dify: this is no address of a service"),
        ({"external": "https://[x"}, "external: this is no address of a service"),
        ({"external": "https://h", "timeout": 0}, "timeout"),
        ({"external": "https://h", "hush": "x"}, "unknown field `hush`"),
        ({"dify": "https://h", "search_method": "guess"}, "search_method"),
        ({"folder": ".", "embedding_model": "e5"}, "embedding_model: 'e5' names no provider or no model"),
        ({"folder": ".", "vector_weight": 2}, "vector_weight"),
    ],
)
async def test_a_table_that_is_wrong_is_named(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_datasets({"my data": table})
    assert str(caught.value).startswith('[datasets."my data"]')
    assert words in str(caught.value)
    assert "hush@" not in str(caught.value)


async def test_a_key_is_never_shown() -> None:
    (config,) = parse_datasets_config({"k": {"dify": "https://h", "api_key": "hush"}}).values()
    assert repr(config) == "DatasetConfig(dify, name='', api_key=***)"
