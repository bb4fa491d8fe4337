from __future__ import annotations

import pytest

from weft.runs import people
from weft.runs.people import KnownEndUsers
from weft.store import EndUser
from weft.testing.clock import FrozenClock


def user(session_id: str, app_id: str = "app") -> EndUser:
    now = FrozenClock().now()
    return EndUser(f"id of {session_id}", "workspace", app_id, session_id, now, now)


def test_an_end_user_is_known_by_app_and_name() -> None:
    known = KnownEndUsers()
    ada = user("ada")
    known.keep(ada)
    assert (known.find("app", "ada"), known.find("app", "bob"), known.find("other", "ada")) == (
        ada,
        None,
        None,
    )


def test_those_who_were_not_seen_for_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "_KEEP", 2)
    known = KnownEndUsers()
    known.keep(user("ada"))
    known.keep(user("bob"))
    known.find("app", "ada")
    known.keep(user("cleo"))
    assert [name for name in ("ada", "bob", "cleo") if known.find("app", name)] == ["ada", "cleo"]
