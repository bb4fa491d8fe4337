"""Uploads and previews. Source: Dify service API, `/files`."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.files import category_of, clean_name, extension_of
from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.file_reply import file_reply
from weft.server.multipart import Form, FormFile, PartHead, read_form
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.settings import Settings
from weft.store import Connection, StoredFile, files
from weft.wire import FilePreviewQuery, parse_request

_FORM_BYTES = 1024 * 1024
"""What a form may have besides its file."""
_REFUSED_IN_NAMES = re.compile(r'[/\\:*?"<>|]')


async def upload(request: Request) -> Response:
    """Take a file in."""
    call = await Call.begin(request)
    settings = call.runtime.settings
    limit = max(_limits(settings).values())
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit + _FORM_BYTES:
        raise _too_large()

    def max_file_bytes(head: PartHead) -> int:
        return _limits(settings)[category_of(head.filename)]

    with await read_form(request, max_file_bytes=max_file_bytes, max_bytes=limit + _FORM_BYTES) as form:
        user = await call.end_user(form.fields)
        file = _only(form)
        name = _checked_name(file, settings)
        if file.too_large:
            raise _too_large()
        row = await call.runtime.files.upload(
            call.app, user, name, file.content_type or "", file.file, file.size
        )
    return json_reply(_shown(row, call.runtime.files.links.sign(row.id)), 201)


def _only(form: Form) -> FormFile:
    file = form.file("file")
    if file is None:
        raise ApiError(400, "no_file_uploaded", "Please upload your file.")
    if len(form.files) > 1:
        raise ApiError(400, "too_many_files", "Only one file is allowed.")
    if not file.content_type:
        raise ApiError(415, "unsupported_file_type", "File type not allowed.")
    return file


def _checked_name(file: FormFile, settings: Settings) -> str:
    name = clean_name(file.filename)
    if not name:
        raise ApiError(400, "filename_not_exists_error", "The specified filename does not exist.")
    if _REFUSED_IN_NAMES.search(file.filename):
        raise InvalidRequestError("Filename contains invalid characters")
    blocked = (part.strip().lower().lstrip(".") for part in settings.server.blocked_extensions.split(","))
    extension = extension_of(name)
    if extension and extension in blocked:
        raise InvalidRequestError(f"File extension '.{extension}' is not allowed for security reasons")
    return name


def _limits(settings: Settings) -> dict[str, int]:
    limits = settings.limits
    return {
        "image": limits.max_image_bytes,
        "video": limits.max_video_bytes,
        "audio": limits.max_audio_bytes,
        "document": limits.max_document_bytes,
    }


def _too_large() -> ApiError:
    return ApiError(413, "file_too_large", "File size exceeded.")


def _shown(row: StoredFile, link: str) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "size": row.size,
        "extension": row.extension,
        "mime_type": row.mime_type,
        "created_by": row.created_by,
        "created_at": seconds(row.created_at),
        "preview_url": None,
        "source_url": link,
        "original_url": None,
        "user_id": None,
        "tenant_id": row.workspace_id,
        "conversation_id": None,
        "file_key": None,
    }


async def preview(request: Request) -> Response:
    """The bytes of a file that a message of this app came with or brought."""
    call = await Call.begin(request)
    fields = call.query
    await call.end_user(fields)
    file_id = path_id(request, "file_id", "The requested file was not found.")
    query = parse_request(FilePreviewQuery, fields)
    row = await call.read(lambda connection: _allowed(connection, call, file_id))
    return await file_reply(
        request,
        call.runtime.files,
        row,
        as_attachment=query.as_attachment,
        absent=ApiError(404, "file_not_found", "The requested file was not found."),
        cached=True,
    )


def _allowed(connection: Connection, call: Call, file_id: str) -> StoredFile:
    used_by = files.apps_that_use(connection, file_id)
    if not used_by:
        raise ApiError(404, "file_not_found", "File not found in message context")
    if call.app.id not in used_by:
        raise _denied("not owned by requesting app")
    row = files.find(connection, file_id)
    if row is None:
        raise ApiError(404, "file_not_found", "Upload file record not found")
    if row.workspace_id != call.app.workspace_id:
        raise _denied("tenant mismatch")
    if row.app_id != call.app.id:
        raise _denied("not owned by requesting app")
    return row


def _denied(reason: str) -> ApiError:
    return ApiError(403, "file_access_denied", f"File access denied: {reason}")


ROUTES = [
    Route("/files/upload", upload, methods=["POST"]),
    Route("/files/{file_id}/preview", preview, methods=["GET"]),
]
