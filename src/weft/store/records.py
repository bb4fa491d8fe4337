"""The typed rows: what functions of this room take and give.

An instant is an aware UTC datetime, a price a `Decimal`, a JSON column its parsed value. The order
of a record's fields is the order of its table's columns, so that a row becomes a record by position.
Records are not validated here; the door through which their values came has done that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

JsonObject: TypeAlias = Mapping[str, object]
"""A JSON object, parsed."""

WorkspaceStatus = Literal["normal", "archived"]
AccountRole = Literal["owner", "admin", "editor", "normal", "dataset_operator"]
AccountStatus = Literal["pending", "active", "banned", "closed"]
AppMode = Literal["advanced-chat", "workflow", "chat", "agent-chat", "completion"]
AppStatus = Literal["normal", "disabled"]
TokenKind = Literal["app", "dataset", "operator"]
EndUserType = Literal["service-api", "web-app"]
ConversationStatus = Literal["normal", "completed"]
FromSource = Literal["api", "console"]
InvokeFrom = Literal["service-api", "web-app", "explore", "debugger"]
MessageStatus = Literal["normal", "error", "paused"]
FileType = Literal["image", "document", "audio", "video", "custom"]
TransferMethod = Literal["remote_url", "local_file", "tool_file"]
BelongsTo = Literal["user", "assistant"]
RunStatus = Literal["scheduled", "running", "succeeded", "failed", "stopped", "partial-succeeded", "paused"]
NodeStatus = Literal["pending", "running", "succeeded", "failed", "exception", "stopped", "paused", "retry"]
TriggeredFrom = Literal["app-run", "debugging"]
CreatedFrom = Literal["service-api", "web-app", "installed-app", "debugger"]
CreatedByRole = Literal["end_user", "account"]

FileOrigin = Literal["upload", "run"]
FormStatus = Literal["waiting", "submitted", "expired"]
Rating = Literal["like", "dislike"]
FeedbackSource = Literal["user", "admin"]
AnnotationAction = Literal["enable", "disable"]
JobStatus = Literal["waiting", "processing", "completed", "error"]

NO_PRICE = Decimal(0)


class Record(msgspec.Struct, frozen=True):
    """A row that cannot be changed; `msgspec.structs.replace` makes a changed copy."""


class Workspace(Record, frozen=True):
    """What apps and accounts belong to."""

    id: str
    name: str
    created_at: datetime
    plan: str = "basic"
    status: WorkspaceStatus = "normal"


class Account(Record, frozen=True):
    """Somebody who may log in to the console."""

    id: str
    email: str
    """Lower case; unique."""
    name: str
    created_at: datetime
    updated_at: datetime
    workspace_id: str | None = None
    role: AccountRole = "normal"
    status: AccountStatus = "active"
    password_hash: str | None = None
    timezone: str = "UTC"
    """IANA name; days of statistics begin at midnight there."""
    language: str = "en-US"
    avatar: str | None = None
    last_login_at: datetime | None = None
    last_login_ip: str | None = None
    last_active_at: datetime | None = None


class App(Record, frozen=True):
    """A chatflow under its name; what it does stands in its workflow versions."""

    id: str
    workspace_id: str
    name: str
    mode: AppMode
    created_at: datetime
    updated_at: datetime
    description: str = ""
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None
    use_icon_as_answer_icon: bool = False
    tags: Sequence[str] = []
    enable_api: bool = True
    enable_site: bool = False
    max_active_requests: int | None = None
    site: JsonObject | None = None
    status: AppStatus = "normal"
    source_file: str | None = None
    """The file this app was served from; unique in its workspace."""
    author_name: str | None = None
    workflow_id: str | None = None
    """The published version; `None` before the first."""
    created_by: str | None = None
    updated_by: str | None = None


class Workflow(Record, frozen=True):
    """One version of an app's graph: the draft, or one that was published and never changes."""

    id: str
    app_id: str
    version: str
    """``draft``, or the instant of publishing as text."""
    dsl: str
    """The YAML text as imported."""
    content_hash: str
    graph: JsonObject
    created_at: datetime
    updated_at: datetime
    features: JsonObject = {}
    environment_variables: Sequence[JsonObject] = []
    conversation_variables: Sequence[JsonObject] = []
    marked_name: str = ""
    marked_comment: str = ""
    created_by: str | None = None
    updated_by: str | None = None


class ApiToken(Record, frozen=True):
    """A key to an app, a dataset or the server, known by its hash."""

    id: str
    kind: TokenKind
    token_hash: str
    """SHA-256 of the key, 64 hexadecimal digits."""
    hint: str
    """The key's last four characters."""
    created_at: datetime
    app_id: str | None = None
    workspace_id: str | None = None
    name: str | None = None
    token: str | None = None
    """The key itself, only where the operator wants the console to show it again."""
    last_used_at: datetime | None = None


class EndUser(Record, frozen=True):
    """A person as one app knows them; `session_id` is the caller's ``user`` text."""

    id: str
    workspace_id: str
    app_id: str
    session_id: str
    created_at: datetime
    updated_at: datetime
    type: EndUserType = "service-api"
    external_user_id: str | None = None
    name: str | None = None
    is_anonymous: bool = False


class Conversation(Record, frozen=True):
    """One person's exchange with one app."""

    id: str
    app_id: str
    name: str
    from_source: FromSource
    created_at: datetime
    updated_at: datetime
    end_user_id: str | None = None
    account_id: str | None = None
    invoke_from: InvokeFrom | None = None
    inputs: JsonObject = {}
    """Those of the first message."""
    introduction: str = ""
    status: ConversationStatus = "normal"
    summary: str | None = None
    dialogue_count: int = 0
    is_deleted: bool = False
    read_at: datetime | None = None


class Message(Record, frozen=True):
    """One query with its answer."""

    id: str
    app_id: str
    conversation_id: str
    query: str
    from_source: FromSource
    created_at: datetime
    updated_at: datetime
    parent_message_id: str | None = None
    run_id: str | None = None
    end_user_id: str | None = None
    account_id: str | None = None
    invoke_from: InvokeFrom | None = None
    answer: str = ""
    inputs: JsonObject = {}
    status: MessageStatus = "normal"
    error: str | None = None
    metadata: JsonObject | None = None
    message_tokens: int = 0
    answer_tokens: int = 0
    total_price: Decimal = NO_PRICE
    currency: str = "USD"
    latency: float = 0.0
    """Seconds from the question to the end of the answer."""


class MessageFile(Record, frozen=True):
    """A file that came with a query or was made by its run."""

    id: str
    message_id: str
    type: FileType
    transfer_method: TransferMethod
    belongs_to: BelongsTo
    created_at: datetime
    url: str | None = None
    upload_file_id: str | None = None
    name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    """Bytes; `None` when unknown."""


class ConversationVariable(Record, frozen=True):
    """The present value of one conversation variable in one conversation."""

    id: str
    conversation_id: str
    app_id: str
    variable_id: str
    """The definition's id in the app file; unique in its conversation."""
    name: str
    value_type: str
    created_at: datetime
    updated_at: datetime
    value: object = None
    description: str = ""


class Run(Record, frozen=True):
    """One execution of a graph."""

    id: str
    app_id: str
    workflow_id: str
    version: str
    mode: AppMode
    log_id: str
    """Id of this run's row in the logs."""
    triggered_from: TriggeredFrom
    created_from: CreatedFrom
    created_by_role: CreatedByRole
    created_at: datetime
    status: RunStatus = "running"
    conversation_id: str | None = None
    message_id: str | None = None
    end_user_id: str | None = None
    account_id: str | None = None
    task_id: str | None = None
    owner_id: str | None = None
    """The process that executes it."""
    inputs: JsonObject = {}
    outputs: JsonObject | None = None
    error: str | None = None
    elapsed_time: float = 0.0
    """Seconds."""
    total_tokens: int = 0
    total_price: Decimal = NO_PRICE
    currency: str = "USD"
    total_steps: int = 0
    exceptions_count: int = 0
    finished_at: datetime | None = None


class NodeExecution(Record, frozen=True):
    """One execution of a node in a run; a retry is a row of its own with status ``retry``."""

    id: str
    run_id: str
    app_id: str
    index: int
    """Counts up from 1 within the run."""
    node_id: str
    node_type: str
    title: str
    status: NodeStatus
    created_at: datetime
    predecessor_node_id: str | None = None
    inputs: JsonObject | None = None
    process_data: JsonObject | None = None
    outputs: JsonObject | None = None
    error: str | None = None
    elapsed_time: float = 0.0
    """Seconds."""
    execution_metadata: JsonObject | None = None
    extras: JsonObject | None = None
    iteration_id: str | None = None
    iteration_index: int | None = None
    loop_id: str | None = None
    loop_index: int | None = None
    finished_at: datetime | None = None


class StoredFile(Record, frozen=True):
    """A file that was uploaded or that a run made; its bytes lie in the file store under its id."""

    id: str
    workspace_id: str
    app_id: str
    origin: FileOrigin
    name: str
    extension: str
    """Lower case, without the dot."""
    mime_type: str
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits."""
    created_at: datetime
    created_by_role: CreatedByRole
    created_by: str | None = None
    conversation_id: str | None = None
    run_id: str | None = None
    source_url: str | None = None
    """Where a run fetched it."""


class Form(Record, frozen=True):
    """What a paused run asks a person."""

    id: str
    run_id: str
    app_id: str
    node_id: str
    node_title: str
    content: str
    """Markdown, values filled in, with placeholders where fields go."""
    inputs: Sequence[JsonObject]
    actions: Sequence[JsonObject]
    created_at: datetime
    expires_at: datetime
    status: FormStatus = "waiting"
    token: str | None = None
    """Who knows it may answer; `None` when the form is delivered in other ways."""
    display_in_ui: bool = False
    resolved_defaults: JsonObject = {}
    action_id: str | None = None
    submitted: JsonObject | None = None
    rendered_content: str | None = None
    end_user_id: str | None = None
    account_id: str | None = None
    closed_at: datetime | None = None


class RunState(Record, frozen=True):
    """All that a paused run needs to go on, in any process."""

    id: str
    """The run's."""
    format: int
    """Version of the form of `state`."""
    state: JsonObject
    created_at: datetime


class Signal(Record, frozen=True):
    """What one process tells the others; a notification only says that there is one."""

    id: str
    kind: str
    target_id: str
    created_at: datetime
    payload: JsonObject | None = None


class Feedback(Record, frozen=True):
    """A judgement of an answer; each side has at most one per message."""

    id: str
    app_id: str
    conversation_id: str
    message_id: str
    rating: Rating
    from_source: FeedbackSource
    created_at: datetime
    updated_at: datetime
    content: str | None = None
    end_user_id: str | None = None
    account_id: str | None = None


class Annotation(Record, frozen=True):
    """A question with the answer that a person wrote for it."""

    id: str
    app_id: str
    question: str
    answer: str
    created_at: datetime
    updated_at: datetime
    hit_count: int = 0
    message_id: str | None = None
    """The message it corrects."""
    conversation_id: str | None = None
    account_id: str | None = None
    embedding_model: str | None = None
    embedding: Sequence[float] | None = None
    """Of the question, by `embedding_model`."""


class AnnotationHit(Record, frozen=True):
    """An annotation answered a question."""

    id: str
    annotation_id: str
    app_id: str
    message_id: str
    source: str
    question: str
    annotation_question: str
    annotation_answer: str
    score: float
    created_at: datetime
    end_user_id: str | None = None
    account_id: str | None = None


class AnnotationSettings(Record, frozen=True):
    """Whether and how an app answers from its annotations."""

    id: str
    """The app's."""
    enabled: bool
    score_threshold: float
    embedding_provider: str
    embedding_model: str
    updated_at: datetime


class AnnotationJob(Record, frozen=True):
    """Switching annotation replies on or off."""

    id: str
    app_id: str
    action: AnnotationAction
    status: JobStatus
    created_at: datetime
    settings: JsonObject = {}
    error: str = ""
    finished_at: datetime | None = None


class RefreshToken(Record, frozen=True):
    """Lets an account log in again without its password; known by its hash."""

    id: str
    account_id: str
    token_hash: str
    """SHA-256 of the token, 64 hexadecimal digits."""
    created_at: datetime
    expires_at: datetime


class LoginFailures(Record, frozen=True):
    """How often somebody has failed to log in with an address."""

    id: str
    """The e-mail address as given, lower case."""
    count: int
    updated_at: datetime


class AuditEntry(Record, frozen=True):
    """Who changed what through the console."""

    id: str
    workspace_id: str
    action: str
    """Noun and verb, e.g. ``app.delete``."""
    created_at: datetime
    account_id: str | None = None
    app_id: str | None = None
    target_id: str | None = None
    address: str | None = None
    """The network address that asked."""
    details: JsonObject | None = None
    """What changed, without secrets."""


class Process(Record, frozen=True):
    """A server process that says from time to time that it lives."""

    id: str
    started_at: datetime
    heartbeat_at: datetime


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `has_more` says whether rows follow in the direction of paging."""

    items: tuple[T, ...]
    has_more: bool
