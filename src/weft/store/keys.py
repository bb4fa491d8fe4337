"""Keys to apps, datasets and the server, known by their hashes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, delete, or_, select, update

from weft.store import apps
from weft.store.codec import Codec, micros
from weft.store.records import ApiToken, App
from weft.store.statement import Statement, inserting
from weft.store.tables import api_tokens
from weft.store.tables import apps as apps_table

_TOUCH_EVERY = timedelta(minutes=1)

_CODEC = Codec(ApiToken, api_tokens)
_INSERT = inserting(api_tokens)
_FIND = Statement(
    select(api_tokens).where(api_tokens.c.token_hash == bindparam("token_hash")), ["token_hash"]
)
_FIND_APP = Statement(
    select(apps_table)
    .join(api_tokens, api_tokens.c.app_id == apps_table.c.id)
    .where(api_tokens.c.token_hash == bindparam("token_hash"))
    .where(api_tokens.c.kind == "app"),
    ["token_hash"],
)
_OF_APP = api_tokens.c.app_id == bindparam("app_id")
_LIST = Statement(
    select(api_tokens).where(_OF_APP).order_by(api_tokens.c.created_at, api_tokens.c.id), ["app_id"]
)
_DELETE = Statement(
    delete(api_tokens).where(_OF_APP).where(api_tokens.c.id == bindparam("id")), ["app_id", "id"]
)
_TOUCH = Statement(
    update(api_tokens)
    .where(api_tokens.c.id == bindparam("row_id"))
    .where(
        or_(
            api_tokens.c.last_used_at.is_(None),
            api_tokens.c.last_used_at <= bindparam("before", type_=BigInteger),
        )
    )
    .values(last_used_at=bindparam("now")),
    ["now", "row_id", "before"],
)


def create(connection: Connection, token: ApiToken) -> None:
    """Store a new key."""
    _INSERT.run(connection, *_CODEC.encode(token))


def find_by_hash(connection: Connection, token_hash: str) -> ApiToken | None:
    """The key with that SHA-256, of whatever kind."""
    row = _FIND.row(connection, token_hash)
    return None if row is None else _CODEC.decode(row)


def find_app(connection: Connection, token_hash: str) -> App | None:
    """The app that an app key with that SHA-256 opens."""
    row = _FIND_APP.row(connection, token_hash)
    return None if row is None else apps.CODEC.decode(row)


def list_by_app(connection: Connection, app_id: str) -> tuple[ApiToken, ...]:
    """All keys of an app, oldest first."""
    return _CODEC.decode_all(_LIST.rows(connection, app_id))


def delete_by_app(connection: Connection, app_id: str, token_id: str) -> bool:
    """Remove a key of an app; whether there was one."""
    return _DELETE.run(connection, app_id, token_id) > 0


def touch(connection: Connection, token_id: str, now: datetime) -> bool:
    """Note that a key was used, once a minute at most; whether it was noted."""
    return _TOUCH.run(connection, micros(now), token_id, micros(now - _TOUCH_EVERY)) > 0
