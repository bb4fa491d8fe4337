"""The tables, the same on SQLite and Postgres.

Ids are text UUIDs, instants microseconds since the epoch, JSON is text, prices are decimal text.
The column types below say so; `weft.store.codec` converts. A table's columns stand in the order of
its record's fields.

Foreign keys hold together what is deleted together (a conversation and its messages, a run and its
node executions). They stop there on purpose: a key from every message to its app would make all
writers of an app share one row's lock on Postgres.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql


class Id(Text):
    """A text UUID. Compared byte by byte on Postgres too, where the database's language would be slower."""


class Prose(Text):
    """Text from outside, made storable: Postgres knows no NUL, UTF-8 no lone surrogate."""


class Json(Text):
    """A JSON value as text; JSON's ``null`` is SQL's NULL."""


class Instant(BigInteger):
    """Microseconds since 1970-01-01T00:00:00Z."""


class Price(Text):
    """A decimal number as text, since neither database keeps its digits otherwise."""


_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=_NAMES)
postgres_metadata = MetaData(naming_convention=_NAMES)
"""Tables that only Postgres has."""

_ID = Id().with_variant(Id(collation="C"), "postgresql")


def _key() -> Column[str]:
    return Column("id", _ID, primary_key=True)


def _parent(name: str, target: str) -> Column[str]:
    return Column(name, _ID, ForeignKey(target, ondelete="CASCADE"), nullable=False)


workspaces = Table(
    "workspaces",
    metadata,
    _key(),
    Column("name", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("plan", Text, nullable=False),
    Column("status", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    _key(),
    Column("email", Prose, nullable=False),
    Column("name", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("workspace_id", _ID, ForeignKey("workspaces.id")),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("password_hash", Text),
    Column("timezone", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("avatar", Text),
    Column("last_login_at", Instant),
    Column("last_login_ip", Text),
    Column("last_active_at", Instant),
)
Index(None, accounts.c.email, unique=True)

apps = Table(
    "apps",
    metadata,
    _key(),
    Column("workspace_id", _ID, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Prose, nullable=False),
    Column("mode", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("description", Prose, nullable=False),
    Column("icon_type", Text),
    Column("icon", Prose),
    Column("icon_background", Prose),
    Column("use_icon_as_answer_icon", Boolean, nullable=False),
    Column("tags", Json, nullable=False),
    Column("enable_api", Boolean, nullable=False),
    Column("enable_site", Boolean, nullable=False),
    Column("max_active_requests", Integer),
    Column("site", Json),
    Column("status", Text, nullable=False),
    Column("source_file", Prose),
    Column("author_name", Prose),
    # No foreign key: a workflow needs its app first, and the two would wait for each other.
    Column("workflow_id", _ID),
    Column("created_by", _ID),
    Column("updated_by", _ID),
)
Index(None, apps.c.workspace_id, apps.c.created_at, apps.c.id)
Index(None, apps.c.workspace_id, apps.c.source_file, unique=True)

workflows = Table(
    "workflows",
    metadata,
    _key(),
    _parent("app_id", "apps.id"),
    Column("version", Text, nullable=False),
    Column("dsl", Prose, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("graph", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("features", Json, nullable=False),
    Column("environment_variables", Json, nullable=False),
    Column("conversation_variables", Json, nullable=False),
    Column("marked_name", Prose, nullable=False),
    Column("marked_comment", Prose, nullable=False),
    Column("created_by", _ID),
    Column("updated_by", _ID),
)
Index(None, workflows.c.app_id, workflows.c.created_at, workflows.c.id)
_ONLY_DRAFTS = text("version = 'draft'")
Index(
    "uq_workflows_draft",
    workflows.c.app_id,
    unique=True,
    sqlite_where=_ONLY_DRAFTS,
    postgresql_where=_ONLY_DRAFTS,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _key(),
    Column("kind", Text, nullable=False),
    Column("token_hash", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("app_id", _ID, ForeignKey("apps.id", ondelete="CASCADE")),
    Column("workspace_id", _ID, ForeignKey("workspaces.id", ondelete="CASCADE")),
    Column("name", Prose),
    Column("token", Text),
    Column("last_used_at", Instant),
)
Index(None, api_tokens.c.token_hash, unique=True)
Index(None, api_tokens.c.app_id, api_tokens.c.created_at, api_tokens.c.id)

end_users = Table(
    "end_users",
    metadata,
    _key(),
    Column("workspace_id", _ID, ForeignKey("workspaces.id"), nullable=False),
    _parent("app_id", "apps.id"),
    Column("session_id", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("type", Text, nullable=False),
    Column("external_user_id", Prose),
    Column("name", Prose),
    Column("is_anonymous", Boolean, nullable=False),
)
Index(None, end_users.c.app_id, end_users.c.session_id, unique=True)

conversations = Table(
    "conversations",
    metadata,
    _key(),
    Column("app_id", _ID, nullable=False),
    Column("name", Prose, nullable=False),
    Column("from_source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
    Column("invoke_from", Text),
    Column("inputs", Json, nullable=False),
    Column("introduction", Prose, nullable=False),
    Column("status", Text, nullable=False),
    Column("summary", Prose),
    Column("dialogue_count", Integer, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("read_at", Instant),
)
# An end user belongs to one app, so the first pair is (app, end user) with shorter keys.
Index(None, conversations.c.end_user_id, conversations.c.updated_at, conversations.c.id)
Index(None, conversations.c.end_user_id, conversations.c.created_at, conversations.c.id)
# With all that says whether a conversation is listed: pages are counted and skipped in the index alone.
for _column in (conversations.c.updated_at, conversations.c.created_at):
    Index(
        None,
        conversations.c.app_id,
        _column,
        conversations.c.id,
        conversations.c.is_deleted,
        conversations.c.invoke_from,
    )

messages = Table(
    "messages",
    metadata,
    _key(),
    Column("app_id", _ID, nullable=False),
    _parent("conversation_id", "conversations.id"),
    Column("query", Prose, nullable=False),
    Column("from_source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("parent_message_id", _ID),
    Column("run_id", _ID),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
    Column("invoke_from", Text),
    Column("answer", Prose, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Prose),
    Column("metadata", Json),
    Column("message_tokens", BigInteger, nullable=False),
    Column("answer_tokens", BigInteger, nullable=False),
    Column("total_price", Price, nullable=False),
    Column("currency", Text, nullable=False),
    Column("latency", Double, nullable=False),
)
Index(None, messages.c.conversation_id, messages.c.created_at, messages.c.id)
Index(None, messages.c.app_id, messages.c.created_at)

message_files = Table(
    "message_files",
    metadata,
    _key(),
    _parent("message_id", "messages.id"),
    Column("type", Text, nullable=False),
    Column("transfer_method", Text, nullable=False),
    Column("belongs_to", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("url", Prose),
    Column("upload_file_id", _ID),
    Column("name", Prose),
    Column("mime_type", Prose),
    Column("size", BigInteger),
)
Index(None, message_files.c.message_id, message_files.c.created_at, message_files.c.id)
Index(None, message_files.c.upload_file_id)

conversation_variables = Table(
    "conversation_variables",
    metadata,
    _key(),
    _parent("conversation_id", "conversations.id"),
    Column("app_id", _ID, nullable=False),
    Column("variable_id", Prose, nullable=False),
    Column("name", Prose, nullable=False),
    Column("value_type", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("value", Json),
    Column("description", Prose, nullable=False),
)
Index(None, conversation_variables.c.conversation_id, conversation_variables.c.variable_id, unique=True)

runs = Table(
    "runs",
    metadata,
    _key(),
    Column("app_id", _ID, nullable=False),
    Column("workflow_id", _ID, nullable=False),
    Column("version", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("log_id", _ID, nullable=False),
    Column("triggered_from", Text, nullable=False),
    Column("created_from", Text, nullable=False),
    Column("created_by_role", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("conversation_id", _ID),
    Column("message_id", _ID),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
    Column("task_id", Text),
    Column("owner_id", _ID),
    Column("inputs", Json, nullable=False),
    Column("outputs", Json),
    Column("error", Prose),
    Column("elapsed_time", Double, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("total_price", Price, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_steps", Integer, nullable=False),
    Column("exceptions_count", Integer, nullable=False),
    Column("finished_at", Instant),
)
# With what tells runs of the debugger from others, for the same reason as above.
Index(None, runs.c.app_id, runs.c.created_at, runs.c.id, runs.c.triggered_from)
Index(None, runs.c.app_id, runs.c.status, runs.c.created_at, runs.c.id, runs.c.triggered_from)
_ONLY_UNFINISHED = text("finished_at IS NULL")
Index(
    "ix_runs_unfinished",
    runs.c.app_id,
    runs.c.created_at,
    sqlite_where=_ONLY_UNFINISHED,
    postgresql_where=_ONLY_UNFINISHED,
)
for _name in ("end_user_id", "account_id"):
    _ONLY_THEIRS = text(f"{_name} IS NOT NULL")
    Index(
        f"ix_runs_{_name}_created_at_id",
        runs.c[_name],
        runs.c.created_at,
        runs.c.id,
        sqlite_where=_ONLY_THEIRS,
        postgresql_where=_ONLY_THEIRS,
    )

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# How many runs that have ended an app's log has, by status and by stretch of time in which they were made,
# for stretches of three lengths (see `run_counts`). Debugging runs have no part in it.
run_counts = Table(
    "run_counts",
    metadata,
    Column("app_id", _ID, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("stretch", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# What is still to be added to them. Triggers write here, so that no two writers meet at one row. Few rows are
# ever in it, and every run pays for every index.
run_changes = Table(
    "run_changes",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("app_id", _ID, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("change", Integer, nullable=False),
)

# Rows whose text the search index does not know yet, or not as it is now; triggers write here too. Their
# numbers never come back: on SQLite the newest row stays, as a mark, until there is a newer one.
search_queue = Table(
    "search_queue",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("row_id", _ID, nullable=False),
    Column("app_id", _ID, nullable=False),
    Column("owner_id", _ID, nullable=False),
    # The text before the change, on SQLite, whose index has to be told what it forgets.
    Column("was", Text),
)

# Rows that the index leaves out, because their texts are too long.
search_skipped = Table(
    "search_skipped",
    metadata,
    _key(),
    Column("kind", Text, nullable=False),
    Column("app_id", _ID, nullable=False),
    Column("owner_id", _ID, nullable=False),
)
Index(None, search_skipped.c.app_id)

# Which index belongs to these tables, and how far it must have come.
search_state = Table(
    "search_state",
    metadata,
    Column("id", Text, primary_key=True),
    Column("generation", Text, nullable=False),
    Column("done", BigInteger, nullable=False),
)

# The search index on Postgres: the texts of a row in one, lower case, and numbers of their pieces.
search_texts = Table(
    "search_texts",
    postgres_metadata,
    _key(),
    Column("kind", Text, nullable=False),
    Column("app_id", _ID, nullable=False),
    Column("owner_id", _ID, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("text", Text, nullable=False),
    Column("grams", postgresql.ARRAY(Integer), nullable=False),
)
Index(None, search_texts.c.app_id, search_texts.c.kind, search_texts.c.created_at, search_texts.c.id)
Index(None, search_texts.c.grams, postgresql_using="gin")

node_executions = Table(
    "node_executions",
    metadata,
    _key(),
    _parent("run_id", "runs.id"),
    Column("app_id", _ID, nullable=False),
    Column("index", Integer, nullable=False),
    Column("node_id", Prose, nullable=False),
    Column("node_type", Prose, nullable=False),
    Column("title", Prose, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("predecessor_node_id", Prose),
    Column("inputs", Json),
    Column("process_data", Json),
    Column("outputs", Json),
    Column("error", Prose),
    Column("elapsed_time", Double, nullable=False),
    Column("execution_metadata", Json),
    Column("extras", Json),
    Column("iteration_id", Prose),
    Column("iteration_index", Integer),
    Column("loop_id", Prose),
    Column("loop_index", Integer),
    Column("finished_at", Instant),
)
Index(None, node_executions.c.run_id, node_executions.c.index)

files = Table(
    "files",
    metadata,
    _key(),
    Column("workspace_id", _ID, ForeignKey("workspaces.id"), nullable=False),
    Column("app_id", _ID, nullable=False),
    Column("origin", Text, nullable=False),
    Column("name", Prose, nullable=False),
    Column("extension", Prose, nullable=False),
    Column("mime_type", Prose, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by_role", Text, nullable=False),
    Column("created_by", _ID),
    Column("conversation_id", _ID),
    Column("run_id", _ID),
    Column("source_url", Prose),
)
Index(None, files.c.app_id, files.c.created_at, files.c.id)
Index(None, files.c.conversation_id)

forms = Table(
    "forms",
    metadata,
    _key(),
    _parent("run_id", "runs.id"),
    Column("app_id", _ID, nullable=False),
    Column("node_id", Prose, nullable=False),
    Column("node_title", Prose, nullable=False),
    Column("content", Prose, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("actions", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("token", Text),
    Column("display_in_ui", Boolean, nullable=False),
    Column("resolved_defaults", Json, nullable=False),
    Column("action_id", Prose),
    Column("submitted", Json),
    Column("rendered_content", Prose),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
    Column("closed_at", Instant),
)
Index(None, forms.c.run_id)
Index(None, forms.c.token, unique=True)
_ONLY_WAITING = text("status = 'waiting'")
Index(
    "ix_forms_waiting_expires_at",
    forms.c.expires_at,
    sqlite_where=_ONLY_WAITING,
    postgresql_where=_ONLY_WAITING,
)

run_states = Table(
    "run_states",
    metadata,
    # The run's own id: there is one state of a run at a time.
    Column("id", _ID, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("state", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

signals = Table(
    "signals",
    metadata,
    _key(),
    Column("kind", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("payload", Json),
)
Index(None, signals.c.created_at, signals.c.id)

feedbacks = Table(
    "feedbacks",
    metadata,
    _key(),
    Column("app_id", _ID, nullable=False),
    Column("conversation_id", _ID, nullable=False),
    _parent("message_id", "messages.id"),
    Column("rating", Text, nullable=False),
    Column("from_source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("content", Prose),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
)
Index(None, feedbacks.c.message_id, feedbacks.c.from_source, unique=True)
Index(None, feedbacks.c.app_id, feedbacks.c.created_at, feedbacks.c.id)
Index(None, feedbacks.c.conversation_id)

# Not under its own name, which is that of the import at the top.
annotation_table = Table(
    "annotations",
    metadata,
    _key(),
    _parent("app_id", "apps.id"),
    Column("question", Prose, nullable=False),
    Column("answer", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("hit_count", BigInteger, nullable=False),
    Column("message_id", _ID),
    Column("conversation_id", _ID),
    Column("account_id", _ID),
    Column("embedding_model", Prose),
    Column("embedding", Json),
)
Index(None, annotation_table.c.app_id, annotation_table.c.created_at, annotation_table.c.id)
Index(None, annotation_table.c.message_id)
Index(None, annotation_table.c.conversation_id)

annotation_hits = Table(
    "annotation_hits",
    metadata,
    _key(),
    _parent("annotation_id", "annotations.id"),
    Column("app_id", _ID, nullable=False),
    Column("message_id", _ID, nullable=False),
    Column("source", Text, nullable=False),
    Column("question", Prose, nullable=False),
    Column("annotation_question", Prose, nullable=False),
    Column("annotation_answer", Prose, nullable=False),
    Column("score", Double, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("end_user_id", _ID),
    Column("account_id", _ID),
)
Index(None, annotation_hits.c.annotation_id, annotation_hits.c.created_at, annotation_hits.c.id)
Index(None, annotation_hits.c.message_id)

annotation_settings = Table(
    "annotation_settings",
    metadata,
    # The app's own id: an app has one.
    Column("id", _ID, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("score_threshold", Double, nullable=False),
    Column("embedding_provider", Prose, nullable=False),
    Column("embedding_model", Prose, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

annotation_jobs = Table(
    "annotation_jobs",
    metadata,
    _key(),
    _parent("app_id", "apps.id"),
    Column("action", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settings", Json, nullable=False),
    Column("error", Prose, nullable=False),
    Column("finished_at", Instant),
)
Index(None, annotation_jobs.c.app_id, annotation_jobs.c.created_at)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    _key(),
    _parent("account_id", "accounts.id"),
    Column("token_hash", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
Index(None, refresh_tokens.c.token_hash, unique=True)
Index(None, refresh_tokens.c.account_id)

login_failures = Table(
    "login_failures",
    metadata,
    # The e-mail address as given, lower case, whether or not there is such an account.
    Column("id", Prose, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    _key(),
    Column("workspace_id", _ID, nullable=False),
    Column("action", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("account_id", _ID),
    Column("app_id", _ID),
    Column("target_id", Prose),
    Column("address", Prose),
    Column("details", Json),
)
Index(None, audit_log.c.workspace_id, audit_log.c.created_at, audit_log.c.id)

processes = Table(
    "processes",
    metadata,
    _key(),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
)
