"""Looking after the accounts of the console, directly in the store."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from dataclasses import dataclass
from datetime import datetime

import msgspec

from weft.cli.data_folder import make_data_folder
from weft.cli.failure import BadCallError
from weft.cli.screen import Screen
from weft.clock import SystemClock
from weft.errors import NotFoundError
from weft.ids import TimeOrderedIds
from weft.runs import WORKSPACE_ID, hash_password
from weft.settings import Settings
from weft.store import (
    Account,
    AccountRole,
    Connection,
    Store,
    Workspace,
    accounts,
    login_failures,
    open_store,
    refresh_tokens,
    workspaces,
)

_LEAST = 8
"""Characters of a password."""


@dataclass(frozen=True, slots=True)
class AccountCall:
    """What the command line asks for."""

    action: str
    email: str | None
    role: AccountRole
    name: str | None
    from_stdin: bool
    as_json: bool


def run_accounts(settings: Settings, call: AccountCall) -> int:
    """Do it; returns the exit code.

    Raises:
        BadCallError: The call makes no sense.
        NotFoundError: There is no such account.
        ConflictError: There is one already.
    """
    if (call.email is None) != (call.action == "list"):
        need = "takes no address" if call.action == "list" else "needs the address of an account"
        raise BadCallError(f"weft accounts {call.action} {need}")
    if call.email is not None and not re.fullmatch(r"[^\s@]{1,64}@[^\s@]{1,253}", call.email):
        raise BadCallError(f"{call.email!r} is no e-mail address")
    make_data_folder(settings)
    return asyncio.run(_run(settings, call))


async def _run(settings: Settings, call: AccountCall) -> int:
    clock = SystemClock()
    async with open_store(settings.database_url, clock=clock) as store:
        if call.action == "list":
            _show(await store.read(lambda c: accounts.list_by_workspace(c, WORKSPACE_ID)), call)
        elif call.action == "close":
            await _close(store, call.email or "", clock.now())
            _tell(call, None)
        else:
            password = _read_password() if call.from_stdin else secrets.token_urlsafe(15)
            hashed = await asyncio.to_thread(hash_password, password)
            change = _add if call.action == "add" else _change_password
            await change(store, call, hashed, clock.now())
            _tell(call, None if call.from_stdin else password)
    return 0


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < _LEAST:
        raise BadCallError(f"--stdin: the password has {len(password)} characters; give {_LEAST} or more")
    return password


async def _add(store: Store, call: AccountCall, hashed: str, now: datetime) -> None:
    email = call.email or ""
    account = Account(
        id=TimeOrderedIds().new(),
        email=email,
        name=call.name or email.partition("@")[0],
        created_at=now,
        updated_at=now,
        workspace_id=WORKSPACE_ID,
        role=call.role,
        password_hash=hashed,
    )

    def write(connection: Connection) -> None:
        workspaces.find_or_create(connection, Workspace(WORKSPACE_ID, "Weft", now))
        accounts.create(connection, account)

    await store.write(write)


async def _change_password(store: Store, call: AccountCall, hashed: str, now: datetime) -> None:
    def write(connection: Connection) -> None:
        account = _get(connection, call.email or "")
        accounts.update(connection, msgspec.structs.replace(account, password_hash=hashed, updated_at=now))
        refresh_tokens.remove_by_account(connection, account.id)
        login_failures.forget(connection, account.email)

    await store.write(write)


async def _close(store: Store, email: str, now: datetime) -> None:
    def write(connection: Connection) -> None:
        account = _get(connection, email)
        accounts.update(connection, msgspec.structs.replace(account, status="closed", updated_at=now))
        refresh_tokens.remove_by_account(connection, account.id)

    await store.write(write)


def _get(connection: Connection, email: str) -> Account:
    account = accounts.find_by_email(connection, email)
    if account is None:
        raise NotFoundError(
            f"there is no account {email}; `weft accounts` lists all", kind="account", id=email
        )
    return account


def _show(found: tuple[Account, ...], call: AccountCall) -> None:
    rows = [(one.email, one.name, one.role, one.status, _day(one.last_login_at)) for one in found]
    columns = ("email", "name", "role", "status", "last login")
    if call.as_json:
        keys = ("email", "name", "role", "status", "last_login_at")
        print(json.dumps({"accounts": [dict(zip(keys, row, strict=True)) for row in rows]}, indent=2))
    else:
        Screen(sys.stdout).table(columns, rows)


def _day(instant: datetime | None) -> str:
    return "never" if instant is None else instant.strftime("%Y-%m-%d %H:%M UTC")


def _tell(call: AccountCall, password: str | None) -> None:
    if call.as_json:
        print(json.dumps({"email": call.email, "password": password}, indent=2))
        return
    done = {"add": "added", "password": "has a new password", "close": "is closed"}[call.action]
    print(f"{call.email} {done}" + ("" if password is None else f": {password}"))
