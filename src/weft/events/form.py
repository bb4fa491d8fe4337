"""A person is asked, answers, or does not answer in time."""

from __future__ import annotations

from datetime import datetime

import msgspec

from weft.variables import Value


class FormRequested(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A node waits for a form."""

    form_id: str
    node_id: str
    node_title: str
    content: str
    inputs: list[dict[str, Value]]
    actions: list[dict[str, Value]]
    display_in_ui: bool
    token: str | None
    resolved_defaults: dict[str, Value]
    expires_at: datetime


class FormFilled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody submitted the form."""

    node_id: str
    node_title: str
    rendered_content: str
    action_id: str
    action_text: str
    submitted: dict[str, Value]


class FormTimedOut(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The form's time is over."""

    node_id: str
    node_title: str
    expires_at: datetime
