"""End users: the people who talk to an app, each known by the text that callers send for them."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from weft.errors import StoreError
from weft.store.codec import Codec, storable
from weft.store.records import EndUser
from weft.store.statement import Statement, inserting_once
from weft.store.tables import end_users

CODEC = Codec(EndUser, end_users)
_INSERT = inserting_once(end_users, "app_id", "session_id")
_OF_APP = select(end_users).where(end_users.c.app_id == bindparam("app_id"))
_FIND = Statement(_OF_APP.where(end_users.c.id == bindparam("id")), ["app_id", "id"])
_FIND_BY_SESSION = Statement(
    _OF_APP.where(end_users.c.session_id == bindparam("session_id")), ["app_id", "session_id"]
)


def find(connection: Connection, app_id: str, end_user_id: str) -> EndUser | None:
    """The app's end user of that id."""
    row = _FIND.row(connection, app_id, end_user_id)
    return None if row is None else CODEC.decode(row)


def find_by_session(connection: Connection, app_id: str, session_id: str) -> EndUser | None:
    """The app's end user for whom callers send that text."""
    row = _FIND_BY_SESSION.row(connection, app_id, storable(session_id))
    return None if row is None else CODEC.decode(row)


def find_or_create(connection: Connection, end_user: EndUser) -> EndUser:
    """The stored end user of that app and session id, which is the given one when there was none.

    Any number of callers may do so at once, in any number of processes: all get the same.
    """
    found = find_by_session(connection, end_user.app_id, end_user.session_id)
    if found is None:
        _INSERT.run(connection, *CODEC.encode(end_user))
        found = find_by_session(connection, end_user.app_id, end_user.session_id)
    if found is None:
        raise StoreError(f"end user {end_user.id} was removed while it was being created; try again")
    return found
