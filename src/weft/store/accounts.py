"""Accounts: who may log in to the console."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from weft.errors import ConflictError, NotFoundError
from weft.store.codec import Codec, storable
from weft.store.records import Account
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import accounts

_CODEC = Codec(Account, accounts)
_CHANGING = [column.name for column in accounts.c if column.name not in ("id", "created_at")]
_INSERT = inserting(accounts)
_UPDATE = updating(accounts, *_CHANGING)
_changes = _CODEC.encoder(*_CHANGING, "id")
_FIND = Statement(select(accounts).where(accounts.c.id == bindparam("id")), ["id"])
_FIND_BY_EMAIL = Statement(select(accounts).where(accounts.c.email == bindparam("email")), ["email"])
_BY_WORKSPACE = Statement(
    select(accounts)
    .where(accounts.c.workspace_id == bindparam("workspace_id"))
    .order_by(accounts.c.created_at, accounts.c.id),
    ["workspace_id"],
)


def create(connection: Connection, account: Account) -> Account:
    """Store a new account, its e-mail address in lower case.

    Raises:
        ConflictError: Another account has that address.
    """
    account = _normalised(account)
    try:
        _INSERT.run(connection, *_CODEC.encode(account))
    except IntegrityError as error:
        raise _taken(account) from error
    return account


def find(connection: Connection, account_id: str) -> Account | None:
    """The account of that id."""
    row = _FIND.row(connection, account_id)
    return None if row is None else _CODEC.decode(row)


def find_by_email(connection: Connection, email: str) -> Account | None:
    """The account of that address, in whatever case it is written."""
    row = _FIND_BY_EMAIL.row(connection, storable(email.lower()))
    return None if row is None else _CODEC.decode(row)


def list_by_workspace(connection: Connection, workspace_id: str) -> tuple[Account, ...]:
    """The accounts of a workspace, oldest first."""
    return _CODEC.decode_all(_BY_WORKSPACE.rows(connection, workspace_id))


def list_by_id(connection: Connection, account_ids: Collection[str]) -> dict[str, Account]:
    """Accounts by id; those that do not exist are absent."""
    if not account_ids:
        return {}
    query = select(accounts).where(accounts.c.id.in_(sorted(account_ids)))
    return {account.id: account for account in _CODEC.decode_all(connection.execute(query).all())}


def update(connection: Connection, account: Account) -> Account:
    """Store all fields of an account that exists.

    Raises:
        NotFoundError: There is no account of that id.
        ConflictError: Another account has that address.
    """
    account = _normalised(account)
    try:
        if _UPDATE.run(connection, *_changes(account)) == 0:
            raise NotFoundError(f"account {account.id} does not exist", kind="account", id=account.id)
    except IntegrityError as error:
        raise _taken(account) from error
    return account


def _normalised(account: Account) -> Account:
    return msgspec.structs.replace(account, email=account.email.lower())


def _taken(account: Account) -> ConflictError:
    return ConflictError(f"there is an account with the address {account.email} already; choose another")
