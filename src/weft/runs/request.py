"""What is asked of an app, and what it brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weft.nodes import History
from weft.runs.app_version import AppVersion
from weft.store import App, Conversation, CreatedFrom, EndUser, FromSource, InvokeFrom, TriggeredFrom
from weft.variables import File, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is asked of an app, by whom; keys, modes and shapes have been checked."""

    app: App
    version: AppVersion
    end_user: EndUser
    inputs: Mapping[str, object]
    query: str | None = None
    """``None`` in workflow apps."""
    files: Sequence[object] = ()
    conversation: Conversation | None = None
    """The conversation to continue."""
    auto_generate_name: bool = True
    history: History | None = None
    """What was said before, where the store does not know it; ``None`` for what the conversation holds."""
    invoke_from: InvokeFrom = "service-api"
    created_from: CreatedFrom = "service-api"
    triggered_from: TriggeredFrom = "app-run"
    account_id: str | None = None
    """The account that asks; the end user then only lends it the name that the flow sees."""
    call_depth: int = 0
    """How many workflows have called one another as tools to get here."""

    @property
    def owner_ids(self) -> tuple[str | None, str | None]:
        """Ids of the end user and of the account that asks; one of them."""
        return (self.end_user.id, None) if self.account_id is None else (None, self.account_id)

    @property
    def from_source(self) -> FromSource:
        """Whether an end user or an account asks."""
        return "api" if self.account_id is None else "console"


@dataclass(frozen=True, slots=True)
class Given:
    """What a request brings, checked."""

    files: list[File]
    """Those of the message."""
    inputs: dict[str, Value]
    """Of the start node."""
    stored_inputs: dict[str, Value]
    """The same as they are stored."""
    uploads: set[str]
    """Ids of the uploads among all of them."""
