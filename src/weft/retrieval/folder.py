"""A dataset that is a folder of text files on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from weft.retrieval.condition import MetadataFilter
from weft.retrieval.errors import RetrievalError
from weft.retrieval.passage import Passage
from weft.retrieval.port import Embedder, Embedders
from weft.retrieval.ranking import KeywordIndex
from weft.retrieval.text_file import SUFFIXES, read_passages
from weft.retrieval.vector import Packed, VectorIndex, pack
from weft.retrieval.vector_store import VectorStore

_MAX_FILE_BYTES = 10 * 1024 * 1024
_MAX_TOTAL_BYTES = 50 * 1024 * 1024
"""Texts and their index are in memory."""
_MAX_VECTOR_BYTES = 512 * 1024 * 1024
"""Of one model's vectors in memory, at four bytes a number."""
_LOOK_AGAIN_SECONDS = 2.0
"""How long a change of a file may go unnoticed."""
_TEXTS_AT_ONCE = 256
"""Passages that are embedded before their vectors are saved."""
_Stamp = tuple[int, int]
"""Size and time of a file's last change, in nanoseconds."""


@dataclass(slots=True)
class _Index:
    """What was in the folder when somebody looked."""

    passages: list[Passage]
    words: KeywordIndex
    vectors: dict[str, VectorIndex] = field(default_factory=dict)
    """By the key of their model."""


class FolderRetriever:
    """Finds passages of the files in a folder, and in those inside of it, by their words and their meaning.

    The files are read at the first search, and those that have changed at a later one. A score is made of two
    parts from 0 to 1: the share of the question's weight that a passage's words carry, and the cosine of
    their vectors. What a Markdown file says of itself between two lines ``---`` at its top can be filtered
    by, and so can `document_name`, `path` and `last_update_date` (seconds since 1970) of every file.

    Args:
        dataset_id: The id that apps know it by.
        folder: Where the files are; names that begin with a dot are left out.
        name: What people call it.
        description: What can be found in it.
        embedding_model: ``provider/model``; empty for the one that is usually taken.
        vector_weight: How much meaning counts against words, from 0 to 1; with 0 nothing is embedded.
        vectors: Where vectors are kept.
        monotonic: Tells seconds, to look for changes now and then.
    """

    def __init__(
        self,
        dataset_id: str,
        folder: Path,
        *,
        name: str = "",
        description: str = "",
        embedding_model: str = "",
        vector_weight: float = 0.5,
        vectors: VectorStore | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dataset_id = dataset_id
        self.name = name or dataset_id
        self.description = description
        self._folder = folder
        self._model = embedding_model
        self._vector_weight = vector_weight
        self._store = vectors or VectorStore()
        self._monotonic = monotonic
        self._looked_at = -_LOOK_AGAIN_SECONDS
        self._files: dict[str, tuple[_Stamp, list[Passage]]] = {}
        self._index: _Index | None = None
        self._reading = asyncio.Lock()

    async def metadata_fields(self) -> list[str]:
        """What the files say of themselves, and what is known of every file; sorted."""
        index = await self._current()
        return sorted({name for passage in index.passages for name in passage.metadata})

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
        embedders: Embedders | None = None,
    ) -> list[Passage]:
        """Passages like the query; see `weft.retrieval.Retriever`."""
        index = await self._current()
        wanted = vectors = None
        if embedders is not None and self._vector_weight and index.passages:
            embedder = embedders.find(self._model)
            vectors = await self._vectors(index, embedder)
            wanted = pack(await embedder.embed_query(query))
            if len(wanted.data) != vectors.dimensions:
                raise self._changed(embedder.key)
        found = await asyncio.to_thread(self._rank, index, query, top_k, filters, vectors, wanted)
        return [item for item in found if score_threshold is None or (item.score or 0.0) >= score_threshold]

    def _rank(
        self,
        index: _Index,
        query: str,
        top_k: int,
        filters: MetadataFilter | None,
        vectors: VectorIndex | None,
        wanted: Packed | None,
    ) -> list[Passage]:
        passages = index.passages
        allowed = None if filters is None else [filters.matches(item.metadata) for item in passages]
        if vectors is None or wanted is None:
            return [
                replace(passages[place], score=round(score, 6))
                for place, score in index.words.search(query, top_k, allowed)
            ]
        weight = self._vector_weight
        words = dict(index.words.search(query, len(passages), allowed)) if weight < 1 else {}
        likeness = vectors.similarities(wanted)
        scores = [
            (weight * max(0.0, like) + (1 - weight) * words.get(place, 0.0), -place)
            for place, like in enumerate(likeness)
            if allowed is None or allowed[place]
        ]
        return [
            replace(
                passages[-place],
                score=round(score, 6),
                vector_score=round(max(0.0, likeness[-place]), 6),
            )
            for score, place in heapq.nlargest(top_k, scores)
            if score > 0
        ]

    async def _current(self) -> _Index:
        """The folder as it is, or was a moment ago."""
        async with self._reading:
            now = self._monotonic()
            if self._index is None or now - self._looked_at >= _LOOK_AGAIN_SECONDS:
                self._index = await asyncio.to_thread(self._read, self._index)
                self._looked_at = now
            return self._index

    def _read(self, before: _Index | None) -> _Index:
        """The folder's index; the one before if nothing has changed."""
        try:
            stamps = self._stamps()
            if before is not None and stamps == {name: stamp for name, (stamp, _) in self._files.items()}:
                return before
            files = {}
            for name, stamp in stamps.items():
                known = self._files.get(name)
                if known is None or known[0] != stamp:
                    known = (stamp, read_passages(self.dataset_id, self._folder / name, name))
                files[name] = known
        except OSError as error:
            raise RetrievalError(f"dataset {self.dataset_id!r} cannot be read: {error}") from error
        self._files = files
        passages = [passage for _, items in files.values() for passage in items]
        return _Index(passages, KeywordIndex([_searched(item) for item in passages]))

    def _stamps(self) -> dict[str, _Stamp]:
        found: dict[str, _Stamp] = {}
        total = 0
        for path in sorted(self._folder.rglob("*")):
            inside = path.relative_to(self._folder)
            if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in inside.parts):
                continue
            if not path.is_file():
                continue
            about = path.stat()
            total += about.st_size
            if about.st_size > _MAX_FILE_BYTES or total > _MAX_TOTAL_BYTES:
                raise RetrievalError(
                    f"dataset {self.dataset_id!r} is too large to be searched in memory: "
                    f"{inside.as_posix()} has {about.st_size} bytes; "
                    f"a file may have {_MAX_FILE_BYTES} and all together {_MAX_TOTAL_BYTES}"
                )
            found[inside.as_posix()] = (about.st_size, about.st_mtime_ns)
        return found

    async def _vectors(self, index: _Index, embedder: Embedder) -> VectorIndex:
        """The vectors of all passages; only those that nobody has seen yet are asked for."""
        async with self._reading:
            known = index.vectors.get(embedder.key)
            if known is None:
                known = index.vectors[embedder.key] = await self._embedded(index, embedder)
            return known

    async def _embedded(self, index: _Index, embedder: Embedder) -> VectorIndex:
        dataset, model = self.dataset_id, embedder.key
        texts = [_searched(passage) for passage in index.passages]
        hashes = [hashlib.sha256(text.encode(errors="replace")).digest() for text in texts]
        rows = await asyncio.to_thread(self._store.load, dataset, model, hashes)
        missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in rows}
        pending = list(missing.items())
        for start in range(0, len(pending), _TEXTS_AT_ONCE):
            part = pending[start : start + _TEXTS_AT_ONCE]
            vectors = await embedder.embed_texts([text for _, text in part])
            fresh = await asyncio.to_thread(_pack_all, [key for key, _ in part], vectors)
            await asyncio.to_thread(self._store.save, dataset, model, fresh)
            rows |= fresh
        if pending:
            await asyncio.to_thread(self._store.prune, dataset, model, set(hashes))
        return await asyncio.to_thread(self._indexed, [rows[key] for key in hashes], model)

    def _indexed(self, rows: list[Packed], model: str) -> VectorIndex:
        dimensions = len(rows[0].data)
        if any(len(row.data) != dimensions for row in rows):
            raise self._changed(model)
        size = 4 * dimensions * len(rows)
        if size > _MAX_VECTOR_BYTES:
            raise RetrievalError(
                f"dataset {self.dataset_id!r} is too large for vectors in memory: {len(rows)} passages of "
                f"{dimensions} numbers take {size} bytes of {_MAX_VECTOR_BYTES}; choose a model with shorter "
                'vectors, or set search_method = "keyword_search"'
            )
        return VectorIndex(rows)

    def _changed(self, model: str) -> RetrievalError:
        return RetrievalError(
            f"dataset {self.dataset_id!r}: model {model!r} gives vectors of another length than before; "
            "delete the file of vectors, so that the passages are embedded again"
        )


def _searched(passage: Passage) -> str:
    """What of a passage is searched: the name of a file often says what its text takes for granted."""
    return f"{passage.title}\n{passage.content}"


def _pack_all(keys: Sequence[bytes], vectors: Sequence[Sequence[float]]) -> dict[bytes, Packed]:
    return {key: pack(vector) for key, vector in zip(keys, vectors, strict=True)}
