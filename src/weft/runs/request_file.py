"""Files of a request: from what a caller writes to file records, by the app's rules.

No address is fetched here: a name and a kind are read off the address itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast, get_args
from uuid import UUID

from weft.errors import InvalidRequestError
from weft.ids import Ids
from weft.nodes import MakeFile, StartVariable
from weft.runs.app_version import UploadRules
from weft.variables import File, FileType, TransferMethod, remote_file

_TYPES = get_args(FileType)
_METHODS = get_args(TransferMethod)


def message_files(given: Iterable[object], rules: UploadRules, ids: Ids) -> list[File]:
    """The files of a message; a list is ignored as a whole where the app takes no files.

    Raises:
        InvalidRequestError: A file is not of the kinds that the app takes, or there are too many.
    """
    if not rules.enabled:
        return []
    files = [file for item in given if (file := _record(item, ids, rules)) is not None]
    images = sum(1 for file in files if file.type == "image")
    if images > rules.number_limits:
        raise _refuse(f"Number of image files exceeds the maximum limit {rules.number_limits}")
    if len(files) > rules.number_limits:
        raise _refuse(f"Number of files exceeds the maximum limit {rules.number_limits}")
    return files


def input_files(ids: Ids) -> MakeFile:
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
        return _record(given, ids, rules)

    return make


def _record(given: object, ids: Ids, rules: UploadRules) -> File | None:
    if not isinstance(given, Mapping) or not given.get("transfer_method"):
        return None
    method, kind = given["transfer_method"], given.get("type") or "custom"
    if method not in _METHODS:
        raise _refuse(f"transfer_method {method!r} is not one of {', '.join(_METHODS)}")
    if kind not in _TYPES:
        raise _refuse(f"type {kind!r} is not one of {', '.join(_TYPES)}")
    upload_id = given.get("upload_file_id")
    if method != "remote_url" or upload_id:
        raise _refuse_upload(upload_id)
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


def _refuse_upload(upload_id: object) -> InvalidRequestError:
    """Why a file that should have been uploaded before cannot be used: nobody has uploaded any."""
    if not upload_id:
        return _refuse("Invalid upload file id")
    try:
        UUID(upload_id if isinstance(upload_id, str) else "")
    except ValueError:
        return _refuse("Invalid upload file id format")
    return _refuse("Invalid upload file")


def _refuse(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, {"files": message})
