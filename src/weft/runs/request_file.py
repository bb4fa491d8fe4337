"""Files of a request: from what a caller writes to file records, by the app's rules.

No address is fetched here: a name and a kind are read off the address itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, cast, get_args

import msgspec

from weft.errors import InvalidRequestError
from weft.ids import Ids
from weft.nodes import MakeFile, StartVariable, is_kept
from weft.runs.app_version import UploadRules
from weft.variables import File, FileType, TransferMethod, Value, remote_file
from weft.wire import parse_uuid

_TYPES = get_args(FileType)
_METHODS = get_args(TransferMethod)
_MAX_UPLOADS = 500
"""Uploads that one request may name; further ones count as unknown."""

FindUpload: TypeAlias = Callable[[str, FileType, TransferMethod], File | None]
"""The record of an upload that this caller may use, by its id, and the kind and way that the request says."""


def no_upload(id: str, type: FileType, method: TransferMethod) -> File | None:
    """Nobody has uploaded anything."""
    return None


def upload_ids(files: Iterable[object], inputs: Mapping[str, object]) -> set[str]:
    """Ids of the uploads that a request names anywhere, in their normal form."""
    found: set[str] = set()
    for item in [*files, *(item for value in inputs.values() for item in _items(value))]:
        id = item.get("upload_file_id") if isinstance(item, Mapping) else None
        if isinstance(id, str) and len(found) < _MAX_UPLOADS:
            try:
                found.add(parse_uuid(id))
            except ValueError:
                continue  # refused where it is used, by name
    return found


def kept_ids(values: Iterable[Value]) -> set[str]:
    """Ids of the uploads among files and lists of files."""
    files = (item for value in values for item in _items(value) if isinstance(item, File))
    return {str(file.related_id) for file in files if is_kept(file)}


def without_links(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values as they are stored: links to kept files expire, so they are made when they are read."""
    return {
        name: [_without_link(item) for item in value] if isinstance(value, list) else _without_link(value)
        for name, value in values.items()
    }


def _without_link(value: Value) -> Value:
    return msgspec.structs.replace(value, url=None) if isinstance(value, File) and is_kept(value) else value


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else (value,)


def message_files(
    given: Iterable[object], rules: UploadRules, ids: Ids, find_upload: FindUpload = no_upload
) -> list[File]:
    """The files of a message; a list is ignored as a whole where the app takes no files.

    Raises:
        InvalidRequestError: A file is not of the kinds that the app takes, or there are too many.
    """
    if not rules.enabled:
        return []
    files = [file for item in given if (file := _record(item, ids, rules, find_upload)) is not None]
    images = sum(1 for file in files if file.type == "image")
    if images > rules.number_limits:
        raise _refuse(f"Number of image files exceeds the maximum limit {rules.number_limits}")
    if len(files) > rules.number_limits:
        raise _refuse(f"Number of files exceeds the maximum limit {rules.number_limits}")
    return files


def input_files(ids: Ids, find_upload: FindUpload = no_upload) -> MakeFile:
    """How the files of start variables are made."""

    def make(name: str, given: Mapping[str, object], variable: StartVariable) -> File | None:
        rules = UploadRules(
            enabled=True,
            allowed_types=tuple(variable.allowed_file_types),
            allowed_extensions=tuple(
                "." + extension.lower().lstrip(".") for extension in variable.allowed_file_extensions
            ),
            allowed_methods=tuple(variable.allowed_file_upload_methods),
        )
        return _record(given, ids, rules, find_upload)

    return make


def _record(given: object, ids: Ids, rules: UploadRules, find_upload: FindUpload) -> File | None:
    if not isinstance(given, Mapping) or not given.get("transfer_method"):
        return None
    method, kind = given["transfer_method"], given.get("type") or "custom"
    if method not in _METHODS:
        raise _refuse(f"transfer_method {method!r} is not one of {', '.join(_METHODS)}")
    if kind not in _TYPES:
        raise _refuse(f"type {kind!r} is not one of {', '.join(_TYPES)}")
    upload_id = given.get("upload_file_id")
    if method != "remote_url" or upload_id:
        file = _upload(upload_id, cast(FileType, kind), cast(TransferMethod, method), find_upload)
        _check(file, str(kind), rules)
        return file
    url = given.get("url") or given.get("remote_url")
    if not isinstance(url, str) or not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise _refuse(f"url {url!r} does not start with http:// or https://")
    try:
        file = remote_file(url, type=cast(FileType, kind) if kind != "custom" else None, id=ids.new())
    except ValueError as error:
        raise _refuse(f"url {url!r} is not an address: {error}") from error
    _check(file, str(kind), rules)
    return file


def _check(file: File, declared: str, rules: UploadRules) -> None:
    allowed = (
        not rules.allowed_types or declared in rules.allowed_types
        if declared != "custom"
        else not rules.allowed_extensions or (file.extension or "") in rules.allowed_extensions
    )
    if not allowed or (rules.allowed_methods and file.transfer_method not in rules.allowed_methods):
        raise _refuse(f"File validation failed for file: {file.filename}")


def _upload(id: object, kind: FileType, method: TransferMethod, find: FindUpload) -> File:
    if not id:
        raise _refuse("Invalid upload file id")
    try:
        normal = parse_uuid(id if isinstance(id, str) else "")
    except ValueError as error:
        raise _refuse("Invalid upload file id format") from error
    # Files of tools are not for callers to name.
    file = find(normal, kind, method) if method in ("local_file", "remote_url") else None
    if file is None:
        raise _refuse("Invalid upload file")
    return file


def _refuse(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, {"files": message})
