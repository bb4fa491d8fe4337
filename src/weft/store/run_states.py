"""Run states: what paused runs go on from."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from weft.store.codec import Codec
from weft.store.records import RunState
from weft.store.statement import Statement, upserting
from weft.store.tables import run_states

_CODEC = Codec(RunState, run_states)
_PUT = upserting(run_states, "id", changes=["format", "state", "created_at"])
_FIND = Statement(select(run_states).where(run_states.c.id == bindparam("row_id")), ["row_id"])
_DELETE = Statement(delete(run_states).where(run_states.c.id == bindparam("row_id")), ["row_id"])


def put(connection: Connection, state: RunState) -> None:
    """Store the state of a run, in place of the one that it paused with before."""
    _PUT.run(connection, *_CODEC.encode(state))


def find(connection: Connection, run_id: str) -> RunState | None:
    """The state that a run paused with last."""
    row = _FIND.row(connection, run_id)
    return None if row is None else _CODEC.decode(row)


def remove(connection: Connection, run_id: str) -> None:
    """Forget the state of a run, which is over."""
    _DELETE.run(connection, run_id)
