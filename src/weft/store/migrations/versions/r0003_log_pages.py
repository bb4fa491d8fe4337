"""Counts of runs, a queue of texts for the search index, and the triggers that feed both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from weft.store.migrations.columns import big, id_, index, small, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them, and count and queue what is there already."""
    _indexes()
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(sa.text(statement))
    else:
        _search_texts()
        for statement in _POSTGRES:
            op.execute(sa.text(statement))
    for statement in _FIRST_FILL:
        op.execute(sa.text(statement))


def _indexes() -> None:
    for column in ("created_at", "updated_at"):
        op.drop_index(f"ix_conversations_app_id_{column}_id")
        index("conversations", "app_id", column, "id", "is_deleted", "invoke_from")
    op.drop_index("ix_runs_app_id_created_at_id")
    op.drop_index("ix_runs_app_id_status_created_at_id")
    op.drop_index("ix_runs_unfinished_owner_id")
    index("runs", "app_id", "created_at", "id", "triggered_from")
    index("runs", "app_id", "status", "created_at", "id", "triggered_from")
    _partial("ix_runs_unfinished", ["app_id", "created_at"], "finished_at IS NULL")
    for column in ("end_user_id", "account_id"):
        _partial(f"ix_runs_{column}_created_at_id", [column, "created_at", "id"], f"{column} IS NOT NULL")


def _partial(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "runs", columns, sqlite_where=condition, postgresql_where=condition)


def _tables() -> None:
    op.create_table(
        "run_counts",
        id_("app_id"),
        small("level"),
        big("stretch"),
        text("status"),
        big("count"),
        sa.PrimaryKeyConstraint("app_id", "level", "stretch", "status", name="pk_run_counts"),
    )
    op.create_table(
        "run_changes",
        _number(),
        id_("app_id"),
        big("created_at"),
        text("status"),
        small("change"),
        sa.PrimaryKeyConstraint("id", name="pk_run_changes"),
    )
    op.create_table(
        "search_queue",
        _number(),
        text("kind"),
        id_("row_id"),
        id_("app_id"),
        id_("owner_id"),
        text("was", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_search_queue"),
    )
    op.create_table(
        "search_skipped",
        id_("id"),
        text("kind"),
        id_("app_id"),
        id_("owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_search_skipped"),
    )
    index("search_skipped", "app_id")
    op.create_table(
        "search_state",
        text("id"),
        text("generation"),
        big("done"),
        sa.PrimaryKeyConstraint("id", name="pk_search_state"),
    )


def _number() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=True, nullable=False)


def _search_texts() -> None:
    """Postgres keeps the index among its tables; SQLite has a file for it."""
    op.create_table(
        "search_texts",
        id_("id"),
        text("kind"),
        id_("app_id"),
        id_("owner_id"),
        big("created_at"),
        text("text"),
        sa.Column("grams", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_texts"),
    )
    index("search_texts", "app_id", "kind", "created_at", "id")
    op.create_index("ix_search_texts_grams", "search_texts", ["grams"], postgresql_using="gin")


# Lengths of stretches: 2 to the power of 26, 32 and 38 microseconds.
_FIRST_FILL = (
    """
    INSERT INTO run_counts (app_id, level, stretch, status, count)
    SELECT app_id, 0, created_at >> 26, status, count(*) FROM runs
    WHERE finished_at IS NOT NULL AND triggered_from = 'app-run'
    GROUP BY app_id, created_at >> 26, status
    """,
    """
    INSERT INTO run_counts (app_id, level, stretch, status, count)
    SELECT app_id, 1, created_at >> 32, status, count(*) FROM runs
    WHERE finished_at IS NOT NULL AND triggered_from = 'app-run'
    GROUP BY app_id, created_at >> 32, status
    """,
    """
    INSERT INTO run_counts (app_id, level, stretch, status, count)
    SELECT app_id, 2, created_at >> 38, status, count(*) FROM runs
    WHERE finished_at IS NOT NULL AND triggered_from = 'app-run'
    GROUP BY app_id, created_at >> 38, status
    """,
    """
    INSERT INTO search_queue (kind, row_id, app_id, owner_id)
    SELECT 'run', id, app_id, id FROM runs WHERE finished_at IS NOT NULL AND triggered_from = 'app-run'
    ORDER BY created_at, id
    """,
    """
    INSERT INTO search_queue (kind, row_id, app_id, owner_id)
    SELECT 'talk', id, app_id, conversation_id FROM messages ORDER BY created_at, id
    """,
)

# A run is counted and indexed once it has ended, unless it was for debugging. One that is changed afterwards
# is taken out as it was and put in as it is. SQLite's index has to be told what it forgets: that is `was`.
_SQLITE = (
    """
    CREATE TRIGGER runs_end AFTER UPDATE OF
      finished_at, status, inputs, outputs, created_at, app_id, triggered_from, end_user_id ON runs
    WHEN NEW.finished_at IS NOT NULL AND NEW.triggered_from = 'app-run'
    BEGIN
      INSERT INTO run_changes (app_id, created_at, status, change)
      VALUES (NEW.app_id, NEW.created_at, NEW.status, 1);
      INSERT INTO search_queue (kind, row_id, app_id, owner_id)
      VALUES ('run', NEW.id, NEW.app_id, NEW.id);
    END
    """,
    """
    CREATE TRIGGER runs_change BEFORE UPDATE OF
      finished_at, status, inputs, outputs, created_at, app_id, triggered_from, end_user_id ON runs
    WHEN OLD.finished_at IS NOT NULL AND OLD.triggered_from = 'app-run'
    BEGIN
      INSERT INTO run_changes (app_id, created_at, status, change)
      VALUES (OLD.app_id, OLD.created_at, OLD.status, -1);
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('run', OLD.id, OLD.app_id, OLD.id, json_array(OLD.status, OLD.inputs, OLD.outputs,
        (SELECT session_id FROM end_users WHERE id = OLD.end_user_id)));
    END
    """,
    """
    CREATE TRIGGER runs_insert AFTER INSERT ON runs
    WHEN NEW.finished_at IS NOT NULL AND NEW.triggered_from = 'app-run'
    BEGIN
      INSERT INTO run_changes (app_id, created_at, status, change)
      VALUES (NEW.app_id, NEW.created_at, NEW.status, 1);
      INSERT INTO search_queue (kind, row_id, app_id, owner_id)
      VALUES ('run', NEW.id, NEW.app_id, NEW.id);
    END
    """,
    """
    CREATE TRIGGER runs_delete BEFORE DELETE ON runs
    WHEN OLD.finished_at IS NOT NULL AND OLD.triggered_from = 'app-run'
    BEGIN
      INSERT INTO run_changes (app_id, created_at, status, change)
      VALUES (OLD.app_id, OLD.created_at, OLD.status, -1);
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('run', OLD.id, OLD.app_id, OLD.id, json_array(OLD.status, OLD.inputs, OLD.outputs,
        (SELECT session_id FROM end_users WHERE id = OLD.end_user_id)));
    END
    """,
    """
    CREATE TRIGGER messages_insert AFTER INSERT ON messages
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('talk', NEW.id, NEW.app_id, NEW.conversation_id, NULL);
    END
    """,
    """
    CREATE TRIGGER messages_change AFTER UPDATE OF query, answer ON messages
    WHEN NEW.query IS NOT OLD.query OR NEW.answer IS NOT OLD.answer
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('talk', OLD.id, OLD.app_id, OLD.conversation_id, json_array(OLD.query, OLD.answer));
    END
    """,
    """
    CREATE TRIGGER messages_delete BEFORE DELETE ON messages
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('talk', OLD.id, OLD.app_id, OLD.conversation_id, json_array(OLD.query, OLD.answer));
    END
    """,
    """
    CREATE TRIGGER conversations_change AFTER UPDATE OF name, introduction, end_user_id ON conversations
    WHEN NEW.name IS NOT OLD.name OR NEW.introduction IS NOT OLD.introduction
      OR NEW.end_user_id IS NOT OLD.end_user_id
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('talk', OLD.id, OLD.app_id, OLD.id, json_array(OLD.name, OLD.introduction,
        (SELECT session_id FROM end_users WHERE id = OLD.end_user_id)));
    END
    """,
    """
    CREATE TRIGGER conversations_delete BEFORE DELETE ON conversations
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id, was)
      VALUES ('talk', OLD.id, OLD.app_id, OLD.id, json_array(OLD.name, OLD.introduction,
        (SELECT session_id FROM end_users WHERE id = OLD.end_user_id)));
    END
    """,
)

_POSTGRES = (
    """
    CREATE FUNCTION weft_note_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'INSERT' AND OLD.finished_at IS NOT NULL AND OLD.triggered_from = 'app-run' THEN
        INSERT INTO run_changes (app_id, created_at, status, change)
        VALUES (OLD.app_id, OLD.created_at, OLD.status, -1);
        INSERT INTO search_queue (kind, row_id, app_id, owner_id) VALUES ('run', OLD.id, OLD.app_id, OLD.id);
      END IF;
      IF TG_OP <> 'DELETE' AND NEW.finished_at IS NOT NULL AND NEW.triggered_from = 'app-run' THEN
        INSERT INTO run_changes (app_id, created_at, status, change)
        VALUES (NEW.app_id, NEW.created_at, NEW.status, 1);
        INSERT INTO search_queue (kind, row_id, app_id, owner_id) VALUES ('run', NEW.id, NEW.app_id, NEW.id);
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER runs_end AFTER UPDATE OF
      finished_at, status, inputs, outputs, created_at, app_id, triggered_from, end_user_id ON runs
    FOR EACH ROW EXECUTE FUNCTION weft_note_run()
    """,
    """
    CREATE TRIGGER runs_insert AFTER INSERT ON runs FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL AND NEW.triggered_from = 'app-run')
    EXECUTE FUNCTION weft_note_run()
    """,
    """
    CREATE TRIGGER runs_delete AFTER DELETE ON runs FOR EACH ROW
    WHEN (OLD.finished_at IS NOT NULL AND OLD.triggered_from = 'app-run')
    EXECUTE FUNCTION weft_note_run()
    """,
    """
    CREATE FUNCTION weft_note_message() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        INSERT INTO search_queue (kind, row_id, app_id, owner_id)
        VALUES ('talk', OLD.id, OLD.app_id, OLD.conversation_id);
      ELSE
        INSERT INTO search_queue (kind, row_id, app_id, owner_id)
        VALUES ('talk', NEW.id, NEW.app_id, NEW.conversation_id);
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION weft_note_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO search_queue (kind, row_id, app_id, owner_id) VALUES ('talk', OLD.id, OLD.app_id, OLD.id);
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER messages_insert AFTER INSERT OR DELETE ON messages
    FOR EACH ROW EXECUTE FUNCTION weft_note_message()
    """,
    """
    CREATE TRIGGER messages_change AFTER UPDATE OF query, answer ON messages FOR EACH ROW
    WHEN (NEW.query IS DISTINCT FROM OLD.query OR NEW.answer IS DISTINCT FROM OLD.answer)
    EXECUTE FUNCTION weft_note_message()
    """,
    """
    CREATE TRIGGER conversations_change AFTER UPDATE OF name, introduction, end_user_id ON conversations
    FOR EACH ROW WHEN (NEW.name IS DISTINCT FROM OLD.name
      OR NEW.introduction IS DISTINCT FROM OLD.introduction
      OR NEW.end_user_id IS DISTINCT FROM OLD.end_user_id)
    EXECUTE FUNCTION weft_note_conversation()
    """,
    """
    CREATE TRIGGER conversations_delete AFTER DELETE ON conversations
    FOR EACH ROW EXECUTE FUNCTION weft_note_conversation()
    """,
)
