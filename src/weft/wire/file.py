"""Files: what a message may refer to, and what an upload answers. Source: Dify service API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from weft.errors import InvalidRequestError
from weft.wire._field import OptionalUser, Text, parse_uuid
from weft.wire._model import SparseModel, WireModel
from weft.wire.instant import Created

FileType = Literal["image", "document", "audio", "video", "custom"]
TransferMethod = Literal["remote_url", "local_file"]


class FileInput(SparseModel):
    """A file in a request: an upload of before, or an address."""

    type: FileType | None = None
    """``None`` leaves it to the file's name and content type."""
    transfer_method: TransferMethod
    url: str | None = None
    """Address, for ``remote_url``."""
    upload_file_id: str | None = None
    """UUID of the upload, for ``local_file``."""

    @classmethod
    def local(cls, upload_file_id: str, type: FileType = "custom") -> FileInput:
        """A file that was uploaded before."""
        return cls(type=type, transfer_method="local_file", upload_file_id=upload_file_id)

    @classmethod
    def remote(cls, url: str, type: FileType = "custom") -> FileInput:
        """A file that lies elsewhere."""
        return cls(type=type, transfer_method="remote_url", url=url)


class FileUpload(Created, WireModel):
    """A file that was taken in."""

    id: str
    name: Text = ""
    size: int = 0
    """Bytes."""
    extension: str | None = None
    """Lower case, without the dot."""
    mime_type: str | None = None
    """As the sender gave it."""
    created_by: str | None = None
    """Id of the end user."""
    created_at: int | None = None
    """Unix seconds."""
    preview_url: str | None = None
    source_url: str | None = None
    """Signed address, valid for minutes."""
    original_url: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    conversation_id: str | None = None
    file_key: str | None = None


class FilePreviewQuery(WireModel):
    """Query string of a preview."""

    as_attachment: bool = False
    user: OptionalUser = None


def parse_file_inputs(items: Sequence[object] | None) -> list[FileInput]:
    """Read the files of a request as far as that needs no records.

    Empty items, items without `transfer_method` and remote items without an address are skipped
    silently; `remote_url` is another spelling of `url`.

    Raises:
        InvalidRequestError: A type or transfer method is unknown, or an upload's id is missing
            or not a UUID.
    """
    files = [_parse_file_input(item, f"files[{index}]") for index, item in enumerate(items or ())]
    return [file for file in files if file is not None]


def _parse_file_input(item: object, where: str) -> FileInput | None:
    if isinstance(item, FileInput):
        item = item.to_dict()
    if not item:
        return None
    if not isinstance(item, dict):
        raise InvalidRequestError(f"{where} must be an object")
    method = item.get("transfer_method")
    if not method:
        return None
    if method not in get_args(TransferMethod):
        raise InvalidRequestError(f"{where}.transfer_method must be one of: remote_url, local_file")
    kind = item.get("type") or None
    if kind is not None and kind not in get_args(FileType):
        raise InvalidRequestError(f"{where}.type must be one of: {', '.join(get_args(FileType))}")
    url = item.get("url") or item.get("remote_url") or None
    if url is not None and not isinstance(url, str):
        raise InvalidRequestError(f"{where}.url must be a string")
    upload_id = _parse_upload_id(item.get("upload_file_id"), required=method == "local_file")
    if method == "remote_url" and url is None and upload_id is None:
        return None
    return FileInput(type=kind, transfer_method=method, url=url, upload_file_id=upload_id)


def _parse_upload_id(value: object, *, required: bool) -> str | None:
    if not value:
        if required:
            raise InvalidRequestError("Invalid upload file id")
        return None
    try:
        if isinstance(value, str):
            return parse_uuid(value)
    except ValueError:
        pass
    raise InvalidRequestError("Invalid upload file id format")
