"""The steps that bring a database from any version of Weft to this one.

A new step is a file in ``versions``: ``alembic revision`` is not needed, copy the newest, give it the
next number as `revision` and the one before as `down_revision`, and raise `weft.store.migration.HEAD`.
A step never imports `weft.store.tables`: what it did once it must always do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Take every step that the database has not taken, inside the caller's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def known() -> set[str]:
    """The revisions that exist as files."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    # A percent sign begins an interpolation there.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
