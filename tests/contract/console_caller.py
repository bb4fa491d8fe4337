"""Speaking to the console as an account does, and the accounts to speak as."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import aiohttp

from tests.contract.caller import BOUND, JSON, Reply
from tests.contract.document import problems
from tests.contract.house import House
from weft.runs import WORKSPACE_ID, hash_password
from weft.store import Account, AccountRole, Connection, Workspace, accounts, workspaces

PASSWORD = "pass word1"
_HASH = hash_password(PASSWORD)


@dataclass(slots=True)
class ConsoleCaller:
    """Somebody at the console; sends whatever headers it has."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """Send a request; `data` is a body as it is, `headers` come on top of the caller's."""
        sent = {**self.headers, **(headers or {})}
        if body is not None:
            data = json.dumps(body).encode()
            sent = {**JSON, **sent}
        async with (
            asyncio.timeout(BOUND),
            self.session.request(
                method,
                self.url + path,
                data=data,
                params={name: str(value) for name, value in (query or {}).items()},
                headers=sent,
                skip_auto_headers=("content-type",),
            ) as response,
        ):
            reply = Reply(response.status, response.headers.copy(), await response.read())
        if method != "HEAD":
            found = problems(method, f"/console/api{path}", reply.status, reply.headers, reply.body)
            assert not found, found  # it is not as the server's own document says
        return reply

    async def get(self, path: str, **query: str | int) -> Reply:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: object = None) -> Reply:
        return await self.call("POST", path, body)

    async def put(self, path: str, body: object) -> Reply:
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: object) -> Reply:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> Reply:
        return await self.call("DELETE", path)

    async def new_app(self, name: str = "New", mode: str = "advanced-chat") -> str:
        """The id of a new app."""
        reply = await self.post("/apps", {"name": name, "mode": mode})
        assert reply.status == 201, reply
        return str(reply.json["id"])

    async def imported(self, app: object, **fields: object) -> Any:
        """The answer to the import of an app that must be taken."""
        content = app if isinstance(app, str) else json.dumps(app, ensure_ascii=False)
        body = {"mode": "yaml-content", "yaml_content": content, **fields}
        return (await self.post("/apps/imports", body)).ok


def stranger(house: House) -> ConsoleCaller:
    """Somebody without a login."""
    return ConsoleCaller(house.session, house.serving.console_api)


def bearer(house: House, token: str) -> ConsoleCaller:
    """Somebody who sends a token."""
    return ConsoleCaller(house.session, house.serving.console_api, {"authorization": f"Bearer {token}"})


async def make_account(
    house: House, email: str, role: AccountRole = "owner", workspace_id: str | None = WORKSPACE_ID
) -> Account:
    """A new account, whose password is `PASSWORD`."""
    runtime = house.runtime
    now = runtime.clock.now()
    account = Account(
        id=runtime.ids.new(),
        email=email,
        name=email.partition("@")[0],
        created_at=now,
        updated_at=now,
        workspace_id=workspace_id,
        role=role,
        password_hash=_HASH,
    )

    def write(connection: Connection) -> None:
        if workspace_id is not None:
            workspaces.find_or_create(connection, Workspace(workspace_id, "Theirs", now))
        accounts.create(connection, account)

    await house.runtime.store.write(write)
    return account


async def log_in(house: House, email: str, password: str = PASSWORD) -> Reply:
    """The answer to a login."""
    return await stranger(house).post("/login", {"email": email, "password": password})


async def signed_in(house: House, email: str, password: str = PASSWORD) -> ConsoleCaller:
    """Somebody who has logged in."""
    reply = await log_in(house, email, password)
    return bearer(house, reply.ok["data"]["access_token"])


def cookies_of(reply: Reply) -> SimpleCookie:
    """The cookies that an answer sets."""
    jar: SimpleCookie = SimpleCookie()
    for line in reply.headers.getall("set-cookie", []):  # type: ignore[attr-defined]  # of many values
        jar.load(line)
    return jar


def cookie_header(jar: SimpleCookie) -> dict[str, str]:
    """The header by which a browser sends cookies back."""
    return {"cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}


def base64_of(text: str) -> str:
    """A password as current clients send it."""
    return base64.b64encode(text.encode()).decode()


class HeldClock:
    """A clock that stands still until a test lets time pass; whoever waits for it waits."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()

    def go_on(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
