"""What an answer means: a model, or the same error that the server raised.

The table turns the code of an error body back into the class it was made from, so that
``except weft.errors.NotFoundError`` means the same on both ends. What the class has no room for
(HTTP status, code, request id, body) hangs on the error as its cause, an `ErrorReply`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from weft import wire
from weft.client._call import Call
from weft.client._secret import hide
from weft.errors import (
    ConfigError,
    ConflictError,
    CredentialsError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
    RequestError,
    RunError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
    UnsupportedModelError,
    WeftError,
)

if TYPE_CHECKING:
    from weft.wire import RunDetail

T = TypeVar("T")

MAX_BODY_CHARS = 2_000
"""Characters of a body that an error keeps."""

ERRORS: Mapping[str, type[WeftError]] = {
    "invalid_param": InvalidRequestError,
    "bad_request": InvalidRequestError,
    "bad_request_key_error": InvalidRequestError,
    "app_unavailable": InvalidRequestError,
    "not_chat_app": InvalidRequestError,
    "not_workflow_app": InvalidRequestError,
    "not_completion_app": InvalidRequestError,
    "conversation_completed": ConflictError,
    "provider_not_initialize": CredentialsError,
    "provider_quota_exceeded": QuotaExceededError,
    "model_currently_not_support": UnsupportedModelError,
    "completion_request_error": ProviderError,
    "no_file_uploaded": InvalidRequestError,
    "too_many_files": InvalidRequestError,
    "filename_not_exists_error": InvalidRequestError,
    "file_too_large": InvalidRequestError,
    "unsupported_file_type": InvalidRequestError,
    "file_access_denied": ForbiddenError,
    "file_not_found": NotFoundError,
    "no_audio_uploaded": InvalidRequestError,
    "audio_too_large": InvalidRequestError,
    "unsupported_audio_type": InvalidRequestError,
    "provider_not_support_speech_to_text": UnsupportedModelError,
    "end_user_not_found": NotFoundError,
    "too_many_requests": TooManyRequestsError,
    "rate_limit_error": RateLimitedError,
    "invalid_form_data": InvalidRequestError,
    "human_input_form_submitted": ConflictError,
    "human_input_form_expired": ConflictError,
    "app_suggested_questions_after_answer_disabled": InvalidRequestError,
    "unauthorized": UnauthorizedError,
    "forbidden": ForbiddenError,
    "not_found": NotFoundError,
    "app_not_found": NotFoundError,
    "workspace_not_found": NotFoundError,
    "app_abnormal_status": ForbiddenError,
    "app_api_disabled": ForbiddenError,
    "workspace_archived": ForbiddenError,
    "method_not_allowed": RequestError,
    "request_entity_too_large": InvalidRequestError,
    "unsupported_media_type": InvalidRequestError,
    "precondition_failed": ConflictError,
    "conflict": ConflictError,
    "internal_server_error": ServerError,
    "unknown": ServerError,
    # the console's own
    "authentication_failed": UnauthorizedError,
    "email_code_login_limit": TooManyRequestsError,
    "account_banned": ForbiddenError,
    "not_setup": ConfigError,
    "draft_workflow_not_exist": NotFoundError,
    "draft_workflow_not_sync": ConflictError,
    "max_keys_exceeded": InvalidRequestError,
}
"""Class of an error by the code of its body."""

_ADVICE: Mapping[str, str] = {
    "unauthorized": "check that the key or the account belongs to this server and still exists",
    "not_setup": "the server has no administrator yet; open its /install page",
    "draft_workflow_not_sync": "get the draft again, make the change there, and write it back",
    "not_chat_app": "the app is of another mode; info() tells which",
    "not_workflow_app": "the app is of another mode; info() tells which",
    "app_unavailable": "publish the app first",
}
"""What to do about an error, as a note below it, where its message does not say."""

_BY_STATUS: Mapping[int, type[WeftError]] = {
    400: InvalidRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
}
"""Class of an error whose code is not in the table."""

_BY_TEXT: Mapping[str, type[WeftError]] = {
    "Too many requests": TooManyRequestsError,
    "Run failed:": RunError,
}
"""What Dify reports as ``invalid_param`` although no parameter is wrong, by how the message begins."""


_SAYS_WHY = ("message", "error", "data")
"""Keys of error bodies that hold a sentence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    retry_after: float | None = None
    """Seconds the server asks to wait."""
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Those that this answer sets."""

    @property
    def request_id(self) -> str | None:
        """What the server calls this request in its own logs."""
        return self.headers.get("x-request-id") or self.headers.get("x-trace-id")

    @property
    def text(self) -> str:
        """The beginning of the body, without anything that looks like a key or a token."""
        return hide(self.body[: 4 * MAX_BODY_CHARS].decode(errors="replace"))[:MAX_BODY_CHARS]

    @property
    def is_page(self) -> bool:
        """Whether the body is a page for people."""
        return self.body[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))


class ErrorReply(ServerError):
    """An error as the server told it; raised itself when no closer class fits, else the cause.

    Attributes:
        status: HTTP status; of an `error` event, the one it would have been.
        code: Of the error body; ``unknown`` when there was none, e.g. an HTML page.
        request_id: What the server calls the request in its own logs.
        body: Beginning of the body, at most 2,000 characters.
        answer: What had arrived of the answer, when the error came on an event stream.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "unknown",
        request_id: str | None = None,
        body: str = "",
        answer: str | None = None,
    ) -> None:
        self.body = body
        self.answer = answer
        super().__init__(message, status=status, code=code, request_id=request_id)


def error_reply(error: BaseException) -> ErrorReply | None:
    """How the server told an error: its status, code, body and partial answer; ``None`` if it did not."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ErrorReply):
        seen = seen.__cause__
    return seen


def error_from(told: ErrorReply, *, retry_after: float | None = None, has_code: bool = True) -> WeftError:
    """The error in the class it was made from on the server, caused by what the server told.

    Args:
        told: Status, code and message.
        retry_after: Seconds the server asks to wait.
        has_code: Whether the server gave a code; without one the status decides.
    """
    message = str(told)
    kind = ERRORS.get(told.code) if has_code else None
    if kind is None:
        kind = _BY_STATUS.get(told.status, RequestError if 400 <= told.status < 500 else ServerError)
    if told.code == "invalid_param":
        kind = next((known for start, known in _BY_TEXT.items() if message.startswith(start)), kind)
    advice = _ADVICE.get(told.code)
    if kind is ServerError:
        return told
    error: WeftError
    if kind is TooManyRequestsError:
        error = TooManyRequestsError(message, retry_after=retry_after)
    elif kind is RateLimitedError:
        error = RateLimitedError(message, retry_after=retry_after)
    else:
        error = kind(message)
    error.__cause__ = told
    if advice:
        error.add_note(advice)
    return error


def read_reply(call: Call[T], reply: Reply) -> T:
    """The model that an answer holds.

    Raises:
        WeftError: The answer is an error, in the class of its code.
        ErrorReply: The answer cannot be read.
    """
    if not 200 <= reply.status < 300:
        raise error_of(call, reply)
    try:
        return call.read(reply.body)
    except ValueError as error:
        raise _unreadable(reply, f"{call} was answered with something else than expected: {error}") from None


def error_of(call: Call[object], reply: Reply) -> WeftError:
    """The error that an answer tells of."""
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return _unreadable(reply, f"{call} failed with status {reply.status} and no error body")
    code = body.get("code") or body.get("custom")  # older answers name it so, or not at all
    has_code = isinstance(code, str)
    message = next((text for key in _SAYS_WHY if isinstance(text := body.get(key), str) and text), code)
    if not isinstance(message, str):
        return _unreadable(reply, f"{call} failed with status {reply.status} and no error body")
    told = ErrorReply(
        hide(message),
        status=reply.status,
        code=str(code) if has_code else "unknown",
        request_id=reply.request_id,
        body=reply.text,
    )
    return error_from(told, retry_after=reply.retry_after, has_code=has_code)


def refused_stream(call: Call[object], reply: Reply, wanted: str = "an event stream") -> WeftError:
    """The error for an answer that should have been a stream and is not."""
    if not 200 <= reply.status < 300:
        return error_of(call, reply)
    kind = reply.headers.get("content-type") or "no content type"
    return _unreadable(reply, f"{call} was answered with {kind} instead of {wanted}")


def is_stream(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer, its body still unread, is an event stream."""
    return status == 200 and headers.get("content-type", "").lower().startswith("text/event-stream")


def is_sound(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer, its body still unread, is what it shall be: a file, not JSON and no page."""
    kind = headers.get("content-type", "").lower()
    return status == 200 and not kind.startswith(("application/json", "text/html"))


def is_file(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer, its body still unread, is a file or a part of one; files may be of any type."""
    return status in (200, 206)


def read_run(body: bytes) -> RunDetail:
    """A run's detail.

    Raises:
        NotFoundError: There is no such run; Dify up to 1.12 says so with a success full of nulls.
        ValueError: The body is not as expected.
    """
    try:
        return wire.parse_answer(wire.RunDetail, body)
    except ValueError:
        if _has_no_id(body):
            raise NotFoundError("Workflow run not found.", kind="run") from None
        raise


def read_console_run(body: bytes) -> wire.console.WorkflowRunDetail:
    """A run's detail as the console tells it.

    Raises:
        NotFoundError: There is no such run; Dify says so with a success full of nulls.
        ValueError: The body is not as expected.
    """
    try:
        return wire.parse_answer(wire.console.WorkflowRunDetail, body)
    except ValueError:
        if _has_no_id(body):
            raise NotFoundError("Workflow run not found.", kind="run") from None
        raise


def read_published(body: bytes) -> wire.console.WorkflowDraft | None:
    """The published graph, or ``None``.

    Raises:
        ValueError: The body is not as expected.
    """
    return None if body.strip() == b"null" else wire.parse_answer(wire.console.WorkflowDraft, body)


def _has_no_id(body: bytes) -> bool:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "id" in fields and fields["id"] is None


def _unreadable(reply: Reply, message: str) -> ErrorReply:
    target = reply.headers.get("location")
    if target:
        message += f"; it redirects to {target}, use that as the base address"
    elif reply.is_page:
        message += "; the answer is an HTML page, so the base address may be wrong, or a proxy answered"
    return ErrorReply(message, status=reply.status, request_id=reply.request_id, body=reply.text)
