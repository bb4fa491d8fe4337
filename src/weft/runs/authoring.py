"""Making apps: drafts, published versions, imports, copies and removal.

These are functions of a connection, so that whoever calls them can note in the same write who did it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from weft.errors import ConflictError, InvalidRequestError
from weft.runs.draft_content import DraftContent
from weft.runs.dsl_text import WITHOUT_GRAPH, render_app
from weft.runs.imported_file import ImportedFile, ImportRefusedError
from weft.store import Account, App, AppMode, Connection, Workflow, apps, workflows


def new_app(
    app_id: str,
    name: str,
    mode: AppMode,
    *,
    author: Account,
    workspace_id: str,
    now: datetime,
    description: str = "",
    icon_type: str | None = None,
    icon: str | None = None,
    icon_background: str | None = None,
) -> App:
    """An app that has nothing but a name and looks."""
    return App(
        id=app_id,
        workspace_id=workspace_id,
        name=name,
        mode=mode,
        created_at=now,
        updated_at=now,
        description=description,
        icon_type=icon_type or "emoji",
        icon=icon if icon is not None else "🤖",
        icon_background=icon_background or "#FFEAD5",
        enable_site=True,
        site={"title": name, "default_language": "en-US", "show_workflow_steps": True},
        author_name=author.name,
        created_by=author.id,
        updated_by=author.id,
    )


def find_draft(connection: Connection, app: App) -> Workflow | None:
    """The app's draft; for an app that came from a file and was never edited, what is published.

    `None` for an app that has neither.
    """
    draft = workflows.find_draft(connection, app.id)
    if draft is not None:
        return draft
    published = workflows.find_published(connection, app.id)
    if published is None:
        return None
    content = DraftContent.of(published)
    return msgspec.structs.replace(published, version=workflows.DRAFT, content_hash=content.hash)


def save_draft(
    connection: Connection,
    app: App,
    content: DraftContent,
    *,
    new_id: str,
    account_id: str,
    now: datetime,
    expected_hash: str | None = None,
    dsl: str | None = None,
) -> Workflow:
    """Make this the app's draft.

    Args:
        connection: In a write.
        app: The app, which the caller may change.
        content: What the draft shall be; secrets that it masks stay as they are.
        new_id: For a draft that is the app's first.
        account_id: Who does it.
        now: When.
        expected_hash: Of the draft that it is a change of; ``None`` to overwrite whatever there is.
        dsl: The file that it comes from; ``None`` to keep what there is.

    Raises:
        ConflictError: The draft is another by now.
        InvalidRequestError: The content cannot be kept.
    """
    app = apps.get_for_update(connection, app.id)
    before = find_draft(connection, app)
    if expected_hash is not None and before is not None and before.content_hash != expected_hash:
        raise ConflictError("Workflow graph might have been modified, please refresh and resubmit.")
    content = content.with_secrets_of(before)
    content.check()
    draft = Workflow(
        id=new_id,
        app_id=app.id,
        version=workflows.DRAFT,
        dsl=dsl if dsl is not None else before.dsl if before is not None else "",
        content_hash=content.hash,
        graph=content.graph,
        created_at=now,
        updated_at=now,
        features=content.features,
        environment_variables=content.environment_variables,
        conversation_variables=content.conversation_variables,
        created_by=account_id,
        updated_by=account_id,
    )
    return workflows.save_draft(connection, draft)


def version_of(
    app: App,
    draft: Workflow,
    *,
    new_id: str,
    account_id: str,
    now: datetime,
    marked_name: str = "",
    marked_comment: str = "",
) -> Workflow:
    """The version that publishing a draft now makes. Takes a while for a large one: it is written out."""
    return msgspec.structs.replace(
        draft,
        id=new_id,
        version=workflows.version_label(now),
        dsl=render_app(app, draft, secrets=True),
        created_at=now,
        updated_at=now,
        created_by=account_id,
        updated_by=account_id,
        marked_name=marked_name,
        marked_comment=marked_comment,
    )


def import_app(
    connection: Connection, file: ImportedFile, app: App, *, new_id: str, account_id: str, now: datetime
) -> App:
    """Store a file's content as the draft of an app that is new or shall be overwritten.

    Args:
        connection: In a write.
        file: What to take.
        app: As it shall be afterwards; stored if there is none of its id.
        new_id: For a draft that is the app's first.
        account_id: Who does it.
        now: When.

    Raises:
        ImportRefusedError: The app that is there is of another kind.
    """
    found = apps.find_in_workspace(connection, app.workspace_id, app.id)
    if found is None:
        apps.create(connection, app)
    else:
        if found.mode in WITHOUT_GRAPH or found.mode != file.mode:
            raise ImportRefusedError(
                "Only workflow or advanced chat apps can be overwritten, and with an app of the same mode",
                version=file.version,
            )
        apps.update(connection, app)
    try:
        save_draft(
            connection, app, file.content, new_id=new_id, account_id=account_id, now=now, dsl=file.text
        )
    except InvalidRequestError as error:
        raise ImportRefusedError(str(error), version=file.version) from error
    return app
