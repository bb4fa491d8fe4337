"""A dataset that is a folder of text files on this machine."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from weft.retrieval.chunk import split_text
from weft.retrieval.condition import MetadataFilter
from weft.retrieval.errors import RetrievalError
from weft.retrieval.passage import Passage
from weft.retrieval.ranking import KeywordIndex
from weft.variables import Value

_SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown", ".mdx", ".rst"})
_MAX_FILE_BYTES = 10 * 1024 * 1024
_MAX_TOTAL_BYTES = 50 * 1024 * 1024
"""Texts and their index are in memory."""


@dataclass(frozen=True, slots=True)
class _Index:
    passages: list[Passage]
    words: KeywordIndex


class FolderRetriever:
    """Finds passages of the files in a folder, and in those inside of it, by the words in them.

    The files are read at the first search; what changes afterwards is seen after a restart. What a Markdown
    file says of itself between two lines ``---`` at its top can be filtered by, and so can `document_name`,
    `path` and `last_update_date` (seconds since 1970) of every file.

    Args:
        dataset_id: The id that apps know it by.
        folder: Where the files are; names that begin with a dot are left out.
        name: What people call it.
    """

    def __init__(self, dataset_id: str, folder: Path, *, name: str = "") -> None:
        self.dataset_id = dataset_id
        self.name = name or dataset_id
        self._folder = folder
        self._index: _Index | None = None
        self._reading = asyncio.Lock()

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
    ) -> list[Passage]:
        """Passages with words of the query; see `weft.retrieval.Retriever`."""
        async with self._reading:
            if self._index is None:
                self._index = await asyncio.to_thread(self._read)
        index = self._index
        allowed = None if filters is None else [filters.matches(item.metadata) for item in index.passages]
        return [
            replace(index.passages[place], score=round(score, 6))
            for place, score in index.words.search(query, top_k, allowed)
            if score_threshold is None or score >= score_threshold
        ]

    def _read(self) -> _Index:
        try:
            passages = [passage for path in self._files() for passage in self._passages(path)]
        except OSError as error:
            raise RetrievalError(f"dataset {self.dataset_id!r} cannot be read: {error}") from error
        # The name of a file often says what its text takes for granted.
        return _Index(passages, KeywordIndex([f"{item.title}\n{item.content}" for item in passages]))

    def _files(self) -> Iterator[Path]:
        total = 0
        for path in sorted(self._folder.rglob("*")):
            inside = path.relative_to(self._folder).parts
            if path.suffix.lower() not in _SUFFIXES or any(part.startswith(".") for part in inside):
                continue
            if not path.is_file():
                continue
            size = path.stat().st_size
            total += size
            if size > _MAX_FILE_BYTES or total > _MAX_TOTAL_BYTES:
                raise RetrievalError(
                    f"dataset {self.dataset_id!r} is too large to be searched in memory: "
                    f"{'/'.join(inside)} has {size} bytes; "
                    f"a file may have {_MAX_FILE_BYTES} and all together {_MAX_TOTAL_BYTES}"
                )
            yield path

    def _passages(self, path: Path) -> Iterator[Passage]:
        relative = path.relative_to(self._folder).as_posix()
        notes, text = _front_matter(_decode(path.read_bytes()))
        document_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.dataset_id}/{relative}"))
        metadata: dict[str, Value] = {
            "document_name": path.name,
            "path": relative,
            "last_update_date": int(path.stat().st_mtime),
            **notes,
        }
        for position, content in enumerate(split_text(text), 1):
            yield Passage(
                content=content,
                title=path.name,
                document_id=document_id,
                document_name=path.name,
                data_source_type="upload_file",
                segment_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document_id}/{position}")),
                position=position,
                word_count=len(content),
                index_node_hash=hashlib.sha256(content.encode(errors="replace")).hexdigest(),
                metadata=metadata,
            )


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def _front_matter(text: str) -> tuple[dict[str, Value], str]:
    """What a file says of itself at its top, and the text after that."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return {}, text
    try:
        notes = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    if not isinstance(notes, dict):
        return {}, text
    return {str(key): _plain(value) for key, value in notes.items()}, "\n".join(lines[end + 1 :])


def _plain(value: object) -> Value:
    """A value that a condition can compare; dates and what has parts become text."""
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)
