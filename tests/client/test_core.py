from __future__ import annotations

import json

import pytest

from weft import errors, wire
from weft.client import ErrorReply, error_reply
from weft.client._call import get
from weft.client._core import ERRORS, Reply, error_of, read_reply, read_run

CALL = get(wire.AppInfo, "/info")

CLASSES: dict[str, tuple[int, type[errors.WeftError]]] = {
    "invalid_param": (400, errors.InvalidRequestError),
    "bad_request": (400, errors.InvalidRequestError),
    "app_unavailable": (400, errors.InvalidRequestError),
    "not_chat_app": (400, errors.InvalidRequestError),
    "not_workflow_app": (400, errors.InvalidRequestError),
    "not_completion_app": (400, errors.InvalidRequestError),
    "conversation_completed": (400, errors.ConflictError),
    "provider_not_initialize": (400, errors.CredentialsError),
    "provider_quota_exceeded": (400, errors.QuotaExceededError),
    "model_currently_not_support": (400, errors.UnsupportedModelError),
    "completion_request_error": (400, errors.ProviderError),
    "no_file_uploaded": (400, errors.InvalidRequestError),
    "too_many_files": (400, errors.InvalidRequestError),
    "filename_not_exists_error": (400, errors.InvalidRequestError),
    "file_too_large": (413, errors.InvalidRequestError),
    "unsupported_file_type": (415, errors.InvalidRequestError),
    "file_access_denied": (403, errors.ForbiddenError),
    "file_not_found": (404, errors.NotFoundError),
    "no_audio_uploaded": (400, errors.InvalidRequestError),
    "audio_too_large": (413, errors.InvalidRequestError),
    "unsupported_audio_type": (415, errors.InvalidRequestError),
    "provider_not_support_speech_to_text": (400, errors.UnsupportedModelError),
    "end_user_not_found": (404, errors.NotFoundError),
    "too_many_requests": (429, errors.TooManyRequestsError),
    "rate_limit_error": (429, errors.RateLimitedError),
    "invalid_form_data": (400, errors.InvalidRequestError),
    "human_input_form_submitted": (412, errors.ConflictError),
    "human_input_form_expired": (412, errors.ConflictError),
    "internal_server_error": (500, errors.ServerError),
    "unauthorized": (401, errors.UnauthorizedError),
    "forbidden": (403, errors.ForbiddenError),
    "not_found": (404, errors.NotFoundError),
    "method_not_allowed": (405, errors.RequestError),
    "request_entity_too_large": (413, errors.InvalidRequestError),
    "unsupported_media_type": (415, errors.InvalidRequestError),
    "unknown": (500, errors.ServerError),
}


def reply(status: int, body: bytes, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def told(status: int, code: str, message: str = "because") -> bytes:
    return json.dumps({"code": code, "message": message, "status": status}).encode()


@pytest.mark.parametrize("code", CLASSES)
def test_every_code_becomes_the_class_it_came_from(code: str) -> None:
    status, kind = CLASSES[code]
    error = error_of(CALL, reply(status, told(status, code), x_request_id="r-1"))
    known = error_reply(error)
    assert (type(error) in (kind, ErrorReply), isinstance(error, kind), str(error)) == (True, True, "because")
    assert known is not None
    assert (known.status, known.code, known.request_id) == (status, code, "r-1")


def test_codes_beyond_the_documented_ones_are_named() -> None:
    assert set(ERRORS) - set(CLASSES) == {
        "app_abnormal_status",
        "app_api_disabled",
        "account_banned",
        "app_not_found",
        "app_suggested_questions_after_answer_disabled",
        "authentication_failed",
        "bad_request_key_error",
        "conflict",
        "draft_workflow_not_exist",
        "draft_workflow_not_sync",
        "email_code_login_limit",
        "max_keys_exceeded",
        "not_setup",
        "precondition_failed",
        "workspace_archived",
        "workspace_not_found",
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.UnauthorizedError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (412, errors.ConflictError),
        (418, errors.RequestError),
        (422, errors.InvalidRequestError),
        (429, errors.TooManyRequestsError),
        (500, ErrorReply),
        (503, ErrorReply),
    ],
)
def test_a_code_nobody_knows_is_classed_by_its_status(status: int, kind: type[Exception]) -> None:
    error = error_of(CALL, reply(status, told(status, "novel_code")))
    known = error_reply(error)
    assert (type(error), known and known.code) == (kind, "novel_code")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Too many requests. Please try again later.", errors.TooManyRequestsError),
        ("Run failed: boom", errors.RunError),
        ("query is required", errors.InvalidRequestError),
    ],
)
def test_some_invalid_params_are_something_else(message: str, kind: type[Exception]) -> None:
    assert type(error_of(CALL, reply(400, told(400, "invalid_param", message)))) is kind


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502])
@pytest.mark.parametrize(
    "body",
    [b"", b"gone", b"null", b"[]", b'{"error":5}', b"\xff", b'{"code":5}', b"[" * 10**5],
)
def test_a_body_that_is_no_error_body_gives_an_unknown_server_error(status: int, body: bytes) -> None:
    error = error_of(CALL, reply(status, body))
    assert isinstance(error, ErrorReply)
    assert (error.status, error.code) == (status, "unknown")
    assert str(error) == f"GET /info failed with status {status} and no error body"


def test_a_page_for_people_tells_what_may_be_wrong() -> None:
    error = error_of(CALL, reply(404, b"\n<!DOCTYPE html><title>404</title>"))
    assert isinstance(error, ErrorReply)
    assert (error.status, error.code) == (404, "unknown")
    assert str(error) == (
        "GET /info failed with status 404 and no error body; "
        "the answer is an HTML page, so the base address may be wrong, or a proxy answered"
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "message", "code"),
    [
        (404, {"message": "API key not found"}, errors.NotFoundError, "API key not found", "unknown"),
        (
            400,
            {"message": "Cannot create more than 10 API keys.", "custom": "max_keys_exceeded"},
            errors.InvalidRequestError,
            "Cannot create more than 10 API keys.",
            "max_keys_exceeded",
        ),
        (400, {"error": "Bad date"}, errors.InvalidRequestError, "Bad date", "unknown"),
        (
            401,
            {"result": "fail", "message": "Invalid refresh token"},
            errors.UnauthorizedError,
            "Invalid refresh token",
            "unknown",
        ),
        (
            400,
            {"id": "i1", "status": "failed", "app_id": None, "error": "Missing app data in YAML content"},
            errors.InvalidRequestError,
            "Missing app data in YAML content",
            "unknown",
        ),
    ],
)
def test_an_error_body_of_another_shape_is_classed_by_its_status(
    status: int, body: dict[str, object], kind: type[Exception], message: str, code: str
) -> None:
    error = error_of(CALL, reply(status, json.dumps(body).encode()))
    known = error_reply(error)
    assert (type(error), str(error), known and known.code) == (kind, message, code)


def test_what_to_do_is_noted_below_an_error_that_does_not_say() -> None:
    error = error_of(CALL, reply(409, told(409, "draft_workflow_not_sync")))
    assert error.__notes__ == ["get the draft again, make the change there, and write it back"]


def test_keys_and_tokens_are_kept_out_of_errors() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl"
    body = '{"token": "app-0123456789abcdefABCDEFGH", "refresh_token": "abc", "password":"p\\"w", "x": "JWT"'
    with pytest.raises(ErrorReply) as caught:
        read_reply(CALL, reply(200, body.replace("JWT", jwt).encode()))
    assert caught.value.body == '{"token": "***", "refresh_token": "***", "password":"***", "x": "***"'
    error = error_of(CALL, reply(401, told(401, "unauthorized", f"bad token {jwt}")))
    assert str(error) == "bad token ***"


def test_a_redirect_tells_where_to() -> None:
    error = error_of(CALL, reply(301, b"", location="https://new.test/v1/info"))
    assert str(error) == (
        "GET /info failed with status 301 and no error body; "
        "it redirects to https://new.test/v1/info, use that as the base address"
    )


def test_an_error_keeps_the_beginning_of_a_long_body() -> None:
    error = error_of(CALL, reply(502, b"x" * 10_000))
    assert isinstance(error, ErrorReply)
    assert error.body == "x" * 2_000


@pytest.mark.parametrize("code", ["too_many_requests", "rate_limit_error"])
def test_the_wait_that_a_server_asks_for_is_on_the_error(code: str) -> None:
    error = error_of(CALL, Reply(429, {}, told(429, code), retry_after=7.0))
    assert isinstance(error, errors.TooManyRequestsError | errors.RateLimitedError)
    assert error.retry_after == 7.0


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"name": 5}'])
def test_a_success_that_cannot_be_read_is_a_server_error(body: bytes) -> None:
    with pytest.raises(
        ErrorReply, match="GET /info was answered with something else than expected"
    ) as caught:
        read_reply(CALL, reply(200, body))
    assert (caught.value.status, caught.value.code) == (200, "unknown")


def test_a_run_full_of_nulls_is_not_found() -> None:
    with pytest.raises(errors.NotFoundError, match="Workflow run not found"):
        read_run(b'{"id": null, "status": null, "inputs": null}')
    assert read_run(b'{"id": "r1", "status": "running"}').id == "r1"
    for broken in (b"{", b'{"id": 5}', b"[" * 100_000):
        with pytest.raises(ValueError):
            read_run(broken)


def test_an_error_of_another_origin_has_no_reply() -> None:
    assert error_reply(ValueError("x")) is None
