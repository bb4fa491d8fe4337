"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _id(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, _ID, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _small(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _double(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _bool(name: str, *, null: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=null)


def _parent(table: str, column: str, parent: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{parent}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE" if cascade else None
    )


def _create(table: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(table, *parts, sa.PrimaryKeyConstraint("id", name=f"pk_{table}"))


def _index(table: str, *columns: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)


def _partial_index(name: str, table: str, column: str, where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, [column], unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Create everything."""
    _conversations()
    _processes()
    _runs()
    _workspaces()
    _accounts()
    _apps()
    _conversation_variables()
    _messages()
    _node_executions()
    _api_tokens()
    _end_users()
    _message_files()
    _workflows()


def _conversations() -> None:
    _create(
        "conversations",
        _id("id"),
        _id("app_id"),
        _text("name"),
        _text("from_source"),
        _big("created_at"),
        _big("updated_at"),
        _id("end_user_id", null=True),
        _id("account_id", null=True),
        _text("invoke_from", null=True),
        _text("inputs"),
        _text("introduction"),
        _text("status"),
        _text("summary", null=True),
        _small("dialogue_count"),
        _bool("is_deleted"),
        _big("read_at", null=True),
    )
    _index("conversations", "app_id", "created_at", "id")
    _index("conversations", "app_id", "updated_at", "id")
    _index("conversations", "end_user_id", "created_at", "id")
    _index("conversations", "end_user_id", "updated_at", "id")


def _processes() -> None:
    _create(
        "processes",
        _id("id"),
        _big("started_at"),
        _big("heartbeat_at"),
    )


def _runs() -> None:
    _create(
        "runs",
        _id("id"),
        _id("app_id"),
        _id("workflow_id"),
        _text("version"),
        _text("mode"),
        _id("log_id"),
        _text("triggered_from"),
        _text("created_from"),
        _text("created_by_role"),
        _big("created_at"),
        _text("status"),
        _id("conversation_id", null=True),
        _id("message_id", null=True),
        _id("end_user_id", null=True),
        _id("account_id", null=True),
        _text("task_id", null=True),
        _id("owner_id", null=True),
        _text("inputs"),
        _text("outputs", null=True),
        _text("error", null=True),
        _double("elapsed_time"),
        _big("total_tokens"),
        _text("total_price"),
        _text("currency"),
        _small("total_steps"),
        _small("exceptions_count"),
        _big("finished_at", null=True),
    )
    _index("runs", "app_id", "created_at", "id")
    _index("runs", "app_id", "status", "created_at", "id")
    _partial_index("ix_runs_unfinished_owner_id", "runs", "owner_id", "finished_at IS NULL")


def _workspaces() -> None:
    _create(
        "workspaces",
        _id("id"),
        _text("name"),
        _big("created_at"),
        _text("plan"),
        _text("status"),
    )


def _accounts() -> None:
    _create(
        "accounts",
        _id("id"),
        _text("email"),
        _text("name"),
        _big("created_at"),
        _big("updated_at"),
        _id("workspace_id", null=True),
        _text("role"),
        _text("status"),
        _text("password_hash", null=True),
        _text("timezone"),
        _text("language"),
        _text("avatar", null=True),
        _big("last_login_at", null=True),
        _text("last_login_ip", null=True),
        _big("last_active_at", null=True),
        _parent("accounts", "workspace_id", "workspaces", cascade=False),
    )
    _index("accounts", "email", unique=True)


def _apps() -> None:
    _create(
        "apps",
        _id("id"),
        _id("workspace_id"),
        _text("name"),
        _text("mode"),
        _big("created_at"),
        _big("updated_at"),
        _text("description"),
        _text("icon_type", null=True),
        _text("icon", null=True),
        _text("icon_background", null=True),
        _bool("use_icon_as_answer_icon"),
        _text("tags"),
        _bool("enable_api"),
        _bool("enable_site"),
        _small("max_active_requests", null=True),
        _text("site", null=True),
        _text("status"),
        _text("source_file", null=True),
        _text("author_name", null=True),
        _id("workflow_id", null=True),
        _id("created_by", null=True),
        _id("updated_by", null=True),
        _parent("apps", "workspace_id", "workspaces", cascade=False),
    )
    _index("apps", "workspace_id", "created_at", "id")
    _index("apps", "workspace_id", "source_file", unique=True)


def _conversation_variables() -> None:
    _create(
        "conversation_variables",
        _id("id"),
        _id("conversation_id"),
        _id("app_id"),
        _text("variable_id"),
        _text("name"),
        _text("value_type"),
        _big("created_at"),
        _big("updated_at"),
        _text("value", null=True),
        _text("description"),
        _parent("conversation_variables", "conversation_id", "conversations"),
    )
    _index("conversation_variables", "conversation_id", "variable_id", unique=True)


def _messages() -> None:
    _create(
        "messages",
        _id("id"),
        _id("app_id"),
        _id("conversation_id"),
        _text("query"),
        _text("from_source"),
        _big("created_at"),
        _big("updated_at"),
        _id("parent_message_id", null=True),
        _id("run_id", null=True),
        _id("end_user_id", null=True),
        _id("account_id", null=True),
        _text("invoke_from", null=True),
        _text("answer"),
        _text("inputs"),
        _text("status"),
        _text("error", null=True),
        _text("metadata", null=True),
        _big("message_tokens"),
        _big("answer_tokens"),
        _text("total_price"),
        _text("currency"),
        _double("latency"),
        _parent("messages", "conversation_id", "conversations"),
    )
    _index("messages", "app_id", "created_at")
    _index("messages", "conversation_id", "created_at", "id")


def _node_executions() -> None:
    _create(
        "node_executions",
        _id("id"),
        _id("run_id"),
        _id("app_id"),
        _small("index"),
        _text("node_id"),
        _text("node_type"),
        _text("title"),
        _text("status"),
        _big("created_at"),
        _text("predecessor_node_id", null=True),
        _text("inputs", null=True),
        _text("process_data", null=True),
        _text("outputs", null=True),
        _text("error", null=True),
        _double("elapsed_time"),
        _text("execution_metadata", null=True),
        _text("extras", null=True),
        _text("iteration_id", null=True),
        _small("iteration_index", null=True),
        _text("loop_id", null=True),
        _small("loop_index", null=True),
        _big("finished_at", null=True),
        _parent("node_executions", "run_id", "runs"),
    )
    _index("node_executions", "run_id", "index")


def _api_tokens() -> None:
    _create(
        "api_tokens",
        _id("id"),
        _text("kind"),
        _text("token_hash"),
        _text("hint"),
        _big("created_at"),
        _id("app_id", null=True),
        _id("workspace_id", null=True),
        _text("name", null=True),
        _text("token", null=True),
        _big("last_used_at", null=True),
        _parent("api_tokens", "app_id", "apps"),
        _parent("api_tokens", "workspace_id", "workspaces"),
    )
    _index("api_tokens", "app_id", "created_at", "id")
    _index("api_tokens", "token_hash", unique=True)


def _end_users() -> None:
    _create(
        "end_users",
        _id("id"),
        _id("workspace_id"),
        _id("app_id"),
        _text("session_id"),
        _big("created_at"),
        _big("updated_at"),
        _text("type"),
        _text("external_user_id", null=True),
        _text("name", null=True),
        _bool("is_anonymous"),
        _parent("end_users", "workspace_id", "workspaces", cascade=False),
        _parent("end_users", "app_id", "apps"),
    )
    _index("end_users", "app_id", "session_id", unique=True)


def _message_files() -> None:
    _create(
        "message_files",
        _id("id"),
        _id("message_id"),
        _text("type"),
        _text("transfer_method"),
        _text("belongs_to"),
        _big("created_at"),
        _text("url", null=True),
        _id("upload_file_id", null=True),
        _text("name", null=True),
        _text("mime_type", null=True),
        _big("size", null=True),
        _parent("message_files", "message_id", "messages"),
    )
    _index("message_files", "message_id", "created_at", "id")
    _index("message_files", "upload_file_id")


def _workflows() -> None:
    _create(
        "workflows",
        _id("id"),
        _id("app_id"),
        _text("version"),
        _text("dsl"),
        _text("content_hash"),
        _text("graph"),
        _big("created_at"),
        _big("updated_at"),
        _text("features"),
        _text("environment_variables"),
        _text("conversation_variables"),
        _text("marked_name"),
        _text("marked_comment"),
        _id("created_by", null=True),
        _id("updated_by", null=True),
        _parent("workflows", "app_id", "apps"),
    )
    _index("workflows", "app_id", "created_at", "id")
    _partial_index("uq_workflows_draft", "workflows", "app_id", "version = 'draft'", unique=True)
