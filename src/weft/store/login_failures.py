"""How often somebody has failed to log in with an address, whether or not there is such an account."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, select, update

from weft.store.codec import Codec, micros, storable
from weft.store.records import LoginFailures
from weft.store.statement import Statement, inserting_once
from weft.store.tables import login_failures

_CODEC = Codec(LoginFailures, login_failures)
_INSERT = inserting_once(login_failures, "id")
_FIND = Statement(select(login_failures).where(login_failures.c.id == bindparam("id")), ["id"])
_COUNT = Statement(
    update(login_failures)
    .where(login_failures.c.id == bindparam("row_id"))
    .ordered_values(
        (
            login_failures.c.count,
            case(
                (login_failures.c.updated_at <= bindparam("since", type_=BigInteger), 1),
                else_=login_failures.c.count + 1,
            ),
        ),
        (login_failures.c.updated_at, bindparam("now")),
    ),
    ["since", "now", "row_id"],
)
_FORGET = Statement(delete(login_failures).where(login_failures.c.id == bindparam("row_id")), ["row_id"])
_FORGET_OLD = Statement(
    delete(login_failures).where(login_failures.c.updated_at <= bindparam("since")), ["since"]
)


def count(connection: Connection, email: str, since: datetime) -> int:
    """How often that address has failed, if the last time was after `since`."""
    row = _FIND.row(connection, _key(email))
    if row is None:
        return 0
    found = _CODEC.decode(row)
    return found.count if found.updated_at > since else 0


def record(connection: Connection, email: str, now: datetime, since: datetime) -> None:
    """Count one more failure; what happened up to `since` counts no more and is forgotten."""
    key = _key(email)
    if _COUNT.run(connection, micros(since), micros(now), key) > 0:
        return
    _FORGET_OLD.run(connection, micros(since))
    if _INSERT.run(connection, *_CODEC.encode(LoginFailures(key, 1, now))) == 0:
        _COUNT.run(connection, micros(since), micros(now), key)


def forget(connection: Connection, email: str) -> None:
    """Begin to count anew, because somebody has logged in."""
    _FORGET.run(connection, _key(email))


def _key(email: str) -> str:
    return storable(email.lower())
