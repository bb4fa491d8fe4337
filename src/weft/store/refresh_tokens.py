"""Refresh tokens: what an account logs in with again, each usable once and known by its hash."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from weft.store.codec import Codec, micros
from weft.store.records import RefreshToken
from weft.store.statement import Statement, inserting
from weft.store.tables import refresh_tokens

_CODEC = Codec(RefreshToken, refresh_tokens)
_INSERT = inserting(refresh_tokens)
_FIND = Statement(
    select(refresh_tokens).where(refresh_tokens.c.token_hash == bindparam("token_hash")), ["token_hash"]
)
_NEWEST = Statement(
    select(refresh_tokens)
    .where(refresh_tokens.c.account_id == bindparam("account_id"))
    .order_by(refresh_tokens.c.created_at.desc(), refresh_tokens.c.id.desc())
    .limit(1),
    ["account_id"],
)
_REMOVE = Statement(delete(refresh_tokens).where(refresh_tokens.c.id == bindparam("row_id")), ["row_id"])
_REMOVE_BY_ACCOUNT = Statement(
    delete(refresh_tokens).where(refresh_tokens.c.account_id == bindparam("of_account")), ["of_account"]
)
_REMOVE_EXPIRED = Statement(
    delete(refresh_tokens)
    .where(refresh_tokens.c.account_id == bindparam("of_account"))
    .where(refresh_tokens.c.expires_at <= bindparam("now")),
    ["of_account", "now"],
)


def create(connection: Connection, token: RefreshToken) -> None:
    """Store a new token, and forget those of its account that have expired."""
    _REMOVE_EXPIRED.run(connection, token.account_id, micros(token.created_at))
    _INSERT.run(connection, *_CODEC.encode(token))


def take(connection: Connection, token_hash: str, now: datetime) -> RefreshToken | None:
    """Use a token up; `None` if there is none with that SHA-256, it has expired, or it was used before.

    Of several callers who take the same token at once, one gets it.
    """
    row = _FIND.row(connection, token_hash)
    if row is None:
        return None
    token = _CODEC.decode(row)
    taken = _REMOVE.run(connection, token.id) > 0
    return token if taken and token.expires_at > now else None


def remove_newest(connection: Connection, account_id: str) -> bool:
    """Forget the token that an account was given last; whether there was one."""
    row = _NEWEST.row(connection, account_id)
    return row is not None and _REMOVE.run(connection, _CODEC.decode(row).id) > 0


def remove_by_account(connection: Connection, account_id: str) -> int:
    """Forget all tokens of an account; how many there were."""
    return _REMOVE_BY_ACCOUNT.run(connection, account_id)
