"""What has changed in a session since it was read, decided without a database.

A session that came from a store remembers what it was then. Saving it writes what is different, and sees
whether somebody else has changed the same thing meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft.errors import ConflictError
from weft.sessions.json_text import digest, dump_json, load_object, storable
from weft.sessions.origin import Origin
from weft.sessions.plain import plain_object
from weft.sessions.session import WorkflowSession
from weft.sessions.workflow_run import WorkflowRunOutput

TEXTS = ("user_id", "workflow_id", "workflow_name")
OBJECTS = ("session_data", "workflow_data", "metadata")


@dataclass(frozen=True, slots=True)
class RunDraft:
    """A run as it is to be stored."""

    key: str
    status: str
    created_at: int
    payload: str
    digest: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A session as it is to be stored."""

    session_id: str
    fields: dict[str, str | None]
    created_at: int
    updated_at: int
    runs: tuple[RunDraft, ...]
    """Those that are not known to be stored as they are."""
    removed: tuple[str, ...]
    """Keys of runs that were read and are no longer there."""
    origin: Origin | None
    digests: dict[str, str]
    """Of all runs of the session at hand, by key."""


def draft(session: WorkflowSession) -> Draft:
    """What is to be stored of a session.

    Raises:
        TypeError: It holds something that has no plain form.
        ValueError: Two of its runs have the same id, so that one of them would be lost.
    """
    fields: dict[str, str | None] = {}
    for name in TEXTS:
        value = getattr(session, name)
        fields[name] = None if value is None else storable(value)
    for name in OBJECTS:
        fields[name] = dump_json(plain_object(getattr(session, name) or {}))
    drafts: dict[str, RunDraft] = {}
    for run in session.runs or ():
        drafted = draft_run(run)
        if drafted.key in drafts:
            raise ValueError(
                f"session {session.session_id!r} has two runs with the id {run.run_id!r}; give each its own"
            )
        drafts[drafted.key] = drafted
    origin = session._origin
    read = {} if origin is None else origin.runs
    return Draft(
        session_id=storable(session.session_id),
        fields=fields,
        created_at=session.created_at,
        updated_at=session.updated_at,
        runs=tuple(run for run in drafts.values() if read.get(run.key) != run.digest),
        removed=tuple(key for key in read if key not in drafts),
        origin=origin,
        digests={run.key: run.digest for run in drafts.values()},
    )


def draft_run(run: WorkflowRunOutput) -> RunDraft:
    """What is to be stored of a run.

    Raises:
        TypeError: It holds something that has no plain form.
    """
    payload = dump_json(run.to_dict())
    return RunDraft(run_key(run.run_id), str(run.status), run.created_at, payload, digest(payload))


def run_key(run_id: str | None) -> str:
    """By what a run is known within its session; the one without an id has the empty text."""
    return "" if run_id is None else storable(run_id)


def merge(drafted: Draft, stored: Mapping[str, str | None]) -> dict[str, str | None]:
    """The columns of a session after a save: what was changed here, and else what is stored.

    Objects are merged key by key. Without an origin everything that is given here is a change, and what is
    absent here is none.

    Raises:
        ConflictError: The same thing was changed here and by somebody else.
    """
    merged: dict[str, str | None] = {}
    for name, ours in drafted.fields.items():
        theirs = stored[name]
        before = theirs if drafted.origin is None else drafted.origin.fields[name]
        if name in OBJECTS and drafted.origin is None:
            merged[name] = dump_json({**load_object(theirs), **load_object(ours)})
        elif ours == before or (ours is None and drafted.origin is None):
            merged[name] = theirs
        elif theirs in (before, ours):
            merged[name] = ours
        elif name in OBJECTS:
            merged[name] = _merge_objects(drafted.session_id, name, before, ours, theirs)
        else:
            raise conflict(drafted.session_id, name)
    return merged


def _merge_objects(
    session_id: str, name: str, before: str | None, ours: str | None, theirs: str | None
) -> str:
    was, own, merged = load_object(before), load_object(ours), load_object(theirs)
    absent = object()
    for key in {**was, **own}:
        old, value, other = (place.get(key, absent) for place in (was, own, merged))
        if value in (old, other):
            continue
        if other != old:
            raise conflict(session_id, f"{name}[{key!r}]")
        if value is absent:
            merged.pop(key, None)
        else:
            merged[key] = value
    return dump_json(merged)


def conflict(session_id: str, what: str) -> ConflictError:
    """Two writers have changed the same thing."""
    return ConflictError(
        f"session {session_id!r}: somebody else has changed {what} since it was read; "
        "read the session again and repeat the change"
    )
