"""Conversation variables. Source: Dify service API, `/conversations/{id}/variables`."""

from __future__ import annotations

import ast
import json
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from weft.wire._field import Limit, OptionalUser, OptionalUuid, Text
from weft.wire._model import WireModel
from weft.wire.instant import Updated
from weft.wire.page import CursorPage

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_TEXT_TYPES = frozenset({"string", "secret"})


class ConversationVariable(Updated, WireModel):
    """One variable of one conversation, its value rendered to text."""

    id: str
    name: Text = ""
    value_type: Text = "string"
    """``string``, ``number``, ``boolean``, ``object``, ``secret``, ``file``, ``array[...]``, ..."""
    value: str | None = None
    """JSON text, except that strings and secrets are their own text; see `parsed_value`."""
    description: str | None = None
    created_at: int | None = None
    """Unix seconds."""
    updated_at: int | None = None
    """Unix seconds."""

    @property
    def parsed_value(self) -> object:
        """The value with its own type: JSON first, then the literal form that some servers print.

        Text that is neither (and every string or secret) is returned as it is.
        """
        if self.value is None or self.value_type in _TEXT_TYPES:
            return self.value
        try:
            return json.loads(self.value)
        except (ValueError, RecursionError):
            pass
        try:
            return ast.literal_eval(self.value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return self.value


VariablePage = CursorPage[ConversationVariable]


def _plain_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "Variable name can only contain letters, numbers, hyphens (-), underscores (_), and periods (.)"
        )
    return name


_NamePart = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_plain_name)]


class VariablesQuery(WireModel):
    """Query string of the list of variables."""

    user: OptionalUser = None
    last_id: OptionalUuid = None
    """The last variable of the page before; exclusive."""
    limit: Limit = 20
    variable_name: _NamePart | None = None
    """Part of the name, in any case; 1 to 255 characters."""


class VariableUpdateRequest(WireModel):
    """Body of a change; any JSON value, its type is checked against the variable's."""

    value: object
    user: OptionalUser = None
