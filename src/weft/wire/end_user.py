"""End users: whom an app's answers belong to."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from weft.wire._field import MAX_USER_CHARS, OptionalUser, Text, User
from weft.wire._model import WireModel
from weft.wire.error import invalid_request
from weft.wire.instant import Updated

DEFAULT_USER = "DEFAULT-USER"
"""The `user` text shared by all callers that give none."""


class EndUser(Updated, WireModel):
    """The person behind a `user` text, as one app knows them."""

    id: str
    tenant_id: str | None = None
    app_id: str | None = None
    type: Text = "service-api"
    external_user_id: str | None = None
    name: str | None = None
    is_anonymous: bool = False
    session_id: Text = ""
    """The `user` text."""
    created_at: str | None = None
    """ISO 8601."""
    updated_at: str | None = None
    """ISO 8601."""


class EndUserSummary(WireModel):
    """The end user of a log entry."""

    id: str
    type: Text = "service-api"
    is_anonymous: bool = False
    session_id: Text = ""


class _Required(WireModel):
    user: User


class _Optional(WireModel):
    user: OptionalUser = None


def read_user(fields: Mapping[str, object], *, required: bool) -> str:
    """The `user` of a body, a form or a query string, before anything else in it is looked at.

    Args:
        fields: What the caller sent.
        required: Whether leaving it out is an error; otherwise `DEFAULT_USER` takes its place.

    Raises:
        InvalidRequestError: ``Arg user must be provided.``, or it is too long or no text.
    """
    user = fields.get("user")
    if isinstance(user, str) and 0 < len(user) <= MAX_USER_CHARS:
        return user
    try:
        given = {"user": user}
        if required:
            return _Required.model_validate(given).user
        return _Optional.model_validate(given).user or DEFAULT_USER
    except ValidationError as error:
        raise invalid_request(error) from None
