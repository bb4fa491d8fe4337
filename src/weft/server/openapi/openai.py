"""The operations of the door for clients of OpenAI's models, whose bodies are theirs."""

from __future__ import annotations

from typing import Final

from weft.server.openai_api import completions, models
from weft.server.openapi.operation import BODY_ERRORS, EVENTS, JSON, TEXT, Operation, Schema

COMMON: Final = "unauthorized forbidden too_many_requests internal_server_error"

ERROR: Final[Schema] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": TEXT,
                "type": TEXT,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_NUMBER: Final[Schema] = {"type": "integer"}
_USAGE: Final = _object(prompt_tokens=_NUMBER, completion_tokens=_NUMBER, total_tokens=_NUMBER)
_WHERE: Final = _object(conversation_id=TEXT, message_id=TEXT)
_ANSWER: Final = _object(
    id=TEXT,
    object={"const": "chat.completion"},
    created=_NUMBER,
    model=TEXT,
    metadata=_WHERE,
    choices={
        "type": "array",
        "items": _object(
            index=_NUMBER,
            message=_object(role={"const": "assistant"}, content=TEXT, refusal={"type": "null"}),
            logprobs={"type": "null"},
            finish_reason=TEXT,
        ),
    },
    usage=_USAGE,
)
_CHUNK: Final = _object(
    id=TEXT,
    object={"const": "chat.completion.chunk"},
    created=_NUMBER,
    model=TEXT,
    choices={
        "type": "array",
        "items": _object(
            index=_NUMBER,
            delta={"type": "object", "properties": {"role": TEXT, "content": TEXT}},
            logprobs={"type": "null"},
            finish_reason={"type": ["string", "null"]},
        ),
    },
)
_MODEL: Final = _object(id=TEXT, object={"const": "model"}, created=_NUMBER, owned_by=TEXT)
_PART: Final[Schema] = {
    "type": "object",
    "properties": {
        "type": {"enum": ["text", "image_url"]},
        "text": TEXT,
        "image_url": {"type": "object", "properties": {"url": TEXT}},
    },
    "required": ["type"],
}
_REQUEST: Final[Schema] = {
    "type": "object",
    "properties": {
        "model": {"description": "Ignored: the key decides."},
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "role": {"type": "string"},
                    "content": {"anyOf": [TEXT, {"type": "array", "items": _PART}, {"type": "null"}]},
                },
            },
        },
        "stream": {"type": ["boolean", "null"]},
        "stream_options": {
            "type": ["object", "null"],
            "properties": {"include_usage": {"type": ["boolean", "null"]}},
        },
        "n": {"enum": [1, None]},
        "user": {"type": ["string", "null"], "maxLength": 255},
        "metadata": {"type": ["object", "null"]},
        "inputs": {"anyOf": [{"type": "object"}, TEXT, {"type": "null"}]},
    },
    "required": ["messages"],
}

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/chat/completions",
        handler=completions.complete,
        body={JSON: _REQUEST},
        answers={200: {JSON: _ANSWER, EVENTS: {"anyOf": [_CHUNK, ERROR, {"const": "[DONE]"}]}}},
        errors=f"""
            {BODY_ERRORS} not_chat_app not_found provider_not_initialize provider_quota_exceeded
            model_currently_not_support completion_request_error rate_limit_error service_unavailable
        """,
    ),
    Operation(
        method="GET",
        path="/models",
        handler=models.listing,
        answers={200: {JSON: _object(object={"const": "list"}, data={"type": "array", "items": _MODEL})}},
    ),
    Operation(
        method="GET",
        path="/models/{model}",
        handler=models.detail,
        answers={200: {JSON: _MODEL}},
        errors="model_not_found",
        path_schemas={"model": TEXT},
    ),
)
