"""Workflow runs: detail, logs, and running a workflow app. Source: Dify service API, `/workflows`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from weft.wire._field import (
    PLAIN_INTEGER,
    Count,
    InstantFilter,
    JsonObject,
    Limit,
    ObjectOrText,
    OptionalText,
    Text,
    User,
)
from weft.wire._model import SparseModel, WireModel
from weft.wire.chat import ResponseMode
from weft.wire.end_user import EndUserSummary
from weft.wire.instant import Created, Finished
from weft.wire.page import Page
from weft.wire.status import RunStatus

MAX_KEYWORD_CHARS = 30
"""Characters of a log keyword that count; the rest is cut off."""

LogStatus = Literal["succeeded", "failed", "stopped"]
"""Statuses that logs can be filtered by; the others cannot."""


class RunDetail(Finished, WireModel):
    """One execution of a workflow."""

    id: str
    workflow_id: str | None = None
    status: RunStatus
    inputs: ObjectOrText = Field(default_factory=dict)
    """User inputs and ``sys.*`` values; some servers send their JSON text."""
    outputs: ObjectOrText = None
    """Null until there are any; some servers send their JSON text."""
    error: str | None = None
    total_steps: Count = 0
    total_tokens: Count = 0
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds."""
    elapsed_time: float | None = None
    """Seconds."""


class RunSummary(Finished, WireModel):
    """A run as a log entry shows it."""

    id: str
    """The run's id, not the log entry's."""
    version: str | None = None
    status: RunStatus
    triggered_from: str | None = None
    """``debugging`` or ``app-run``."""
    error: str | None = None
    elapsed_time: float | None = None
    """Seconds."""
    total_tokens: Count = 0
    total_steps: Count = 0
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds; ``None`` while running."""
    exceptions_count: Count = 0


class AccountSummary(WireModel):
    """The member of the workspace who did something."""

    id: str
    name: Text = ""
    email: Text = ""


class WorkflowLog(Created, WireModel):
    """One entry of the log of runs."""

    id: str
    workflow_run: RunSummary
    details: JsonObject | None = None
    created_from: Text = "service-api"
    """``service-api``, ``web-app`` or ``installed-app``."""
    created_by_role: Text = "end_user"
    """``end_user`` or ``account``."""
    created_by_account: AccountSummary | None = None
    created_by_end_user: EndUserSummary | None = None
    created_at: int | None = None
    """Unix seconds."""


WorkflowLogPage = Page[WorkflowLog]


def _cut(keyword: str | None) -> str | None:
    return keyword and keyword[:MAX_KEYWORD_CHARS]


class WorkflowLogsQuery(WireModel):
    """Query string of the log; all filters must hold."""

    keyword: Annotated[OptionalText, AfterValidator(_cut)] = None
    """Part of inputs, outputs or the end user's text, in any case; or a run's id."""
    status: LogStatus | None = None
    created_at__before: InstantFilter = None
    """Inclusive."""
    created_at__after: InstantFilter = None
    """Inclusive."""
    created_by_end_user_session_id: OptionalText = None
    created_by_account: OptionalText = None
    """Id or email address."""
    page: Annotated[int, Field(ge=1, le=99999), PLAIN_INTEGER] = 1
    limit: Limit = 20


class WorkflowRunRequest(WireModel):
    """Body that runs a workflow app."""

    inputs: JsonObject
    user: User
    response_mode: ResponseMode | None = None
    """Null and absent mean blocking."""
    files: list[object] | None = None
    """Items as given; `weft.wire.parse_file_inputs` reads them."""

    @property
    def streaming(self) -> bool:
        """Whether the result shall come as a stream of events."""
        return self.response_mode == "streaming"


class WorkflowResult(Finished, SparseModel):
    """How a run of a workflow app went; a failed one is told here, not by an HTTP error."""

    always: ClassVar[frozenset[str]] = frozenset({"workflow_id", "error", "created_at", "finished_at"})

    id: str
    workflow_id: str | None = None
    status: RunStatus
    outputs: JsonObject | None = Field(default_factory=dict)
    error: str | None = None
    elapsed_time: float | None = 0.0
    """Seconds."""
    total_tokens: Count = 0
    total_steps: Count = 0
    created_at: int | None = None
    """Unix seconds."""
    finished_at: int | None = None
    """Unix seconds; ``None`` while it waits for a person."""
    paused_nodes: list[str] | None = None
    """Only while paused."""
    reasons: list[JsonObject] | None = None
    """Only while paused."""


class WorkflowAnswer(WireModel):
    """The answer to running a workflow app and waiting for it."""

    task_id: str
    workflow_run_id: str
    data: WorkflowResult


class RunEventsQuery(WireModel):
    """Query string of joining the event stream of a run again."""

    user: User
    include_state_snapshot: bool = False
    """Whether what happened so far is told first."""
    continue_on_pause: bool = False
    """Whether the stream stays open while the run waits for a person."""
