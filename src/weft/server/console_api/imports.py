"""Apps as files, in and out. Source: Dify console API, `/apps/imports`, `/apps/{id}/export`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.egress import EgressError, EgressRequest
from weft.errors import InvalidRequestError
from weft.runs import (
    DSL_VERSION,
    ImportedFile,
    ImportRefusedError,
    find_draft,
    import_app,
    new_app,
    read_import,
    render_app,
)
from weft.server.console_api.apps import IconType
from weft.server.console_api.call import ConsoleCall
from weft.server.console_api.field import Flag, OptionalId, OptionalText
from weft.server.path import path_id
from weft.server.reply import json_reply
from weft.store import App, Connection, Workflow, apps, workflows
from weft.wire import WireModel, parse_request

_MAX_BYTES = 10 * 1024 * 1024
_FETCH_SECONDS = 10.0
_GITHUB_PAGE = re.compile(r"https://github\.com/([^/]+/[^/]+)/blob/(.+)")
_EXPIRED = "Import information expired or does not exist"


class ImportBody(WireModel):
    """Body that makes or overwrites an app from a file."""

    mode: str
    yaml_content: str | None = None
    yaml_url: str | None = None
    name: OptionalText = None
    description: OptionalText = None
    icon_type: IconType | None = None
    icon: str | None = None
    icon_background: str | None = None
    app_id: OptionalText = None


class AppExportQuery(WireModel):
    """Query string of the export of an app."""

    include_secret: Flag = False
    workflow_id: OptionalId = None


async def export(request: Request) -> Response:
    """The app as YAML text: its draft, or a version of it."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    query = parse_request(AppExportQuery, call.query)

    def read(connection: Connection) -> Workflow | None:
        if query.workflow_id is not None:
            return workflows.find(connection, app.id, query.workflow_id)
        return find_draft(connection, app)

    workflow = await call.read(read)
    if workflow is None:
        raise InvalidRequestError("Missing draft workflow configuration, please check.")
    text = await asyncio.to_thread(render_app, app, workflow, secrets=query.include_secret)
    if query.include_secret:
        await call.write("app.export-secrets", _nothing, app_id=app.id)
    return json_reply({"data": text})


async def create(request: Request) -> Response:
    """Make an app of a file, or overwrite one with it."""
    call = await ConsoleCall.begin(request, "editor")
    wanted = parse_request(ImportBody, await call.json())
    import_id = call.runtime.ids.new()
    try:
        if wanted.mode not in ("yaml-content", "yaml-url"):
            raise ImportRefusedError(f"Invalid import_mode: {wanted.mode[:40]}")
        text = await _text(call, wanted)
        file = await asyncio.to_thread(read_import, text)
        fields = {
            name: getattr(wanted, name)
            for name in ("name", "description", "icon_type", "icon", "icon_background")
        }
        if file.verdict == "pending":
            call.console.keep_import(import_id, call.workspace_id, file, fields, wanted.app_id)
            return _reply(import_id, "pending", version=file.version, status=202)
        app = await _take(call, file, fields, wanted.app_id)
    except ImportRefusedError as error:
        return _failed(import_id, error)
    return _taken(import_id, app, file)


async def confirm(request: Request) -> Response:
    """Take a file although it is of another version of the format."""
    call = await ConsoleCall.begin(request, "editor")
    import_id = path_id(request, "import_id", _EXPIRED)
    waiting = call.console.take_import(import_id, call.workspace_id)
    if waiting is None:
        return _failed(import_id, ImportRefusedError(_EXPIRED))
    try:
        app = await _take(call, waiting.file, waiting.fields, waiting.app_id)
    except ImportRefusedError as error:
        return _failed(import_id, error)
    return _taken(import_id, app, waiting.file)


async def _text(call: ConsoleCall, wanted: ImportBody) -> str:
    if wanted.mode == "yaml-content":
        if not wanted.yaml_content:
            raise ImportRefusedError("yaml_content is required when import_mode is yaml-content")
        return wanted.yaml_content
    if not wanted.yaml_url:
        raise ImportRefusedError("yaml_url is required when import_mode is yaml-url")
    return await _fetch(call, wanted.yaml_url)


async def _fetch(call: ConsoleCall, url: str) -> str:
    """The text behind an address that somebody gave; private networks are out of reach as for any flow."""
    page = _GITHUB_PAGE.fullmatch(url)
    if page is not None:
        url = f"https://raw.githubusercontent.com/{page[1]}/{page[2]}"
    try:
        async with (
            asyncio.timeout(_FETCH_SECONDS),
            call.runtime.services.egress.request(EgressRequest(method="GET", url=url)) as response,
        ):
            if response.status != 200:
                raise ImportRefusedError(f"Error fetching YAML from URL: status {response.status}")
            data = await response.read(_MAX_BYTES)
    except (EgressError, TimeoutError) as error:
        raise ImportRefusedError(f"Error fetching YAML from URL: {str(error) or 'timed out'}") from error
    if not data:
        raise ImportRefusedError("Empty content from url")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError("Error fetching YAML from URL: the content is not UTF-8") from error


async def _take(
    call: ConsoleCall, file: ImportedFile, fields: Mapping[str, str | None], app_id: str | None
) -> App:
    app = await _wanted_app(call, file, fields, app_id)
    runtime = call.runtime
    draft_id, now = runtime.ids.new(), runtime.clock.now()
    return await call.write(
        "app.import",
        lambda connection: import_app(
            connection, file, app, new_id=draft_id, account_id=call.account.id, now=now
        ),
        app_id=app.id,
        name=app.name,
        overwritten=app_id is not None,
    )


async def _wanted_app(
    call: ConsoleCall, file: ImportedFile, fields: Mapping[str, str | None], app_id: str | None
) -> App:
    """The app as it shall be: what the request says, else what the file says."""
    now = call.runtime.clock.now()
    icon_type = fields["icon_type"] or file.detail("icon_type")
    looks = {
        "name": (fields["name"] or file.detail("name") or "Untitled")[:255],
        "description": (fields["description"] or file.detail("description"))[:2000],
        "icon_type": icon_type if icon_type in ("emoji", "image", "link") else "emoji",
        "icon": fields["icon"] or file.detail("icon"),
        "icon_background": fields["icon_background"] or file.detail("icon_background") or "#FFFFFF",
    }
    answer_icon = file.details.get("use_icon_as_answer_icon") is True
    if app_id is None:
        made = new_app(
            call.runtime.ids.new(),
            mode=file.mode,
            author=call.account,
            workspace_id=call.workspace_id,
            now=now,
            **looks,
        )
        return msgspec.structs.replace(made, use_icon_as_answer_icon=answer_icon)
    found = await call.read_quick(
        lambda connection: apps.find_in_workspace(connection, call.workspace_id, app_id)
    )
    if found is None:
        raise ImportRefusedError("App not found", version=file.version)
    return msgspec.structs.replace(
        found, **looks, use_icon_as_answer_icon=answer_icon, updated_at=now, updated_by=call.account.id
    )


def _taken(import_id: str, app: App, file: ImportedFile) -> Response:
    verdict = "completed" if file.verdict == "pending" else file.verdict
    return _reply(import_id, verdict, app=app, version=file.version, warnings=file.warnings)


def _failed(import_id: str, error: ImportRefusedError) -> Response:
    return _reply(import_id, "failed", version=error.version, error=str(error), status=400)


def _reply(
    import_id: str,
    verdict: str,
    *,
    app: App | None = None,
    version: str = "",
    error: str = "",
    warnings: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    body = {
        "id": import_id,
        "status": verdict,
        "app_id": None if app is None else app.id,
        "app_mode": None if app is None else app.mode,
        "current_dsl_version": DSL_VERSION,
        "imported_dsl_version": version,
        "error": error,
        "warnings": list(warnings),
    }
    return json_reply(body, status)


def _nothing(connection: Connection) -> None:
    """Only the audit log changes."""


ROUTES = [
    Route("/apps/imports", create, methods=["POST"]),
    Route("/apps/imports/{import_id}/confirm", confirm, methods=["POST"]),
    Route("/apps/{app_id}/export", export, methods=["GET"]),
]
