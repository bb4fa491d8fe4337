"""Serving a file: its app, its published version and its key, made once and found again."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from weft.clock import Clock
from weft.errors import ConfigError
from weft.graph import AppFile, compile_graph, load_app
from weft.ids import Ids
from weft.nodes import build_node
from weft.runs.keys import app_key, hash_key
from weft.store import ApiToken, App, Connection, Store, Workflow, keys, workflows


@dataclass(frozen=True, slots=True)
class ServedApp:
    """An app that a file was made into."""

    app: App
    workflow: Workflow
    key: str
    """Secret; shown once to whoever started the server."""
    file: Path
    outcome: Literal["created", "published", "unchanged"]
    warnings: tuple[str, ...] = ()


async def serve_file(
    path: Path, *, store: Store, clock: Clock, ids: Ids, secret: str, workspace_id: str
) -> ServedApp:
    """Import a file: the first time it becomes an app, afterwards a change becomes a new published version.

    A file is known by its absolute path.

    Raises:
        ConfigError: The file cannot be read.
        GraphError: It cannot be run; every problem of it.
        StoreError: It could not be stored.
    """
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; give the path of an exported app"
        ) from error
    file = load_app(content, source=str(path))
    compile_graph(file, build_node)
    app, workflow = _rows(file, content, path, clock.now(), ids, workspace_id)

    def write(connection: Connection) -> tuple[workflows.Imported, str]:
        imported = workflows.import_file(connection, app, workflow)
        key = app_key(secret, imported.app.id)
        if keys.find_by_hash(connection, hash_key(key)) is None:
            keys.create(
                connection,
                ApiToken(
                    id=workflow.id,
                    kind="app",
                    token_hash=hash_key(key),
                    hint=key[-4:],
                    created_at=workflow.created_at,
                    app_id=imported.app.id,
                    workspace_id=workspace_id,
                ),
            )
        return imported, key

    imported, key = await store.write(write)
    return ServedApp(
        imported.app,
        imported.workflow,
        key,
        path,
        imported.outcome,
        tuple(str(problem) for problem in file.warnings),
    )


def _rows(
    file: AppFile, content: bytes, path: Path, now: datetime, ids: Ids, workspace_id: str
) -> tuple[App, Workflow]:
    app = App(
        id=ids.new(),
        workspace_id=workspace_id,
        name=file.name,
        mode=file.mode,
        created_at=now,
        updated_at=now,
        description=file.description,
        icon_type=file.icon_type,
        icon=file.icon,
        icon_background=file.icon_background,
        use_icon_as_answer_icon=file.use_icon_as_answer_icon,
        enable_site=True,
        site={"title": file.name, "default_language": "en-US", "show_workflow_steps": True},
        source_file=str(path.resolve()),
        author_name="",
    )
    workflow = Workflow(
        id=ids.new(),
        app_id=app.id,
        version=workflows.version_label(now),
        dsl=content.decode("utf-8-sig"),
        content_hash=hashlib.sha256(content).hexdigest(),
        graph=file.graph,
        created_at=now,
        updated_at=now,
        features=file.features,
        environment_variables=[_variable(variable) for variable in file.environment_variables],
        conversation_variables=[_variable(variable) for variable in file.conversation_variables],
    )
    return app, workflow


def _variable(variable: object) -> dict[str, object]:
    plain = msgspec.to_builtins(variable)
    return plain if isinstance(plain, dict) else {}
