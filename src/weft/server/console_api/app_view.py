"""An app as the console shows it. Source: Dify console API, `/apps`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from weft.runs import WITHOUT_GRAPH
from weft.server.sse import seconds
from weft.store import Account, App, JsonObject, Workflow

_TAGS = uuid.UUID("0c1f7a52-8f5e-5d0b-9b1b-6f0f2a7c3e11")
"""Namespace of the ids of tags, which the records know by name only."""


def tag_id(workspace_id: str, name: str) -> str:
    """What a tag is called in filters."""
    return str(uuid.uuid5(_TAGS, f"{workspace_id}/{name}"))


def app_item(app: App, workflow: Workflow | None, author: Account | None) -> dict[str, object]:
    """An app in the list, with its published version."""
    return {
        "id": app.id,
        "name": app.name,
        "max_active_requests": app.max_active_requests,
        "description": app.description,
        "mode": app.mode,
        "icon_type": app.icon_type,
        "icon": app.icon,
        "icon_background": app.icon_background,
        "icon_url": None,
        "model_config": None,
        "workflow": None if workflow is None else _workflow(workflow),
        "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        "created_by": app.created_by,
        "created_at": seconds(app.created_at),
        "updated_by": app.updated_by,
        "updated_at": seconds(app.updated_at),
        "tags": [{"id": tag_id(app.workspace_id, tag), "name": tag, "type": "app"} for tag in app.tags],
        "access_mode": None,
        "create_user_name": None if author is None else author.name,
        "author_name": app.author_name or (None if author is None else author.name),
        "has_draft_trigger": False,
    }


def app_detail(
    app: App,
    workflow: Workflow | None,
    author: Account | None,
    *,
    configuration: JsonObject | None,
    api_base_url: str,
) -> dict[str, object]:
    """An app by itself.

    Args:
        app: The app.
        workflow: Its published version.
        author: Who made it.
        configuration: The model configuration of an app that has one instead of a graph.
        api_base_url: Where its keys are good for something.
    """
    return {
        **app_item(app, workflow, author),
        "model_config": configuration if app.mode in WITHOUT_GRAPH else None,
        "enable_site": app.enable_site,
        "enable_api": app.enable_api,
        "tracing": None,
        "site": _site(app, app.site or {}),
        "api_base_url": api_base_url,
        "deleted_tools": [],
    }


def _site(app: App, site: Mapping[str, object]) -> dict[str, object]:
    return {
        "access_token": None,
        "code": None,
        "title": site.get("title") or app.name,
        "icon_type": site.get("icon_type") or app.icon_type,
        "icon": site.get("icon") or app.icon,
        "icon_background": site.get("icon_background") or app.icon_background,
        "icon_url": None,
        "description": site.get("description"),
        "default_language": site.get("default_language") or "en-US",
        "chat_color_theme": site.get("chat_color_theme"),
        "chat_color_theme_inverted": bool(site.get("chat_color_theme_inverted")),
        "customize_domain": site.get("customize_domain"),
        "copyright": site.get("copyright"),
        "privacy_policy": site.get("privacy_policy"),
        "custom_disclaimer": site.get("custom_disclaimer"),
        "customize_token_strategy": site.get("customize_token_strategy") or "not_allow",
        "prompt_public": bool(site.get("prompt_public")),
        "app_base_url": None,
        "show_workflow_steps": bool(site.get("show_workflow_steps", True)),
        "use_icon_as_answer_icon": bool(site.get("use_icon_as_answer_icon", app.use_icon_as_answer_icon)),
        "created_by": app.created_by,
        "created_at": seconds(app.created_at),
        "updated_by": app.updated_by,
        "updated_at": seconds(app.updated_at),
    }


def _workflow(workflow: Workflow) -> dict[str, object]:
    return {
        "id": workflow.id,
        "created_by": workflow.created_by,
        "created_at": seconds(workflow.created_at),
        "updated_by": workflow.updated_by,
        "updated_at": seconds(workflow.updated_at),
    }


def account_summary(account: Account | None) -> dict[str, object] | None:
    """Somebody of the workspace, in a word."""
    return None if account is None else {"id": account.id, "name": account.name, "email": account.email}
