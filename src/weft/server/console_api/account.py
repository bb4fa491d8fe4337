"""The account that is logged in. Source: Dify console API, `/account`."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.server.console_api.call import ConsoleCall
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import Account, Connection, accounts
from weft.wire import WireModel, parse_request


class TimezoneBody(WireModel):
    """Body that changes the time zone."""

    timezone: str


async def profile(request: Request) -> Response:
    """Who is logged in."""
    call = await ConsoleCall.begin(request, "dataset_operator")
    return json_reply(_shown(call.account))


async def change_timezone(request: Request) -> Response:
    """Change where the account's days begin."""
    call = await ConsoleCall.begin(request, "dataset_operator")
    wanted = parse_request(TimezoneBody, await call.json()).timezone
    if wanted not in _zones():
        raise InvalidRequestError(f"{wanted[:60]} is not a valid timezone.")
    now = call.runtime.clock.now()

    def write(connection: Connection) -> Account:
        current = accounts.find(connection, call.account.id) or call.account
        return accounts.update(connection, msgspec.structs.replace(current, timezone=wanted, updated_at=now))

    changed = await call.write("account.timezone", write, target_id=call.account.id, timezone=wanted)
    return json_reply(_shown(changed))


@cache
def _zones() -> frozenset[str]:
    return frozenset({*available_timezones(), "UTC"})


def _shown(account: Account) -> dict[str, object]:
    last = account.last_login_at
    return {
        "id": account.id,
        "name": account.name,
        "avatar": account.avatar,
        "avatar_url": None,
        "email": account.email,
        "is_password_set": account.password_hash is not None,
        "interface_language": account.language,
        "interface_theme": "light",
        "timezone": account.timezone,
        "last_login_at": None if last is None else seconds(last),
        "last_login_ip": account.last_login_ip,
        "created_at": seconds(account.created_at),
    }


ROUTES = [
    Route("/account/profile", profile, methods=["GET"]),
    Route("/account/timezone", change_timezone, methods=["POST"]),
]
