"""Files, forms and the states of paused runs, feedback, annotations, logins and the audit log."""

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

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    _files()
    _forms()
    _run_states()
    _signals()
    _feedbacks()
    _annotations()
    _annotation_hits()
    _annotation_settings()
    _annotation_jobs()
    _refresh_tokens()
    _login_failures()
    _audit_log()


def _files() -> None:
    create(
        "files",
        id_("id"),
        id_("workspace_id"),
        id_("app_id"),
        text("origin"),
        text("name"),
        text("extension"),
        text("mime_type"),
        big("size"),
        text("sha256"),
        big("created_at"),
        text("created_by_role"),
        id_("created_by", null=True),
        id_("conversation_id", null=True),
        id_("run_id", null=True),
        text("source_url", null=True),
        parent("files", "workspace_id", "workspaces", cascade=False),
    )
    index("files", "app_id", "created_at", "id")
    index("files", "conversation_id")


def _forms() -> None:
    create(
        "forms",
        id_("id"),
        id_("run_id"),
        id_("app_id"),
        text("node_id"),
        text("node_title"),
        text("content"),
        text("inputs"),
        text("actions"),
        big("created_at"),
        big("expires_at"),
        text("status"),
        text("token", null=True),
        boolean("display_in_ui"),
        text("resolved_defaults"),
        text("action_id", null=True),
        text("submitted", null=True),
        text("rendered_content", null=True),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        big("closed_at", null=True),
        parent("forms", "run_id", "runs"),
    )
    index("forms", "run_id")
    index("forms", "token", unique=True)
    partial_index("ix_forms_waiting_expires_at", "forms", "expires_at", "status = 'waiting'")


def _run_states() -> None:
    create(
        "run_states",
        id_("id"),
        small("format"),
        text("state"),
        big("created_at"),
        parent("run_states", "id", "runs"),
    )


def _signals() -> None:
    create(
        "signals",
        id_("id"),
        text("kind"),
        text("target_id"),
        big("created_at"),
        text("payload", null=True),
    )
    index("signals", "created_at", "id")


def _feedbacks() -> None:
    create(
        "feedbacks",
        id_("id"),
        id_("app_id"),
        id_("conversation_id"),
        id_("message_id"),
        text("rating"),
        text("from_source"),
        big("created_at"),
        big("updated_at"),
        text("content", null=True),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        parent("feedbacks", "message_id", "messages"),
    )
    index("feedbacks", "message_id", "from_source", unique=True)
    index("feedbacks", "app_id", "created_at", "id")
    index("feedbacks", "conversation_id")


def _annotations() -> None:
    create(
        "annotations",
        id_("id"),
        id_("app_id"),
        text("question"),
        text("answer"),
        big("created_at"),
        big("updated_at"),
        big("hit_count"),
        id_("message_id", null=True),
        id_("conversation_id", null=True),
        id_("account_id", null=True),
        text("embedding_model", null=True),
        text("embedding", null=True),
        parent("annotations", "app_id", "apps"),
    )
    index("annotations", "app_id", "created_at", "id")
    index("annotations", "message_id")
    index("annotations", "conversation_id")


def _annotation_hits() -> None:
    create(
        "annotation_hits",
        id_("id"),
        id_("annotation_id"),
        id_("app_id"),
        id_("message_id"),
        text("source"),
        text("question"),
        text("annotation_question"),
        text("annotation_answer"),
        double("score"),
        big("created_at"),
        id_("end_user_id", null=True),
        id_("account_id", null=True),
        parent("annotation_hits", "annotation_id", "annotations"),
    )
    index("annotation_hits", "annotation_id", "created_at", "id")
    index("annotation_hits", "message_id")


def _annotation_settings() -> None:
    create(
        "annotation_settings",
        id_("id"),
        boolean("enabled"),
        double("score_threshold"),
        text("embedding_provider"),
        text("embedding_model"),
        big("updated_at"),
        parent("annotation_settings", "id", "apps"),
    )


def _annotation_jobs() -> None:
    create(
        "annotation_jobs",
        id_("id"),
        id_("app_id"),
        text("action"),
        text("status"),
        big("created_at"),
        text("settings"),
        text("error"),
        big("finished_at", null=True),
        parent("annotation_jobs", "app_id", "apps"),
    )
    index("annotation_jobs", "app_id", "created_at")


def _refresh_tokens() -> None:
    create(
        "refresh_tokens",
        id_("id"),
        id_("account_id"),
        text("token_hash"),
        big("created_at"),
        big("expires_at"),
        parent("refresh_tokens", "account_id", "accounts"),
    )
    index("refresh_tokens", "token_hash", unique=True)
    index("refresh_tokens", "account_id")


def _login_failures() -> None:
    create(
        "login_failures",
        text("id"),
        small("count"),
        big("updated_at"),
    )


def _audit_log() -> None:
    create(
        "audit_log",
        id_("id"),
        id_("workspace_id"),
        text("action"),
        big("created_at"),
        id_("account_id", null=True),
        id_("app_id", null=True),
        text("target_id", null=True),
        text("address", null=True),
        text("details", null=True),
    )
    index("audit_log", "workspace_id", "created_at", "id")
