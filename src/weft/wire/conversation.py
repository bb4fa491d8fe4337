"""Conversations: list, rename, delete. Source: Dify service API, `/conversations`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from weft.wire._field import Limit, Object, OptionalUser, OptionalUuid, Text
from weft.wire._model import WireModel
from weft.wire.instant import Updated
from weft.wire.page import CursorPage

MAX_NAME_CHARS = 255
"""Characters in a conversation's name."""

ConversationSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]
"""Field to order by; a minus sign means newest first."""


class Conversation(Updated, WireModel):
    """One person's exchange with one app."""

    id: str
    name: Text = ""
    inputs: Object = Field(default_factory=dict)
    """Those of its first message; files are objects."""
    status: Text = "normal"
    introduction: str | None = None
    """The opening statement, placeholders filled in."""
    created_at: int | None = None
    """Unix seconds."""
    updated_at: int | None = None
    """Unix seconds; a new message moves it."""


ConversationPage = CursorPage[Conversation]


class ConversationsQuery(WireModel):
    """Query string of the list of conversations."""

    user: OptionalUser = None
    last_id: OptionalUuid = None
    """The last conversation of the page before; exclusive."""
    limit: Limit = 20
    sort_by: ConversationSort = "-updated_at"


class ConversationRenameRequest(WireModel):
    """Body of a renaming: a name, or the wish to have one made up; the wish wins."""

    name: str | None = None
    auto_generate: bool = False
    user: OptionalUser = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ConversationRenameRequest:
        if self.auto_generate:
            return self
        if self.name is None or not self.name.strip():
            raise ValueError("name is required when auto_generate is false")
        if len(self.name) > MAX_NAME_CHARS:
            raise ValueError(f"name must be at most {MAX_NAME_CHARS} characters long")
        return self


class ConversationDeleteRequest(WireModel):
    """Body of a deletion; ``{}`` is enough."""

    user: OptionalUser = None
