"""What a program says to a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import InvalidRequestError

if TYPE_CHECKING:
    from weft.wire import FormDefinition


@dataclass(frozen=True, slots=True)
class FormReply:
    """How a form is sent off."""

    action: str
    """Id of one of its actions, which decides where the run goes on."""
    inputs: Mapping[str, object] = field(default_factory=dict)
    """Values by `output_variable_name`."""


FillForm = Callable[["FormDefinition"], FormReply]
"""Reads a form and says what to reply."""


def token_of(form: FormDefinition) -> str:
    """The key to the form.

    Raises:
        InvalidRequestError: It is delivered by other ways, such as mail, and filled in there.
    """
    if form.form_token is None:
        raise InvalidRequestError(
            f"the form of {form.node_title or form.node_id!r} cannot be submitted here: it has no token, so "
            "it is delivered by other ways, or was submitted before"
        )
    return form.form_token
