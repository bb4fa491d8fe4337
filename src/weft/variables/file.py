"""A file as a value of a run: a reference with its facts, never the bytes."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

FileType = Literal["image", "document", "audio", "video", "custom"]
TransferMethod = Literal["remote_url", "local_file", "tool_file", "datasource_file"]

_ATTRIBUTES = frozenset(
    {"type", "size", "name", "mime_type", "transfer_method", "url", "extension", "related_id"}
)


class File(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="dify_model_identity",
    tag="__dify__file__",
):
    """A file record, in the JSON form that the API and the stored logs show.

    Source: Dify app DSL, file variables.
    """

    id: str | None = None
    tenant_id: str | None = None
    type: FileType = "custom"
    transfer_method: TransferMethod = "remote_url"
    remote_url: str | None = None
    related_id: str | None = None
    """Id of the upload or tool file behind the record."""
    filename: str | None = None
    extension: str | None = None
    """With its dot, lower case."""
    mime_type: str | None = None
    size: int | None = None
    """Bytes; ``None`` or -1 where nobody knows."""
    url: str | None = None

    def attribute(self, name: str) -> object:
        """What a selector reads with one more part, e.g. ``name``; `KeyError` for anything else."""
        if name not in _ATTRIBUTES:
            raise KeyError(name)
        if name == "name":
            return self.filename
        if name == "url":
            return self.url or self.remote_url
        return getattr(self, name)

    @property
    def link(self) -> str:
        """An address to fetch the file from; empty when there is none."""
        return self.url or self.remote_url or ""


def remote_file(url: str, *, type: FileType | None = None, id: str | None = None) -> File:
    """A record of a file that lies at an address; its name and kind are guessed from the address alone."""
    name = unquote(PurePosixPath(urlsplit(url).path).name) or "file"
    mime_type = mimetypes.guess_type(name)[0]
    return File(
        id=id,
        type=type or kind_of(mime_type),
        transfer_method="remote_url",
        remote_url=url,
        url=url,
        filename=name,
        extension=PurePosixPath(name).suffix.lower(),
        mime_type=mime_type,
    )


def kind_of(mime_type: str | None) -> FileType:
    """The kind of file that a MIME type stands for."""
    match (mime_type or "").split("/", 1)[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
        case "":
            return "custom"
        case _:
            return "document"
