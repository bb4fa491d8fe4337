"""The draft of an app. Source: Dify console API, `/apps/{id}/workflows/draft`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import ConflictError
from weft.runs import DraftContent, find_draft, save_draft
from weft.server.console_api.call import FLOW_MODES, ConsoleCall
from weft.server.console_api.version_view import people_of, version_view
from weft.server.errors import ApiError
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import Account, Connection, Workflow
from weft.wire import JsonObject, WireModel, parse_request


class DraftBody(WireModel):
    """Body that writes the draft."""

    graph: JsonObject
    features: JsonObject
    hash: str | None = None
    environment_variables: list[JsonObject] | None = None
    conversation_variables: list[JsonObject] | None = None


async def get(request: Request) -> Response:
    """What is being edited."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)

    def read(connection: Connection) -> tuple[Workflow | None, dict[str, Account]]:
        draft = find_draft(connection, app)
        return draft, {} if draft is None else people_of(connection, draft)

    draft, people = await call.read(read)
    if draft is None:
        raise ApiError(404, "draft_workflow_not_exist", "Draft workflow need to be initialized.")
    return json_reply(version_view(draft, people))


async def save(request: Request) -> Response:
    """Write the draft; with a hash only if it is still the one that was changed."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    # Editors that are being closed send JSON that calls itself plain text.
    wanted = parse_request(DraftBody, await call.optional_json())
    runtime = call.runtime
    now, new_id = runtime.clock.now(), runtime.ids.new()

    def write(connection: Connection) -> Workflow:
        before = find_draft(connection, app)
        content = DraftContent(
            graph=wanted.graph,
            features=wanted.features,
            environment_variables=_kept(wanted.environment_variables, before, "environment_variables"),
            conversation_variables=_kept(wanted.conversation_variables, before, "conversation_variables"),
        )
        return save_draft(
            connection,
            app,
            content,
            new_id=new_id,
            account_id=call.account.id,
            now=now,
            expected_hash=wanted.hash,
        )

    try:
        draft = await call.write("draft.save", write, app_id=app.id)
    except ConflictError as error:
        raise ApiError(409, "draft_workflow_not_sync", str(error)) from error
    return json_reply(
        {"result": "success", "hash": draft.content_hash, "updated_at": seconds(draft.updated_at)}
    )


def _kept(given: list[JsonObject] | None, before: Workflow | None, name: str) -> list[JsonObject]:
    """The variables given; those that are there when the request says nothing of them."""
    if given is not None:
        return given
    return [dict(variable) for variable in getattr(before, name, ())]


ROUTES = [
    Route("/apps/{app_id}/workflows/draft", get, methods=["GET"]),
    Route("/apps/{app_id}/workflows/draft", save, methods=["POST"]),
]
