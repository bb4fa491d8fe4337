"""Agno and we, in one database. Needs Pythons that have Agno 2 or 3, and says so where there are none.

``WEFT_AGNO_PYTHON=/path/to/python:/path/to/another/python`` names them; each needs agno, sqlalchemy, fastapi,
greenlet, aiosqlite and psycopg.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from weft.sessions import RunStatus, WorkflowRunOutput, WorkflowSession, open_agno_sessions

PYTHONS = [path for path in os.environ.get("WEFT_AGNO_PYTHON", "").split(os.pathsep) if path]
SCRIPT = Path(__file__).parent / "agno_script.py"

pytestmark = pytest.mark.skipif(
    not PYTHONS, reason="WEFT_AGNO_PYTHON names no Python that has Agno; its own data is in agno_*.json"
)


class Agno:
    """What Agno does with a database."""

    def __init__(self, python: str, place: str) -> None:
        self._python = python
        self.place = place

    def run(self, verb: str) -> list[Any]:
        done = subprocess.run(
            [self._python, str(SCRIPT), verb, self.place],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "AGNO_TELEMETRY": "false"},
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(params=PYTHONS or ["none"])
def agno(request: pytest.FixtureRequest, place: str) -> Agno:
    return Agno(request.param, place)


def read(place: str) -> list[WorkflowSession]:
    with open_agno_sessions(place) as sessions:
        return list(sessions.read())


def told(session: WorkflowSession) -> dict[str, object]:
    return {
        "history": [list(pair) for pair in session.get_workflow_history()],
        "writer": [message.content for message in session.get_messages(agent_id="writer")],
        "desk": [message.content for message in session.get_messages(team_id="desk")],
        "chat": [[turn.input, turn.output] for turn in session.get_chat_history()],
    }


def lean(value: object) -> object:
    """Without what is the case anyway, and the name that Agno does not store."""
    if isinstance(value, dict):
        kept = {key: lean(item) for key, item in value.items() if key not in ("workflow_name", "updated_at")}
        return {key: item for key, item in kept.items() if item not in (None, False, [], {})}
    return [lean(item) for item in value] if isinstance(value, list) else value


def check_same(theirs: list[Any], ours: list[WorkflowSession]) -> None:
    assert [item["session"]["session_id"] for item in theirs] == [session.session_id for session in ours]
    for item, session in zip(theirs, ours, strict=True):
        assert {name: item[name] for name in told(session)} == told(session)
        assert lean(item["session"]) == lean(session.to_dict())


def test_what_agno_writes_we_read_as_agno_does(agno: Agno) -> None:
    agno.run("write")
    ours = read(agno.place)
    check_same(agno.run("read"), ours)
    assert [run.status for run in ours[0].runs] == [RunStatus.completed, RunStatus.paused, RunStatus.error]
    assert ours[0].workflow_name == "Greeter"


def test_what_we_write_agno_reads_and_goes_on_with(agno: Agno, tmp_path: Path) -> None:
    source = Agno(agno._python, str(tmp_path / "source.db"))
    source.run("write")
    with open_agno_sessions(agno.place) as sessions:
        assert sessions.write(read(source.place)) == 2
    check_same(agno.run("read"), read(source.place))
    agno.run("add")
    session = read(agno.place)[0]
    assert [run.run_id for run in session.runs] == ["r1", "r2", "r3", "r9"]
    assert session.session_data["session_state"] == {"n": 2}

    session.runs[1].content = "changed"
    session.upsert_run(WorkflowRunOutput("q", "a", run_id="r10", status=RunStatus.completed, created_at=301))
    with open_agno_sessions(agno.place) as sessions:
        sessions.write([session])
    check_same(agno.run("read"), read(agno.place))
    assert [run.run_id for run in read(agno.place)[0].runs] == ["r1", "r2", "r3", "r9", "r10"]


def test_what_we_write_into_tables_of_agno_it_reads(agno: Agno) -> None:
    agno.run("write")
    mine = WorkflowSession(
        "mine",
        "ada",
        "w1",
        runs=[WorkflowRunOutput("q", "ä", run_id="mine-1", status=RunStatus.completed, created_at=5)],
        created_at=900,
        updated_at=901,
    )
    with open_agno_sessions(agno.place) as sessions:
        sessions.write([mine])
        assert sessions.get("mine") is not None
    assert agno.run("read")[-1]["history"] == [["q", "ä"]]
