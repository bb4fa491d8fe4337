"""Identifiers in paths."""

from __future__ import annotations

from starlette.requests import Request

from weft.errors import NotFoundError
from weft.wire import parse_uuid


def path_id(request: Request, name: str, absent: str) -> str:
    """The id that stands in the path, in its normal form.

    Args:
        request: The request.
        name: Of the path's part.
        absent: What to say when it can be the id of nothing.

    Raises:
        NotFoundError: It is no UUID.
    """
    given = str(request.path_params[name])
    try:
        return parse_uuid(given)
    except ValueError as error:
        raise NotFoundError(absent, kind=name.removesuffix("_id"), id=given) from error
