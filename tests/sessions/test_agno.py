"""The row in ``agno_2_9.json`` was written by Agno 2.9.0 itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.sessions.builders import contents, run
from tests.sessions.test_session import full_session
from weft.errors import ForbiddenError, StoreError
from weft.sessions import RunStatus, WorkflowSession, open_agno_sessions

WRITTEN = json.loads((Path(__file__).parent / "agno_2_9.json").read_text(encoding="utf-8"))


@pytest.fixture
def agno_file(tmp_path: Path) -> Path:
    """A database of Agno's with one session of a workflow and one of an agent."""
    path = tmp_path / "agno.db"
    row = WRITTEN["row"]
    with closing(sqlite3.connect(path)) as connection:
        for statement in WRITTEN["sql"]:
            connection.execute(statement)
        for changes in ({}, {"session_id": "of an agent", "session_type": "agent"}):
            values = {**row, **changes}
            marks = ", ".join("?" * len(values))
            connection.execute(
                f"INSERT INTO agno_sessions ({', '.join(values)}) VALUES ({marks})", [*values.values()]
            )
        connection.commit()
    return path


def rows(path: Path) -> dict[str, dict[str, object]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM agno_sessions").fetchall()
    return {row["session_id"]: dict(row) for row in found}


def twice(value: object) -> object:
    """What is in a column: JSON text inside JSON."""
    assert isinstance(value, str)
    text = json.loads(value)
    assert isinstance(text, str)
    return json.loads(text)


def test_what_agno_has_written_is_read(agno_file: Path) -> None:
    with open_agno_sessions(agno_file) as agno:
        (found,) = agno.read()
        assert agno.get("s1") == found
        assert agno.get("of an agent") is None
    assert (found.user_id, found.workflow_name, found.created_at, found.updated_at) == (
        "ada",
        "Greeter",
        100,
        120,
    )
    assert found.session_data == {"session_name": "Grüße", "session_state": {"n": 1}}
    assert [(item.run_id, item.status) for item in found.runs] == [
        ("r1", RunStatus.completed),
        ("r2", RunStatus.paused),
    ]
    assert found.get_workflow_history() == [("Hi", "Grüße")]
    assert contents(found.get_messages(agent_id="writer")) == "Be kind. Hi None noon Grüße"
    assert contents(found.get_messages(team_id="desk")) == "Hi Both"
    assert [item.step_id for item in found.runs[1].steps_requiring_confirmation] == ["st2"]
    assert found.runs[0].images == [{"id": "i1", "url": "https://example.com/a.png"}]


def without_nothing(value: object) -> object:
    """The value without fields that are `None`, or say what is the case anyway."""
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items() if item not in (None, False, [])}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


def test_what_is_written_for_agno_is_what_agno_writes(agno_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with open_agno_sessions(agno_file) as agno, open_agno_sessions(other) as ours:
        assert ours.write(agno.read()) == 1
    theirs, written = rows(agno_file)["s1"], rows(other)["s1"]
    for name in ("session_data", "workflow_data", "metadata", "runs"):
        assert without_nothing(twice(written[name])) == without_nothing(twice(theirs[name])), name
    plain = ("session_type", "user_id", "workflow_id", "agent_id", "created_at", "updated_at")
    assert {name: written[name] for name in plain} == {name: theirs[name] for name in plain}
    with closing(sqlite3.connect(other)) as connection:
        made = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    assert sorted(sql.split() for (sql,) in made) == sorted(sql.split() for sql in WRITTEN["sql"])


def test_a_session_goes_to_agno_and_comes_back_whole(place: str) -> None:
    session = full_session()
    assert session.runs[0].metadata is not None
    session.runs[0].metadata["text"] = "ä"
    expected = session.to_dict()
    with open_agno_sessions(place) as agno:
        assert agno.write([session, WorkflowSession("empty", created_at=1, updated_at=1)]) == 2
        assert [item.session_id for item in agno.read()] == ["empty", "s"]
        found = agno.get("s")
        assert agno.get("nobody") is None
    assert found is not None
    assert found.to_dict() == {**expected, "workflow_data": {"name": "W", "steps": []}}


def test_more_sessions_than_a_page_are_all_read(place: str) -> None:
    with open_agno_sessions(place, table="mine") as agno:
        assert agno.write(WorkflowSession(f"{number:03}") for number in range(120)) == 120
        assert [item.session_id for item in agno.read()] == [f"{number:03}" for number in range(120)]


def test_writing_again_overwrites_unless_it_is_somebody_elses(place: str) -> None:
    with open_agno_sessions(place) as agno:
        agno.write([WorkflowSession("s", runs=[run("1"), run("2")])])
        agno.write([WorkflowSession("s", "ada", runs=[run("3")], created_at=5, updated_at=6)])
        with pytest.raises(ForbiddenError, match="belongs to another user"):
            agno.write([WorkflowSession("s", "eve")])
        found = agno.get("s")
    assert found is not None
    assert (found.user_id, [item.run_id for item in found.runs]) == ("ada", ["3"])
    assert (found.created_at, found.updated_at) == (5, 6)


def test_a_session_of_an_agent_is_not_overwritten(agno_file: Path) -> None:
    before = rows(agno_file)
    with open_agno_sessions(agno_file) as agno, pytest.raises(ForbiddenError, match="or is no workflow's"):
        agno.write([WorkflowSession("of an agent", "ada")])
    assert rows(agno_file) == before


def test_postgres_gets_text_that_its_json_can_hold(postgres_place: str) -> None:
    with open_agno_sessions(postgres_place) as agno:
        agno.write([WorkflowSession("s", session_data={"a\0": ["x\0y \ud800"]})])
        found = agno.get("s")
    assert found is not None
    assert found.session_data == {"a": ["xy \ufffd"]}


def test_a_table_that_is_not_there_is_told_of(place: str) -> None:
    with open_agno_sessions(place, table="elsewhere") as agno:
        with pytest.raises(StoreError, match=r"there is no table .*elsewhere"):
            next(agno.read())
        with pytest.raises(StoreError, match=r"there is no table .*elsewhere"):
            agno.get("s")


def test_a_row_that_cannot_be_read_is_named(agno_file: Path) -> None:
    broken = json.dumps(json.dumps([{"step_executor_runs": [{"agent_id": "a", "messages": [{"id": "m"}]}]}]))
    with closing(sqlite3.connect(agno_file)) as connection:
        connection.execute("UPDATE agno_sessions SET runs = ?", [broken])
        connection.commit()
    with (
        open_agno_sessions(agno_file) as agno,
        pytest.raises(StoreError, match="session 's1' of Agno cannot be read"),
    ):
        next(agno.read())
