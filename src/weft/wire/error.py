"""The error body, and the way from a failed validation to an error that can be shown."""

from __future__ import annotations

from pydantic import ValidationError

from weft.errors import InvalidRequestError
from weft.wire._field import USER_MISSING
from weft.wire._model import SparseModel


class ErrorBody(SparseModel):
    """The body of every answer that is not a success; `status` repeats the HTTP status."""

    code: str
    """Stable identifier in snake case, e.g. ``invalid_param``."""
    message: str
    status: int
    params: str | None = None
    """Field names; only servers of old send it."""


def invalid_request(error: ValidationError) -> InvalidRequestError:
    """Turn a failed validation into an error whose message may be shown to the caller.

    The contract's own sentences stand alone (``query is required``), anything else follows the name
    of its field. A missing `user` hides the rest, as it is checked before anything else in a body.
    Values never appear: they may be long, or secret.
    """
    fields: dict[str, str] = {}
    sentences: list[str] = []
    for problem in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "value_error":
            text = sentence = str(problem["ctx"]["error"])
        elif problem["type"] == "missing" and name == "user":
            text = sentence = USER_MISSING
        else:
            text = problem["msg"]
            sentence = f"{name}: {text}" if name else text
        if name == "user":
            return InvalidRequestError(sentence, {name: text})
        fields.setdefault(name, text)
        sentences.append(sentence)
    return InvalidRequestError("; ".join(sentences), fields)
