"""One operation as the document tells it, and the words that its tables are written in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from weft.wire import WireModel

Handler = Callable[[Request], Awaitable[Response]]
Security = Literal["app_key", "console", "operator", "none"]
Schema = dict[str, object]
"""A JSON schema."""
Content = Mapping[str, object]
"""Media types, each with a `Schema` or a type that one is made of."""

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
FORM: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"
TEXT: Final[Schema] = {"type": "string"}
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
DONE: Final[Schema] = {
    "type": "object",
    "properties": {"result": {"const": "success"}},
    "required": ["result"],
}

STATUS_OF: Final[Mapping[str, int]] = {
    code: status
    for status, codes in {
        400: """
            account_banned app_unavailable bad_request completion_request_error conversation_completed
            filename_not_exists_error invalid_form_data invalid_param max_keys_exceeded
            model_currently_not_support no_audio_uploaded no_file_uploaded not_chat_app not_workflow_app
            provider_not_initialize provider_not_support_speech_to_text provider_quota_exceeded source_failed
            too_many_files
        """,
        401: "authentication_failed invalid_api_key unauthorized",
        403: "file_access_denied forbidden",
        404: """
            app_not_found draft_workflow_not_exist end_user_not_found file_not_found model_not_found not_found
        """,
        409: "archive_locked conflict draft_workflow_not_sync retention_refused",
        412: "human_input_form_expired human_input_form_submitted",
        413: "audio_too_large file_too_large request_entity_too_large",
        415: "unsupported_audio_type unsupported_file_type unsupported_media_type",
        416: "range_not_satisfiable",
        431: "request_header_fields_too_large",
        429: "email_code_login_limit rate_limit_error too_many_requests",
        500: "archive_damaged archive_failed internal_server_error",
        503: "archive_read_only service_unavailable",
        507: "archive_full",
    }.items()
    for code in codes.split()
}
"""The status that every error code comes with."""

BODY_ERRORS: Final = "bad_request invalid_param request_entity_too_large unsupported_media_type"
"""What can be wrong with any JSON body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a method of a path takes and answers."""

    method: str
    path: str
    """Below the prefix of its API."""
    handler: Handler
    """Its docstring is the summary, its name is in the id."""
    answers: Mapping[int, Content]
    """Successes by status; no content is an empty body."""
    errors: str = ""
    """Codes, besides those that all operations of the API have; separated by blanks."""
    query: type[WireModel] | None = None
    more_query: Mapping[str, Schema] = field(default_factory=dict)
    """Further keys of the query string, none of them required."""
    body: Content = field(default_factory=dict)
    body_required: bool = True
    path_schemas: Mapping[str, Schema] = field(default_factory=dict)
    """Of the path's parts that are no UUIDs."""
    security: Security | None = None
    """``None`` is that of the API."""
    summary: str = ""
    """Instead of the docstring's."""

    @property
    def words(self) -> str:
        """What it does, in a sentence."""
        return self.summary or (self.handler.__doc__ or "").strip().partition("\n")[0]


def get(path: str, handler: Handler, answer: object, errors: str = "", **more: object) -> Operation:
    """Something that is read as JSON."""
    return _operation("GET", path, handler, {200: {JSON: answer}}, errors, more)


def post(
    path: str, handler: Handler, body: object, answer: object, errors: str = "", **more: object
) -> Operation:
    """Something that is done with JSON and answered with it."""
    return _operation(
        "POST",
        path,
        handler,
        {200: {JSON: answer}},
        f"{BODY_ERRORS} {errors}",
        {"body": {JSON: body}, **more},
    )


def _operation(
    method: str,
    path: str,
    handler: Handler,
    answers: Mapping[int, Content],
    errors: str,
    more: dict[str, object],
) -> Operation:
    fields: dict[str, object] = {"answers": answers, **more}
    return Operation(method=method, path=path, handler=handler, errors=errors, **fields)  # type: ignore[arg-type]  # checked by the tests of the document
