"""What somebody has changed in a session over a stored conversation, as far as that can be changed.

The name of the conversation and the values of its variables can. Runs are what a server has recorded; who
wants to keep others has a store of sessions for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.errors import ConflictError, InvalidRequestError
from weft.sessions.plain import JsonObject, plain, plain_object
from weft.sessions.session import WorkflowSession

_FIXED = ("session_id", "user_id", "workflow_id", "workflow_name", "created_at")
_NAME = "session_name"
_STATE = "session_state"


@dataclass(frozen=True, slots=True)
class SessionChange:
    """Another name, other values of variables, or both."""

    session_name: str | None = None
    """`None` for the name that it has."""
    session_state: Mapping[str, object] = field(default_factory=dict)
    """Variable to value; the others stay."""
    was_name: str | None = None
    """The name that it must still have."""
    was_state: Mapping[str, object] = field(default_factory=dict)
    """Values that variables must still have."""

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return self.session_name is not None or bool(self.session_state)


def change_of(session: WorkflowSession) -> SessionChange:
    """What has changed in a session since it was read.

    Raises:
        InvalidRequestError: It was not read from a stored conversation, or something was changed that
            cannot be.
    """
    if session._as_it_was is None:
        raise InvalidRequestError(
            f"session {session.session_id!r} was not read from a stored conversation; load it, change it, "
            "and save it"
        )
    was = session._as_it_was()
    for name in _FIXED:
        if getattr(session, name) != getattr(was, name):
            raise _fixed(session, name)
    for name in ("workflow_data", "metadata"):
        if plain(getattr(session, name)) != plain(getattr(was, name)):
            raise _fixed(session, name)
    data, before = plain_object(session.session_data), plain_object(was.session_data)
    for key in {**before, **data}:
        if key not in (_NAME, _STATE) and data.get(key) != before.get(key):
            raise _fixed(session, f"session_data[{key!r}]")
    _check_runs(session, was)
    state, known = _state(session, data), _state(was, before)
    for gone in sorted(known.keys() - state.keys()):
        raise InvalidRequestError(
            f"session {session.session_id!r}: {gone!r} is a variable that its app declares, and cannot be "
            "taken out of session_state; give it another value"
        )
    changed = {
        name: value for name, value in state.items() if name not in known or not same(value, known[name])
    }
    renamed = data.get(_NAME) != before.get(_NAME)
    return SessionChange(
        session_name=_name(session, data) if renamed else None,
        session_state=changed,
        was_name=_name(was, before) if renamed else None,
        was_state={name: known[name] for name in changed if name in known},
    )


def _check_runs(session: WorkflowSession, was: WorkflowSession) -> None:
    known = {run.run_id: run for run in was.runs}
    for run in session.runs or ():
        before = known.pop(getattr(run, "run_id", None), None)  # somebody may have put a dict there
        if before is None:
            raise _fixed(session, "the list of runs")
        if run != before and run.to_dict() != before.to_dict():
            raise _fixed(session, f"run {run.run_id!r}")
    if known:
        raise _fixed(session, "the list of runs")


def _fixed(session: WorkflowSession, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"session {session.session_id!r}: {what} has been changed, and of a stored conversation only "
        "session_name and session_state can be; keep other changes in a store of sessions of your own"
    )


def _state(session: WorkflowSession, data: JsonObject) -> JsonObject:
    found = data.get(_STATE)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidRequestError(
            f"session {session.session_id!r}: session_state is no dict; give it values of variables by name"
        )
    return found


def _name(session: WorkflowSession, data: JsonObject) -> str:
    found = data.get(_NAME)
    if not isinstance(found, str) or not found.strip():
        raise InvalidRequestError(f"session {session.session_id!r}: session_name must be a text")
    return found


def same(left: object, right: object) -> bool:
    """Whether two plain values are the same, of the same kinds all through: 1 is not true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right, strict=True))
    return type(left) is type(right) and left == right


def changed_meanwhile(session_id: str, what: str) -> ConflictError:
    """Somebody else was faster."""
    return ConflictError(
        f"session {session_id!r}: somebody else has changed {what} since it was read; read the session again "
        "and repeat the change"
    )
