"""Apps: list, make, change, copy, delete. Source: Dify console API, `/apps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import AfterValidator, Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.runs import DELETED, WITHOUT_GRAPH, DraftContent, find_draft, new_app, save_draft
from weft.server.console_api.app_view import app_detail, app_item, tag_id
from weft.server.console_api.call import ConsoleCall
from weft.server.console_api.field import Flag, Limit, OptionalText, PageNumber
from weft.server.console_api.login import clean_up
from weft.server.errors import ApiError
from weft.server.reply import SUCCESS, json_reply, no_content
from weft.store import (
    Account,
    App,
    AppFilter,
    AppMode,
    AppPage,
    Connection,
    Workflow,
    accounts,
    app_removal,
    workflows,
)
from weft.store import apps as rows
from weft.wire import WireModel, parse_request

IconType = Literal["emoji", "image", "link"]
_SEARCHED = 30
"""Characters of a name that are searched for."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("name must not be empty")
    return text


Name = Annotated[str, Field(max_length=255), AfterValidator(_not_blank)]
Description = Annotated[str, Field(max_length=400)]


class AppsQuery(WireModel):
    """Query string of the list of apps."""

    page: PageNumber = 1
    limit: Limit = 20
    mode: Literal["completion", "chat", "advanced-chat", "workflow", "agent-chat", "channel", "all"] = "all"
    name: OptionalText = None
    tag_ids: OptionalText = None
    is_created_by_me: Flag = False


class NewApp(WireModel):
    """Body that makes an app."""

    name: Name
    mode: AppMode
    description: Description | None = None
    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None


class ChangedApp(WireModel):
    """Body that changes an app."""

    name: Name
    description: Description | None = None
    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None
    use_icon_as_answer_icon: bool | None = None
    max_active_requests: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class AppCopy(WireModel):
    """Body that copies an app; what is left out is taken from the original."""

    name: Name | None = None
    description: Description | None = None
    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None


class AppName(WireModel):
    """Body that renames an app."""

    name: Name


class AppIcon(WireModel):
    """Body that changes an app's icon."""

    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None


class SiteSwitch(WireModel):
    """Body that switches an app's page on or off."""

    enable_site: bool


class ApiSwitch(WireModel):
    """Body that switches an app's keys on or off."""

    enable_api: bool


_Language = Annotated[str, Field(max_length=20)]


class SiteChange(WireModel):
    """Body that changes an app's page."""

    title: Annotated[str, Field(max_length=255)] | None = None
    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None
    description: str | None = None
    default_language: _Language | None = None
    chat_color_theme: str | None = None
    chat_color_theme_inverted: bool | None = None
    customize_domain: str | None = None
    copyright: str | None = None
    privacy_policy: str | None = None
    custom_disclaimer: Annotated[str, Field(max_length=512)] | None = None
    customize_token_strategy: Literal["must", "allow", "not_allow"] | None = None
    prompt_public: bool | None = None
    show_workflow_steps: bool | None = None
    use_icon_as_answer_icon: bool | None = None


async def listing(request: Request) -> Response:
    """A page of the workspace's apps, newest first."""
    call = await ConsoleCall.begin(request)
    query = parse_request(AppsQuery, call.query)
    if query.mode == "channel":  # a kind of app that nothing makes any more
        empty: list[object] = []
        return json_reply(
            {"page": query.page, "limit": query.limit, "total": 0, "has_more": False, "data": empty}
        )
    mode = None if query.mode == "all" else query.mode
    wanted_tags = [tag.strip() for tag in (query.tag_ids or "").split(",") if tag.strip()]

    def read(
        connection: Connection,
    ) -> tuple[AppPage, Mapping[str, Workflow], Mapping[str, Account]]:
        wanted = AppFilter(
            mode=mode,
            name=(query.name or "")[:_SEARCHED],
            created_by=call.account.id if query.is_created_by_me else None,
            tag=frozenset(_tag_names(connection, call.workspace_id, wanted_tags)),
        )
        page = rows.list_page(connection, call.workspace_id, wanted, page=query.page, limit=query.limit)
        published = workflows.list_by_id(
            connection, {app.workflow_id for app in page.items if app.workflow_id}
        )
        authors = accounts.list_by_id(connection, {app.created_by for app in page.items if app.created_by})
        return page, published, authors

    page, published, authors = await call.read(read)
    return json_reply(
        {
            "page": query.page,
            "limit": query.limit,
            "total": page.total,
            "has_more": page.has_more,
            "data": [
                app_item(app, published.get(app.workflow_id or ""), authors.get(app.created_by or ""))
                for app in page.items
            ],
        }
    )


async def create(request: Request) -> Response:
    """Make an app that does nothing yet."""
    call = await ConsoleCall.begin(request, "editor")
    wanted = parse_request(NewApp, await call.json())
    runtime = call.runtime
    app = new_app(
        runtime.ids.new(),
        wanted.name,
        wanted.mode,
        author=call.account,
        workspace_id=call.workspace_id,
        now=runtime.clock.now(),
        description=wanted.description or "",
        icon_type=wanted.icon_type,
        icon=wanted.icon,
        icon_background=wanted.icon_background,
    )
    await call.write(
        "app.create",
        lambda connection: rows.create(connection, app),
        app_id=app.id,
        name=app.name,
        mode=app.mode,
    )
    return json_reply(await shown(call, app), 201)


async def detail(request: Request) -> Response:
    """One app with its site."""
    call = await ConsoleCall.begin(request)
    return json_reply(await shown(call, await call.app()))


async def update(request: Request) -> Response:
    """Change name, description, looks and limits."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(ChangedApp, await call.json())
    return await _changed(call, app, "app.update", _given(wanted, name=wanted.name))


async def rename(request: Request) -> Response:
    """Change the name."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(AppName, await call.json())
    return await _changed(call, app, "app.rename", {"name": wanted.name})


async def change_icon(request: Request) -> Response:
    """Change the icon."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(AppIcon, await call.json())
    return await _changed(call, app, "app.icon", _given(wanted))


async def switch_site(request: Request) -> Response:
    """Let the app have a web page, or not."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(SiteSwitch, await call.json())
    return await _changed(call, app, "app.site-enable", {"enable_site": wanted.enable_site})


async def switch_api(request: Request) -> Response:
    """Let the app's keys be used, or not."""
    call = await ConsoleCall.begin(request, "admin")
    app = await call.app()
    wanted = parse_request(ApiSwitch, await call.json())
    return await _changed(call, app, "app.api-enable", {"enable_api": wanted.enable_api})


async def change_site(request: Request) -> Response:
    """Change how the app presents itself as a web page."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(SiteChange, await call.json())
    site = {**(app.site or {}), **_given(wanted)}
    await _store(call, app, "app.site", {"site": site})
    body = await shown(call, msgspec.structs.replace(app, site=site))
    return json_reply(body["site"])


async def copy(request: Request) -> Response:
    """Make another app that does the same."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(AppCopy, await call.optional_json())
    draft = await call.read(lambda connection: find_draft(connection, app))
    runtime = call.runtime
    now, draft_id = runtime.clock.now(), runtime.ids.new()
    made = new_app(
        runtime.ids.new(),
        wanted.name or app.name,
        app.mode,
        author=call.account,
        workspace_id=call.workspace_id,
        now=now,
        description=app.description if wanted.description is None else wanted.description,
        icon_type=wanted.icon_type or app.icon_type,
        icon=app.icon if wanted.icon is None else wanted.icon,
        icon_background=wanted.icon_background or app.icon_background,
    )
    made = msgspec.structs.replace(made, use_icon_as_answer_icon=app.use_icon_as_answer_icon)

    def write(connection: Connection) -> None:
        rows.create(connection, made)
        if draft is not None:
            save_draft(
                connection,
                made,
                DraftContent.of(draft),
                new_id=draft_id,
                account_id=call.account.id,
                now=now,
                dsl=draft.dsl,
            )

    await call.write("app.copy", write, app_id=made.id, name=made.name, of=app.id)
    return json_reply(await shown(call, made), 201)


async def delete(request: Request) -> Response:
    """Delete an app: at once for everybody, its records as time allows."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    removed = await call.write(
        DELETED,
        lambda connection: app_removal.remove(connection, call.workspace_id, app.id),
        app_id=app.id,
        name=app.name,
    )
    if not removed:
        raise ApiError(404, "app_not_found", "App not found.")
    reply = no_content()
    reply.background = BackgroundTask(clean_up, call.runtime, call.console, call.workspace_id)
    return reply


async def configure_model(request: Request) -> Response:
    """Keep the model configuration of an app that has one instead of a graph."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*WITHOUT_GRAPH)
    configuration = await call.json()
    runtime = call.runtime
    now, new_id = runtime.clock.now(), runtime.ids.new()
    content = DraftContent(graph={}, features=configuration)
    await call.write(
        "app.model-config",
        lambda connection: save_draft(
            connection, app, content, new_id=new_id, account_id=call.account.id, now=now
        ),
        app_id=app.id,
    )
    return json_reply(SUCCESS)


async def shown(call: ConsoleCall, app: App) -> dict[str, object]:
    """The app by itself, as the console shows it."""

    def read(connection: Connection) -> tuple[Workflow | None, Workflow | None, Account | None]:
        published = workflows.find_published(connection, app.id) if app.workflow_id else None
        draft = workflows.find_draft(connection, app.id) if app.mode in WITHOUT_GRAPH else None
        author = accounts.find(connection, app.created_by) if app.created_by else None
        return published, draft, author

    published, draft, author = await call.read(read)
    return app_detail(
        app,
        published,
        author,
        configuration=None if draft is None else draft.features,
        api_base_url=str(call.request.base_url) + "v1",
    )


def _given(wanted: WireModel, **always: object) -> dict[str, object]:
    """The fields of a request that somebody has given, without those that nobody knows."""
    known = type(wanted).model_fields
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set if name in known}
    return {**{name: value for name, value in given.items() if value is not None}, **always}


async def _store(call: ConsoleCall, app: App, action: str, fields: dict[str, object]) -> App:
    now = call.runtime.clock.now()

    def write(connection: Connection) -> App:
        current = rows.get_for_update(connection, app.id)
        changed = msgspec.structs.replace(current, **fields, updated_at=now, updated_by=call.account.id)
        rows.update(connection, changed)
        return changed

    return await call.write(action, write, app_id=app.id, fields=sorted(fields))


async def _changed(call: ConsoleCall, app: App, action: str, fields: dict[str, object]) -> Response:
    if not fields:
        raise InvalidRequestError("there is nothing to change")
    return json_reply(await shown(call, await _store(call, app, action, fields)))


def _tag_names(connection: Connection, workspace_id: str, ids: list[str]) -> list[str]:
    """The names of tags by their ids; an id of none stands for a tag that no app has."""
    if not ids:
        return []
    known = {
        tag_id(workspace_id, tag): tag for app in rows.list_all(connection, workspace_id) for tag in app.tags
    }
    return [known.get(id, f"\0{id}") for id in ids]


ROUTES = [
    Route("/apps", listing, methods=["GET"]),
    Route("/apps", create, methods=["POST"]),
    Route("/apps/{app_id}", detail, methods=["GET"]),
    Route("/apps/{app_id}", update, methods=["PUT"]),
    Route("/apps/{app_id}", delete, methods=["DELETE"]),
    Route("/apps/{app_id}/copy", copy, methods=["POST"]),
    Route("/apps/{app_id}/name", rename, methods=["POST"]),
    Route("/apps/{app_id}/icon", change_icon, methods=["POST"]),
    Route("/apps/{app_id}/site-enable", switch_site, methods=["POST"]),
    Route("/apps/{app_id}/api-enable", switch_api, methods=["POST"]),
    Route("/apps/{app_id}/site", change_site, methods=["POST"]),
    Route("/apps/{app_id}/model-config", configure_model, methods=["POST"]),
]
