from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.rows import START, Rows, at
from weft.store import Connection, RefreshToken, Store, accounts, refresh_tokens

pytestmark = pytest.mark.anyio


@pytest.fixture
async def account_id(store: Store, rows: Rows) -> str:
    account = rows.account("ada@example.com")
    await store.write(lambda connection: accounts.create(connection, account))
    return account.id


def token(rows: Rows, account_id: str, name: str, seconds: float = 0, life: float = 100) -> RefreshToken:
    return RefreshToken(rows.ids.new(), account_id, name, at(seconds), at(seconds + life))


async def test_a_token_is_taken_once_and_not_after_its_time(
    store: Store, rows: Rows, account_id: str
) -> None:
    kept, late = token(rows, account_id, "aaaa"), token(rows, account_id, "bbbb")

    def fn(connection: Connection) -> list[object]:
        refresh_tokens.create(connection, kept)
        refresh_tokens.create(connection, late)
        return [
            refresh_tokens.take(connection, "aaaa", at(99)),
            refresh_tokens.take(connection, "aaaa", at(99)),
            refresh_tokens.take(connection, "bbbb", at(100)),
            refresh_tokens.take(connection, "bbbb", at(0)),
            refresh_tokens.take(connection, "cccc", at(0)),
        ]

    assert await store.write(fn) == [kept, None, None, None, None]


async def test_tokens_are_forgotten_newest_first_or_all_together(
    store: Store, rows: Rows, account_id: str
) -> None:
    tokens = [token(rows, account_id, name, n) for n, name in enumerate(("aaaa", "bbbb", "cccc", "dddd"))]

    def fn(connection: Connection) -> list[object]:
        for one in tokens:
            refresh_tokens.create(connection, one)
        return [
            refresh_tokens.remove_newest(connection, account_id),
            refresh_tokens.take(connection, "dddd", START),
            refresh_tokens.take(connection, "cccc", START),
            refresh_tokens.remove_by_account(connection, account_id),
            refresh_tokens.remove_newest(connection, account_id),
        ]

    assert await store.write(fn) == [True, None, tokens[2], 2, False]


async def test_expired_tokens_go_when_a_new_one_comes(store: Store, rows: Rows, account_id: str) -> None:
    old, new = token(rows, account_id, "aaaa"), token(rows, account_id, "bbbb", 100)

    def fn(connection: Connection) -> int:
        refresh_tokens.create(connection, old)
        refresh_tokens.create(connection, new)
        return refresh_tokens.remove_by_account(connection, account_id)

    assert await store.write(fn) == 1
    assert new.expires_at - new.created_at == timedelta(seconds=100)
