from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from weft.errors import ProviderTimeoutError
from weft.retrieval import (
    FolderRetriever,
    MetadataCondition,
    MetadataFilter,
    Passage,
    RetrievalError,
    VectorStore,
    open_datasets,
)

pytestmark = pytest.mark.anyio

TOPICS = ("animal cat dog", "money euro price", "weather rain sun")


class TopicModel:
    """Knows three topics, and which words belong to them."""

    def __init__(self, key: str = "m") -> None:
        self.key = key
        self.embedded: list[str] = []
        self.failing = False
        self.length = 3

    async def embed_texts(self, texts: Sequence[str]) -> list[array[float]]:
        await asyncio.sleep(0)
        if self.failing:
            raise ProviderTimeoutError("no answer")
        self.embedded += texts
        return [self._vector(text) for text in texts]

    async def embed_query(self, text: str) -> array[float]:
        return self._vector(text)

    def _vector(self, text: str) -> array[float]:
        values = [float(sum(word in text for word in topic.split())) for topic in TOPICS]
        return array("f", values[: self.length])


class Models:
    """Finds models by name."""

    def __init__(self, *models: TopicModel) -> None:
        self.models = {model.key: model for model in models}
        self.asked: list[str] = []

    def find(self, name: str) -> TopicModel:
        self.asked.append(name)
        return self.models[name or "m"]


class HandClock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


FILES = {
    "1.txt": "the cat sleeps",
    "2.txt": "the price is high",
    "3.txt": "rain again",
    "4.txt": "a dog costs 9 euro",
}


def write(folder: Path, files: dict[str, str], seconds: int = 1000) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
        os.utime(folder / name, (seconds, seconds))


async def search(
    retriever: FolderRetriever, query: str, models: Models | None, **more: object
) -> list[Passage]:
    return await retriever.search(query, top_k=4, embedders=models, **more)  # type: ignore[arg-type]  # test's own


async def test_a_passage_is_found_by_its_meaning_alone(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    retriever = FolderRetriever("k", tmp_path, vector_weight=1.0)

    found = await search(retriever, "animal", Models(TopicModel()))
    assert [(item.content, item.score, item.vector_score) for item in found] == [
        ("the cat sleeps", 1.0, 1.0),
        ("a dog costs 9 euro", pytest.approx(0.707, abs=0.01), pytest.approx(0.707, abs=0.01)),
    ]
    assert await search(retriever, "animal", None) == []


async def test_words_and_meaning_count_by_their_weight(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    models = Models(TopicModel())

    half = await search(FolderRetriever("k", tmp_path, vector_weight=0.5), "dog sleeps", models)
    assert [item.content for item in half] == ["the cat sleeps", "a dog costs 9 euro"]
    for item in half:
        assert item.score is not None
        assert item.vector_score is not None
        words = await search(FolderRetriever("k", tmp_path), "dog sleeps", None)
        (by_words,) = [other.score for other in words if other.content == item.content]
        assert item.score == pytest.approx(0.5 * item.vector_score + 0.5 * (by_words or 0), abs=1e-5)


async def test_thresholds_and_filters_hold_for_hybrid_searches(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "5.md": "---\nkind: x\n---\nmy cat"})
    retriever = FolderRetriever("k", tmp_path, vector_weight=1.0)
    models = Models(TopicModel())
    kind = MetadataFilter([MetadataCondition("kind", "is", "x")])

    assert [item.content for item in await search(retriever, "cat", models, filters=kind)] == ["my cat"]
    best = await search(retriever, "cat", models, score_threshold=0.9)
    assert [item.content for item in best] == ["the cat sleeps", "my cat"]
    assert list(await retriever.metadata_fields()) == ["document_name", "kind", "last_update_date", "path"]


async def test_only_what_has_changed_is_read_and_embedded_again(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    model, clock = TopicModel(), HandClock()
    retriever = FolderRetriever("k", tmp_path, monotonic=clock)
    models = Models(model)
    await search(retriever, "cat", models)
    assert len(model.embedded) == 4

    write(tmp_path, {"1.txt": "the cat eats", "new.txt": "sun"}, 2000)
    (tmp_path / "3.txt").unlink()
    assert [item.content for item in await search(retriever, "sleeps", None)] == ["the cat sleeps"]
    clock.time = 3.0
    found = await search(retriever, "cat rain", models)

    assert [item.content for item in found[:2]] == ["the cat eats", "sun"]
    assert model.embedded[4:] == ["1.txt\nthe cat eats", "new.txt\nsun"]
    clock.time = 6.0
    await search(retriever, "cat", models)
    assert len(model.embedded) == 6


async def test_a_restart_embeds_nothing_again(tmp_path: Path) -> None:
    write(tmp_path / "texts", FILES)
    scores = []
    counts = []
    for _ in range(2):
        model, store = TopicModel(), VectorStore(tmp_path / "vectors.db")
        found = await search(FolderRetriever("k", tmp_path / "texts", vectors=store), "cat", Models(model))
        scores.append([(item.content, item.score) for item in found])
        counts.append(len(model.embedded))
        store.close()

    assert counts == [4, 0]
    assert scores[0] == scores[1]


async def test_what_was_embedded_before_a_failure_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.retrieval.folder._TEXTS_AT_ONCE", 2)
    write(tmp_path, FILES)
    model = TopicModel()
    retriever = FolderRetriever("k", tmp_path)

    class Failing(TopicModel):
        async def embed_texts(self, texts: Sequence[str]) -> list[array[float]]:
            if self.embedded:
                raise ProviderTimeoutError("no answer")
            return await super().embed_texts(texts)

    with pytest.raises(ProviderTimeoutError):
        await search(retriever, "cat", Models(Failing()))
    await search(retriever, "cat", Models(model))

    assert model.embedded == ["3.txt\nrain again", "4.txt\na dog costs 9 euro"]


async def test_searches_at_the_same_time_embed_once(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    model = TopicModel()
    retriever = FolderRetriever("k", tmp_path)
    models = Models(model)

    await asyncio.gather(*(search(retriever, "cat", models) for _ in range(5)))
    assert len(model.embedded) == 4


async def test_each_model_has_its_own_vectors(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    one, two = TopicModel("a/one"), TopicModel("b/two")
    models = Models(one, two)
    store = VectorStore()

    for name in ("a/one", "b/two", "a/one"):
        await search(FolderRetriever("k", tmp_path, embedding_model=name, vectors=store), "cat", models)
    assert (len(one.embedded), len(two.embedded), models.asked) == (4, 4, ["a/one", "b/two", "a/one"])


async def test_a_model_that_changes_its_vectors_is_told(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    model = TopicModel()
    retriever = FolderRetriever("k", tmp_path)
    models = Models(model)
    await search(retriever, "cat", models)
    model.length = 2

    with pytest.raises(RetrievalError, match="model 'm' gives vectors of another length than before; delete"):
        await search(retriever, "cat", models)


async def test_vectors_that_do_not_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, FILES)
    monkeypatch.setattr("weft.retrieval.folder._MAX_VECTOR_BYTES", 40)

    with pytest.raises(RetrievalError, match="4 passages of 3 numbers take 48 bytes of 40"):
        await search(FolderRetriever("k", tmp_path), "cat", Models(TopicModel()))


async def test_an_empty_folder_asks_no_model(tmp_path: Path) -> None:
    assert await search(FolderRetriever("k", tmp_path), "cat", Models()) == []


@pytest.mark.parametrize(
    ("table", "contents"),
    [
        ({"search_method": "keyword_search"}, ["my cat"]),
        ({"search_method": "semantic_search"}, ["my dog", "my cat"]),
        ({"search_method": "hybrid_search", "vector_weight": 0.1}, ["my cat", "my dog"]),
        ({}, ["my cat", "my dog"]),
    ],
)
async def test_the_settings_say_how_a_folder_is_searched(
    table: dict[str, object], contents: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    write(folder, {"a.txt": "my cat", "b.txt": "my dog"})

    class Dogs(TopicModel):
        def _vector(self, text: str) -> array[float]:
            return array("f", [1.0, 0.0] if "dog" in text else [1.0, 1.0])

        async def embed_query(self, text: str) -> array[float]:
            return array("f", [1.0, 0.0])

    datasets = open_datasets({"k": {"folder": str(folder), **table}}, vectors=tmp_path / "v" / "x.db")
    found = await datasets.find("k").search("cat", top_k=5, embedders=Models(Dogs()))
    await datasets.close()

    assert [item.content for item in found] == contents
    assert (tmp_path / "v" / "x.db").exists() is ("keyword" not in str(table))
