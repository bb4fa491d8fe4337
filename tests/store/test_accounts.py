from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import ConflictError, NotFoundError
from weft.store import Account, App, Connection, Store, accounts

pytestmark = pytest.mark.anyio


async def test_an_account_is_found_by_its_address_in_whatever_case(store: Store, rows: Rows) -> None:
    account = rows.account("Ada@Example.ORG")

    def fn(connection: Connection) -> list[Account | None]:
        return [
            accounts.create(connection, account),
            accounts.find(connection, account.id),
            accounts.find_by_email(connection, "aDA@example.org"),
            accounts.find_by_email(connection, "ben@example.org"),
            accounts.find(connection, "nobody"),
        ]

    stored = replace(account, email="ada@example.org")
    assert await store.write(fn) == [stored, stored, stored, None, None]


async def test_an_account_can_be_changed(store: Store, rows: Rows) -> None:
    account = rows.account("ada@example.org")
    changed = replace(
        account, name="Ada L.", timezone="Asia/Tokyo", last_login_at=at(5), role="admin", status="banned"
    )

    def fn(connection: Connection) -> Account | None:
        accounts.create(connection, account)
        accounts.update(connection, changed)
        return accounts.find(connection, account.id)

    assert await store.write(fn) == changed


async def test_no_two_accounts_have_one_address(store: Store, rows: Rows) -> None:
    ada, ben = rows.account("ada@example.org"), rows.account("ben@example.org")
    await store.write(lambda connection: (accounts.create(connection, ada), accounts.create(connection, ben)))

    with pytest.raises(ConflictError, match=r"ada@example\.org"):
        await store.write(lambda connection: accounts.create(connection, rows.account("ADA@example.org")))
    with pytest.raises(ConflictError):
        await store.write(lambda connection: accounts.update(connection, replace(ben, email=ada.email)))


async def test_an_account_that_does_not_exist_cannot_be_changed(store: Store, rows: Rows) -> None:
    with pytest.raises(NotFoundError):
        await store.write(lambda connection: accounts.update(connection, rows.account("ada@example.org")))


async def test_accounts_are_found_by_workspace_and_by_many_ids(store: Store, app: App, rows: Rows) -> None:
    ours = [
        replace(rows.account(f"{name}@example.com"), workspace_id=app.workspace_id) for name in ("ada", "bob")
    ]
    other = rows.account("eve@example.com")

    def fn(connection: Connection) -> list[object]:
        for account in (*ours, other):
            accounts.create(connection, account)
        return [
            accounts.list_by_workspace(connection, app.workspace_id),
            accounts.list_by_id(connection, {ours[1].id, other.id, "nobody"}),
            accounts.list_by_id(connection, set()),
        ]

    assert await store.write(fn) == [tuple(ours), {ours[1].id: ours[1], other.id: other}, {}]
