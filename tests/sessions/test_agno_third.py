"""Agno 3.1 itself has written the rows of ``agno_3_1.json`` and made the tables of ``agno_postgres.json``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, text

from tests.sessions.builders import contents, ids, run
from weft.errors import ForbiddenError
from weft.sessions import AgnoSessions, RunStatus, WorkflowSession, open_agno_sessions
from weft.sessions.agno_tables import AgnoTables
from weft.sessions.database import create_missing

FOLDER = Path(__file__).parent
WRITTEN = json.loads((FOLDER / "agno_3_1.json").read_text(encoding="utf-8"))
ON_POSTGRES = json.loads((FOLDER / "agno_postgres.json").read_text(encoding="utf-8"))


@pytest.fixture
def agno_file(tmp_path: Path) -> Path:
    """A database of Agno's with two sessions of a workflow and one of an agent."""
    path = tmp_path / "agno.db"
    make(path, WRITTEN["rows"])
    return path


def make(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in WRITTEN["sql"]:
            connection.execute(statement)
        for table, rows in tables.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()]
                )
        connection.commit()


def rows(path: Path, table: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")]


def execute(agno: AgnoSessions, *statements: str) -> None:
    for statement in statements:
        agno._database.write(lambda connection, sql=statement: connection.execute(text(sql)))  # type: ignore[misc]


def test_what_agno_has_written_is_read(agno_file: Path) -> None:
    with open_agno_sessions(agno_file) as agno:
        found, empty = agno.read()
        assert agno.get("s1") == found
        assert agno.get("of an agent") is None
    assert (empty.session_id, empty.runs) == ("s2", [])
    assert (found.user_id, found.workflow_name, found.created_at) == ("ada", "Greeter", 100)
    assert found.session_data == {"session_name": "Grüße", "session_state": {"n": 1}}
    assert [(item.run_id, item.status) for item in found.runs] == [
        ("r1", RunStatus.completed),
        ("r2", RunStatus.paused),
        ("r3", RunStatus.error),
    ]
    assert found.get_workflow_history() == [("Hi", "Grüße")]
    assert contents(found.get_messages(agent_id="writer")) == "Be kind. Hi None noon Grüße"
    assert contents(found.get_messages(team_id="desk")) == "Hi Both"
    assert [item.step_id for item in found.runs[1].steps_requiring_confirmation] == ["st2"]


def plain(row: Mapping[str, object]) -> dict[str, object]:
    """A row with its JSON parsed, and without what is the case anyway."""

    def lean(value: object) -> object:
        if isinstance(value, dict):
            kept = {key: lean(item) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item not in (None, False, [], {})}
        return [lean(item) for item in value] if isinstance(value, list) else value

    found = {name: lean(_parsed(name, value)) for name, value in row.items() if name != "summary"}
    return {name: value for name, value in found.items() if value not in (None, {})}


def _parsed(name: str, value: object) -> object:
    is_json = name.endswith("data") and isinstance(value, str)
    return json.loads(str(value)) if is_json else value


def test_what_is_written_for_agno_is_what_agno_writes(agno_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    make(other, {})
    with open_agno_sessions(agno_file) as agno, open_agno_sessions(other) as ours:
        assert ours.write(agno.read()) == 2
    for table in ("agno_sessions", "agno_runs"):
        theirs = [plain(row) for row in rows(agno_file, table) if row["session_id"] != "of an agent"]
        written = [{**plain(row)} for row in rows(other, table)]
        if table == "agno_runs":
            for row in [*theirs, *written]:
                row.pop("updated_at")
        assert written == theirs, table


@pytest.fixture
def agno(place: str) -> AgnoSessions:
    """Tables of Agno 3 without rows, on either database."""
    tables = AgnoTables("agno_sessions", "agno_runs", "ai" if "://" in place else None)
    with open_agno_sessions(place) as opened:
        if tables.schema is not None:
            execute(opened, "CREATE SCHEMA ai")
        metadata: MetaData = tables.third.metadata
        opened._database.write(lambda connection: create_missing(connection, metadata))
    return AgnoSessions(opened._database, tables)


@pytest.mark.parametrize("version", ["Agno 2.9", "Agno 3.1"])
def test_the_tables_are_those_that_agno_makes_on_postgres(postgres_place: str, version: str) -> None:
    tables = AgnoTables("agno_sessions", "agno_runs", "ai")
    wanted = tables.second if version == "Agno 2.9" else tables.third
    query = {
        "columns": "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'ai' AND table_name = '{table}' ORDER BY ordinal_position",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ai' AND tablename = '{table}'",
        "constraints": "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'ai.{table}'::regclass AND contype <> 'n'",
    }
    with open_agno_sessions(postgres_place) as agno:
        execute(agno, "CREATE SCHEMA ai")
        agno._database.write(lambda connection: create_missing(connection, wanted.metadata))
        for table, expected in ON_POSTGRES[version].items():
            for kind, sql in query.items():

                def read(connection: Connection, sql: str = sql.format(table=table)) -> list[list[Any]]:
                    return [list(row) for row in connection.execute(text(sql))]

                found = agno._database.read(read)
                if kind != "columns":
                    found = sorted(row[0] for row in found)
                assert found == expected[kind], (table, kind)


def test_runs_stand_beside_their_session_and_are_replaced_with_it(place: str, agno: AgnoSessions) -> None:
    with open_agno_sessions(place) as opened:
        given = WorkflowSession("s", "ada", runs=[run(f"r{number}") for number in range(12)], created_at=7)
        opened.write([given, WorkflowSession("empty")])
        found = opened.get("s")
        assert found is not None
        assert ids(found) == ids(given)
        assert [session.session_id for session in opened.read()] == ["empty", "s"]
        found.runs = [run("r5", content="changed"), run("new")]
        opened.write([found])
        again = opened.get("s")
        assert again is not None
        assert [(item.run_id, item.content) for item in again.runs] == [("r5", "changed"), ("new", "out")]


def test_a_run_needs_an_id_of_its_own(place: str, agno: AgnoSessions) -> None:
    with open_agno_sessions(place) as opened:
        opened.write([WorkflowSession("s", runs=[run("r1")])])
        with pytest.raises(ValueError, match="a run of session 'x' has no run_id"):
            opened.write([WorkflowSession("x", runs=[run(None)])])
        with pytest.raises(
            ForbiddenError, match="run 'r1' of session 'x' has the id of another session's run"
        ):
            opened.write([WorkflowSession("x", runs=[run("r0"), run("r1")])])
        assert opened.get("x") is None
        with pytest.raises(ForbiddenError, match="belongs to another user"):
            opened.write([WorkflowSession("s", "ada"), WorkflowSession("s", "eve", runs=[run("r2")])])
        found = opened.get("s")
    assert found is not None
    assert (found.user_id, found.runs) == ("ada", [])


def test_what_agno_3_has_added_to_a_session_of_agno_2_counts_more(place: str) -> None:
    with open_agno_sessions(place) as agno:
        agno.write([WorkflowSession("s", runs=[run("r1", content="old"), run("r2")])])
        third = AgnoTables("agno_sessions", "agno_runs", "ai" if "://" in place else None)
        agno._database.write(lambda connection: create_missing(connection, third.runs.metadata))
        rows_beside = [
            {"run_id": "r9", "run_index": 1, "run_data": run("r9", content="added").to_dict()},
            {"run_id": "r1", "run_index": 0, "run_data": run("r1", content="changed").to_dict()},
            {"run_id": "a1", "run_index": 2, "run_data": {"agent_id": "a"}, "run_type": "agent"},
        ]
        common = {"session_id": "s", "run_type": "workflow", "created_at": 1}
        agno._database.write(
            lambda connection: connection.execute(
                third.runs.insert(), [{**common, **row} for row in rows_beside]
            )
        )
        found = agno.get("s")
        assert found is not None
        assert [(item.run_id, item.content) for item in found.runs] == [
            ("r1", "changed"),
            ("r2", "out"),
            ("r9", "added"),
        ]
        found.runs[1].content = "ours"
        del found.runs[0]
        agno.write([found])
        again = agno.get("s")
    assert again is not None
    assert [(item.run_id, item.content) for item in again.runs] == [("r2", "ours"), ("r9", "added")]
