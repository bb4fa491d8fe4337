"""Keys of apps. Source: Dify console API, `/apps/{id}/api-keys`.

A key follows from the server's secret and its own id, so that it can be shown again while the store holds
nothing but its hash.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.runs import app_key, hash_key
from weft.server.console_api.call import ConsoleCall
from weft.server.errors import ApiError
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.server.sse import seconds
from weft.store import ApiToken, Connection, apps, keys

_MAX_KEYS: Final = 10
_ABSENT = "API key not found"


async def listing(request: Request) -> Response:
    """The keys of an app, oldest first."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    found = await call.read_quick(lambda connection: keys.list_by_app(connection, app.id))
    return json_reply({"data": [_shown(call, token) for token in found]})


async def create(request: Request) -> Response:
    """Make a key."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    await call.optional_json()
    runtime = call.runtime
    token_id = runtime.ids.new()
    key = app_key(runtime.secret, token_id)
    token = ApiToken(
        id=token_id,
        kind="app",
        token_hash=hash_key(key),
        hint=key[-4:],
        created_at=runtime.clock.now(),
        app_id=app.id,
        workspace_id=call.workspace_id,
    )

    def write(connection: Connection) -> None:
        apps.get_for_update(connection, app.id)  # so that two at once cannot pass the limit together
        if len(keys.list_by_app(connection, app.id)) >= _MAX_KEYS:
            raise ApiError(
                400,
                "max_keys_exceeded",
                f"Cannot create more than {_MAX_KEYS} API keys for this resource type.",
            )
        keys.create(connection, token)

    await call.write("key.create", write, app_id=app.id, target_id=token.id, hint=token.hint)
    return json_reply({**_shown(call, token), "token": key}, 201)


async def delete(request: Request) -> Response:
    """Make a key worthless."""
    call = await ConsoleCall.begin(request, "admin")
    app = await call.app()
    token_id = path_id(request, "key_id", _ABSENT)

    def write(connection: Connection) -> None:
        if not keys.delete_by_app(connection, app.id, token_id):
            raise NotFoundError(_ABSENT, kind="key", id=token_id)

    await call.write("key.delete", write, app_id=app.id, target_id=token_id)
    return no_content()


def _shown(call: ConsoleCall, token: ApiToken) -> dict[str, object]:
    return {
        "id": token.id,
        "type": "app",
        "token": _key(call, token),
        "last_used_at": None if token.last_used_at is None else seconds(token.last_used_at),
        "created_at": seconds(token.created_at),
    }


def _key(call: ConsoleCall, token: ApiToken) -> str:
    """The key in full if that is wanted and it can be made again, else as much as the store knows."""
    runtime = call.runtime
    if runtime.settings.server.show_keys:
        if token.token is not None:
            return token.token
        for source in (token.id, token.app_id or ""):  # the default key follows from the app's id
            key = app_key(runtime.secret, source)
            if hash_key(key) == token.token_hash:
                return key
    return f"app-...{token.hint}"


ROUTES = [
    Route("/apps/{app_id}/api-keys", listing, methods=["GET"]),
    Route("/apps/{app_id}/api-keys", create, methods=["POST"]),
    Route("/apps/{app_id}/api-keys/{key_id}", delete, methods=["DELETE"]),
]
