"""A text file of a folder as passages."""

from __future__ import annotations

import codecs
import hashlib
import uuid
from pathlib import Path

import yaml

from weft.retrieval.chunk import split_text
from weft.retrieval.passage import Passage
from weft.variables import Value

SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown", ".mdx", ".rst"})


def read_passages(dataset_id: str, path: Path, relative: str) -> list[Passage]:
    """The passages of a file, in order; their ids follow from dataset, path and place.

    Args:
        dataset_id: Which dataset the file belongs to.
        path: The file.
        relative: Its path in the dataset's folder, with ``/``.

    Raises:
        OSError: It cannot be read.
    """
    notes, text = _front_matter(_decode(path.read_bytes()))
    document_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset_id}/{relative}"))
    metadata: dict[str, Value] = {
        "document_name": path.name,
        "path": relative,
        "last_update_date": int(path.stat().st_mtime),
        **notes,
    }
    return [
        Passage(
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
        for position, content in enumerate(split_text(text), 1)
    ]


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
