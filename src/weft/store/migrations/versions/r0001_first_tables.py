"""The first tables."""

from __future__ import annotations

from weft.store.migrations.columns import (
    big,
    boolean,
    create,
    double,
    id_,
    index,
    parent,
    partial_index,
    small,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


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
    create(
        "conversations",
        id_("id"),
        id_("app_id"),
        text("name"),
        text("from_source"),
        big("created_at"),
        big("updated_at"),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        text("invoke_from", null=True),
        text("inputs"),
        text("introduction"),
        text("status"),
        text("summary", null=True),
        small("dialogue_count"),
        boolean("is_deleted"),
        big("read_at", null=True),
    )
    index("conversations", "app_id", "created_at", "id")
    index("conversations", "app_id", "updated_at", "id")
    index("conversations", "end_user_id", "created_at", "id")
    index("conversations", "end_user_id", "updated_at", "id")


def _processes() -> None:
    create(
        "processes",
        id_("id"),
        big("started_at"),
        big("heartbeat_at"),
    )


def _runs() -> None:
    create(
        "runs",
        id_("id"),
        id_("app_id"),
        id_("workflow_id"),
        text("version"),
        text("mode"),
        id_("log_id"),
        text("triggered_from"),
        text("created_from"),
        text("created_by_role"),
        big("created_at"),
        text("status"),
        id_("conversation_id", null=True),
        id_("message_id", null=True),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        text("task_id", null=True),
        id_("owner_id", null=True),
        text("inputs"),
        text("outputs", null=True),
        text("error", null=True),
        double("elapsed_time"),
        big("total_tokens"),
        text("total_price"),
        text("currency"),
        small("total_steps"),
        small("exceptions_count"),
        big("finished_at", null=True),
    )
    index("runs", "app_id", "created_at", "id")
    index("runs", "app_id", "status", "created_at", "id")
    partial_index("ix_runs_unfinished_owner_id", "runs", "owner_id", "finished_at IS NULL")


def _workspaces() -> None:
    create(
        "workspaces",
        id_("id"),
        text("name"),
        big("created_at"),
        text("plan"),
        text("status"),
    )


def _accounts() -> None:
    create(
        "accounts",
        id_("id"),
        text("email"),
        text("name"),
        big("created_at"),
        big("updated_at"),
        id_("workspace_id", null=True),
        text("role"),
        text("status"),
        text("password_hash", null=True),
        text("timezone"),
        text("language"),
        text("avatar", null=True),
        big("last_login_at", null=True),
        text("last_login_ip", null=True),
        big("last_active_at", null=True),
        parent("accounts", "workspace_id", "workspaces", cascade=False),
    )
    index("accounts", "email", unique=True)


def _apps() -> None:
    create(
        "apps",
        id_("id"),
        id_("workspace_id"),
        text("name"),
        text("mode"),
        big("created_at"),
        big("updated_at"),
        text("description"),
        text("icon_type", null=True),
        text("icon", null=True),
        text("icon_background", null=True),
        boolean("use_icon_as_answer_icon"),
        text("tags"),
        boolean("enable_api"),
        boolean("enable_site"),
        small("max_active_requests", null=True),
        text("site", null=True),
        text("status"),
        text("source_file", null=True),
        text("author_name", null=True),
        id_("workflow_id", null=True),
        id_("created_by", null=True),
        id_("updated_by", null=True),
        parent("apps", "workspace_id", "workspaces", cascade=False),
    )
    index("apps", "workspace_id", "created_at", "id")
    index("apps", "workspace_id", "source_file", unique=True)


def _conversation_variables() -> None:
    create(
        "conversation_variables",
        id_("id"),
        id_("conversation_id"),
        id_("app_id"),
        text("variable_id"),
        text("name"),
        text("value_type"),
        big("created_at"),
        big("updated_at"),
        text("value", null=True),
        text("description"),
        parent("conversation_variables", "conversation_id", "conversations"),
    )
    index("conversation_variables", "conversation_id", "variable_id", unique=True)


def _messages() -> None:
    create(
        "messages",
        id_("id"),
        id_("app_id"),
        id_("conversation_id"),
        text("query"),
        text("from_source"),
        big("created_at"),
        big("updated_at"),
        id_("parent_message_id", null=True),
        id_("run_id", null=True),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        text("invoke_from", null=True),
        text("answer"),
        text("inputs"),
        text("status"),
        text("error", null=True),
        text("metadata", null=True),
        big("message_tokens"),
        big("answer_tokens"),
        text("total_price"),
        text("currency"),
        double("latency"),
        parent("messages", "conversation_id", "conversations"),
    )
    index("messages", "app_id", "created_at")
    index("messages", "conversation_id", "created_at", "id")


def _node_executions() -> None:
    create(
        "node_executions",
        id_("id"),
        id_("run_id"),
        id_("app_id"),
        small("index"),
        text("node_id"),
        text("node_type"),
        text("title"),
        text("status"),
        big("created_at"),
        text("predecessor_node_id", null=True),
        text("inputs", null=True),
        text("process_data", null=True),
        text("outputs", null=True),
        text("error", null=True),
        double("elapsed_time"),
        text("execution_metadata", null=True),
        text("extras", null=True),
        text("iteration_id", null=True),
        small("iteration_index", null=True),
        text("loop_id", null=True),
        small("loop_index", null=True),
        big("finished_at", null=True),
        parent("node_executions", "run_id", "runs"),
    )
    index("node_executions", "run_id", "index")


def _api_tokens() -> None:
    create(
        "api_tokens",
        id_("id"),
        text("kind"),
        text("token_hash"),
        text("hint"),
        big("created_at"),
        id_("app_id", null=True),
        id_("workspace_id", null=True),
        text("name", null=True),
        text("token", null=True),
        big("last_used_at", null=True),
        parent("api_tokens", "app_id", "apps"),
        parent("api_tokens", "workspace_id", "workspaces"),
    )
    index("api_tokens", "app_id", "created_at", "id")
    index("api_tokens", "token_hash", unique=True)


def _end_users() -> None:
    create(
        "end_users",
        id_("id"),
        id_("workspace_id"),
        id_("app_id"),
        text("session_id"),
        big("created_at"),
        big("updated_at"),
        text("type"),
        text("external_user_id", null=True),
        text("name", null=True),
        boolean("is_anonymous"),
        parent("end_users", "workspace_id", "workspaces", cascade=False),
        parent("end_users", "app_id", "apps"),
    )
    index("end_users", "app_id", "session_id", unique=True)


def _message_files() -> None:
    create(
        "message_files",
        id_("id"),
        id_("message_id"),
        text("type"),
        text("transfer_method"),
        text("belongs_to"),
        big("created_at"),
        text("url", null=True),
        id_("upload_file_id", null=True),
        text("name", null=True),
        text("mime_type", null=True),
        big("size", null=True),
        parent("message_files", "message_id", "messages"),
    )
    index("message_files", "message_id", "created_at", "id")
    index("message_files", "upload_file_id")


def _workflows() -> None:
    create(
        "workflows",
        id_("id"),
        id_("app_id"),
        text("version"),
        text("dsl"),
        text("content_hash"),
        text("graph"),
        big("created_at"),
        big("updated_at"),
        text("features"),
        text("environment_variables"),
        text("conversation_variables"),
        text("marked_name"),
        text("marked_comment"),
        id_("created_by", null=True),
        id_("updated_by", null=True),
        parent("workflows", "app_id", "apps"),
    )
    index("workflows", "app_id", "created_at", "id")
    partial_index("uq_workflows_draft", "workflows", "app_id", "version = 'draft'", unique=True)
