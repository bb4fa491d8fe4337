"""Forms: what paused runs ask people, and who answered first.

That one answer wins, or the end of time, is decided here, by one statement whose effect is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import BigInteger, Connection, Integer, bindparam, select, update

from weft.store.codec import Codec, dump_json, micros, storable
from weft.store.records import Form, JsonObject
from weft.store.statement import Statement, inserting
from weft.store.tables import Prose, forms, runs

_CODEC = Codec(Form, forms)
_INSERT = inserting(forms)
_OF_APP = select(forms).where(forms.c.app_id == bindparam("app_id"))
_FIND_BY_TOKEN = Statement(_OF_APP.where(forms.c.token == bindparam("token")), ["app_id", "token"])
_LIST = Statement(
    select(forms).where(forms.c.run_id == bindparam("run_id")).order_by(forms.c.created_at, forms.c.id),
    ["run_id"],
)
_NOW = bindparam("now", type_=BigInteger)
_SUBMIT = Statement(
    update(forms)
    .where(forms.c.id == bindparam("row_id"))
    .where(forms.c.status == "waiting")
    .where(forms.c.expires_at > _NOW)
    .ordered_values(
        (forms.c.status, "submitted"),
        (forms.c.action_id, bindparam("new_action")),
        (forms.c.submitted, bindparam("new_submitted")),
        (forms.c.rendered_content, bindparam("new_content", type_=Prose)),
        (forms.c.end_user_id, bindparam("new_end_user")),
        (forms.c.account_id, bindparam("new_account")),
        (forms.c.closed_at, bindparam("closed", type_=BigInteger)),
    ),
    ["new_action", "new_submitted", "new_content", "new_end_user", "new_account", "closed", "row_id", "now"],
)
_EXPIRE = (
    update(forms)
    .where(forms.c.status == "waiting")
    .where(forms.c.expires_at <= _NOW)
    .values(status="expired", closed_at=bindparam("closed", type_=BigInteger))
    .returning(forms.c.run_id, forms.c.app_id)
)
_RESUMABLE = Statement(
    select(runs.c.id, runs.c.app_id)
    .where(runs.c.finished_at.is_(None))
    .where(runs.c.status == "paused")
    .where(forms.c.run_id == runs.c.id)
    .where(forms.c.status != "waiting")
    .distinct()
    .limit(bindparam("limit", type_=Integer)),
    ["limit"],
)

_DUE = Statement(
    select(forms.c.id).where(forms.c.status == "waiting").where(forms.c.expires_at <= _NOW).limit(1), ["now"]
)

Owner: TypeAlias = tuple[str, str]
"""Ids of a run and of its app."""


def create(connection: Connection, form: Form) -> None:
    """Store a form that can be answered from now on."""
    _INSERT.run(connection, *_CODEC.encode(form))


def find_by_token(connection: Connection, app_id: str, token: str) -> Form | None:
    """The app's form with that token, whatever became of it."""
    row = _FIND_BY_TOKEN.row(connection, app_id, storable(token))
    return None if row is None else _CODEC.decode(row)


def list_by_run(connection: Connection, run_id: str) -> tuple[Form, ...]:
    """All forms of a run, oldest first."""
    return _CODEC.decode_all(_LIST.rows(connection, run_id))


def list_by_runs(connection: Connection, run_ids: Collection[str]) -> dict[str, tuple[Form, ...]]:
    """The forms of several runs by run id, oldest first; a run without forms is absent."""
    query = select(forms).where(forms.c.run_id.in_(list(run_ids))).order_by(forms.c.created_at, forms.c.id)
    found: dict[str, tuple[Form, ...]] = {}
    for form in _CODEC.decode_all(connection.execute(query).all()):
        found[form.run_id] = (*found.get(form.run_id, ()), form)
    return found


def submit(
    connection: Connection,
    form_id: str,
    *,
    action_id: str,
    submitted: JsonObject,
    rendered_content: str,
    now: datetime,
    end_user_id: str | None = None,
    account_id: str | None = None,
) -> bool:
    """Answer a form, unless somebody else has, or its time is over.

    Args:
        connection: In a write.
        form_id: The form.
        action_id: The chosen action.
        submitted: Values by field.
        rendered_content: The form's text with the values in place.
        now: When.
        end_user_id: Who answered, if an end user.
        account_id: Who answered, if an account.

    Returns:
        Whether this is the answer that counts.
    """
    at = micros(now)
    values = dump_json(submitted)
    content = storable(rendered_content)
    return _SUBMIT.run(connection, action_id, values, content, end_user_id, account_id, at, form_id, at) == 1


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether the time of a form is over that still waits."""
    return _DUE.row(connection, micros(now)) is not None


def expire(connection: Connection, now: datetime) -> Sequence[Owner]:
    """Close every form whose time is over; their runs, each once.

    Of several processes that do this at the same time only one is told of a form.
    """
    at = micros(now)
    rows = connection.execute(_EXPIRE, {"now": at, "closed": at}).all()
    return list(dict.fromkeys((row.run_id, row.app_id) for row in rows))


def abandon(connection: Connection, run_id: str, now: datetime, *, keep: Collection[str] = ()) -> None:
    """Close the forms of a run that nothing waits for any more."""
    connection.execute(
        update(forms)
        .where(forms.c.run_id == run_id)
        .where(forms.c.status == "waiting")
        .where(forms.c.id.not_in(list(keep)))
        .values(status="expired", closed_at=micros(now))
    )


def list_resumable(connection: Connection, *, limit: int = 1000) -> Sequence[Owner]:
    """Paused runs with a form that waits no more; they may have gone on from it before."""
    return [(str(run_id), str(app_id)) for run_id, app_id in _RESUMABLE.rows(connection, limit)]
