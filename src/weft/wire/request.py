"""Requests in and out: validated once, with errors that can be shown to whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from weft.errors import InvalidRequestError
from weft.wire._model import WireModel
from weft.wire.error import invalid_request

M = TypeVar("M", bound=WireModel)


def parse_request(model: type[M], fields: Mapping[str, object]) -> M:
    """Validate a parsed body or query string.

    Raises:
        InvalidRequestError: A field is wrong; the message has the contract's literal texts.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid_request(error) from None


def encode_request(model: type[WireModel], fields: Mapping[str, object]) -> bytes:
    """The JSON body of a request with these fields and no others.

    Raises:
        InvalidRequestError: The server would refuse it, or a value is none of JSON's.
    """
    request = parse_request(model, fields)
    try:
        return request.__pydantic_serializer__.to_json(request, exclude_unset=True)
    except PydanticSerializationError as error:
        raise InvalidRequestError(f"the request cannot be written as JSON: {error}") from None


def parse_answer(model: type[M], body: bytes) -> M:
    """Read the JSON text of an answer.

    Raises:
        ValueError: It is no JSON text, or not of this shape; the message tells where, not what.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise ValueError(str(invalid_request(error))) from None
