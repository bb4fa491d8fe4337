"""Published versions of an app. Source: Dify console API, `/apps/{id}/workflows`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import ForbiddenError, InvalidRequestError, NotFoundError
from weft.runs import find_draft, version_of
from weft.server.console_api.call import FLOW_MODES, ConsoleCall
from weft.server.console_api.field import Flag, Limit, OptionalText, PageNumber
from weft.server.console_api.version_view import people_of, version_view
from weft.server.errors import ApiError
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.server.sse import seconds
from weft.store import Account, Connection, Page, Workflow, apps, workflows
from weft.wire import WireModel, parse_request

_ABSENT = "Workflow not found"
_MarkedName = Annotated[str, Field(max_length=20)]
_MarkedComment = Annotated[str, Field(max_length=100)]


class VersionMarks(WireModel):
    """Body that names a version."""

    marked_name: _MarkedName | None = None
    marked_comment: _MarkedComment | None = None


class VersionsQuery(WireModel):
    """Query string of the list of versions."""

    page: PageNumber = 1
    limit: Limit = 10
    user_id: OptionalText = None
    named_only: Flag = False


async def publish(request: Request) -> Response:
    """Make the draft the version that answers."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    wanted = parse_request(VersionMarks, await call.optional_json())
    draft = await call.read(lambda connection: find_draft(connection, app))
    if draft is None:
        raise InvalidRequestError("No valid workflow found.")
    runtime = call.runtime
    version = await asyncio.to_thread(
        version_of,
        app,
        draft,
        new_id=runtime.ids.new(),
        account_id=call.account.id,
        now=runtime.clock.now(),
        marked_name=wanted.marked_name or "",
        marked_comment=wanted.marked_comment or "",
    )
    await call.write(
        "app.publish",
        lambda connection: workflows.publish(connection, version, again=True),
        app_id=app.id,
        target_id=version.id,
    )
    return json_reply({"result": "success", "created_at": seconds(version.created_at)})


async def published(request: Request) -> Response:
    """The version that answers, or null."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)

    def read(connection: Connection) -> tuple[Workflow | None, dict[str, Account]]:
        found = workflows.find_published(connection, app.id)
        return found, {} if found is None else people_of(connection, found)

    found, people = await call.read(read)
    return json_reply(None if found is None else version_view(found, people))


async def listing(request: Request) -> Response:
    """A page of published versions, newest first."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    query = parse_request(VersionsQuery, call.query)
    if query.user_id is not None and query.user_id != call.account.id:
        raise ForbiddenError("You can only look at your own versions by user.")

    def read(connection: Connection) -> tuple[Page[Workflow], dict[str, Account]]:
        page = workflows.list_page(
            connection, app.id, named_only=query.named_only, page=query.page, limit=query.limit
        )
        return page, people_of(connection, *page.items)

    page, people = await call.read(read)
    return json_reply(
        {
            "items": [version_view(version, people) for version in page.items],
            "page": query.page,
            "limit": query.limit,
            "has_more": page.has_more,
        }
    )


async def mark(request: Request) -> Response:
    """Give a version a name and a comment."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    workflow_id = path_id(request, "workflow_id", _ABSENT)
    wanted = parse_request(VersionMarks, await call.json())
    if wanted.marked_name is None and wanted.marked_comment is None:
        raise InvalidRequestError("No valid fields to update")
    now = call.runtime.clock.now()

    def write(connection: Connection) -> tuple[Workflow, dict[str, Account]]:
        found = _get(connection, app.id, workflow_id)
        name, comment = wanted.marked_name, wanted.marked_comment
        marked = msgspec.structs.replace(
            found,
            marked_name=found.marked_name if name is None else name,
            marked_comment=found.marked_comment if comment is None else comment,
            updated_at=now,
            updated_by=call.account.id,
        )
        workflows.mark(connection, marked)
        return marked, people_of(connection, marked)

    marked, people = await call.write("version.mark", write, app_id=app.id, target_id=workflow_id)
    return json_reply(version_view(marked, people))


async def delete(request: Request) -> Response:
    """Delete a version that does not answer any more."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    workflow_id = path_id(request, "workflow_id", _ABSENT)

    def write(connection: Connection) -> None:
        found = _get(connection, app.id, workflow_id)
        if apps.get_for_update(connection, app.id).workflow_id == found.id:
            raise ApiError(
                400,
                "bad_request",
                f"Cannot delete workflow that is currently in use by app '{app.name}'",
            )
        workflows.delete_version(connection, app.id, found.id)

    await call.write("version.delete", write, app_id=app.id, target_id=workflow_id)
    return no_content()


def _get(connection: Connection, app_id: str, workflow_id: str) -> Workflow:
    found = workflows.find(connection, app_id, workflow_id)
    if found is None:
        raise NotFoundError(_ABSENT, kind="workflow", id=workflow_id)
    if found.version == workflows.DRAFT:
        raise ApiError(400, "bad_request", "Cannot change or delete the draft as a version")
    return found


ROUTES = [
    Route("/apps/{app_id}/workflows/publish", published, methods=["GET"]),
    Route("/apps/{app_id}/workflows/publish", publish, methods=["POST"]),
    Route("/apps/{app_id}/workflows", listing, methods=["GET"]),
    Route("/apps/{app_id}/workflows/{workflow_id}", mark, methods=["PATCH"]),
    Route("/apps/{app_id}/workflows/{workflow_id}", delete, methods=["DELETE"]),
]
