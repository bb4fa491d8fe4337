from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from weft.sessions import SessionStore, open_session_store

ROOT = Path(__file__).parents[2]


def kill_after(place: str, acknowledged: int) -> int:
    """How many runs a writer called stored before it was killed in the middle of adding the next."""
    command = [sys.executable, "-m", "tests.sessions.crash_writer", place]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            assert writer.stdout.readline()
        writer.kill()
        told = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return acknowledged + len(told)


def others_at_work(store: SessionStore) -> bool:
    from sqlalchemy import text

    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    return bool(store._database.read(lambda connection: connection.execute(text(query)).scalar_one()))


@pytest.mark.requirement("sessions-138")
@pytest.mark.parametrize("acknowledged", [1, 20])
def test_after_a_kill_a_run_is_there_wholly_or_not_at_all(
    place: str, backend: str, acknowledged: int
) -> None:
    told = kill_after(place, acknowledged)
    with open_session_store(place) as store:
        while backend == "postgres" and others_at_work(store):
            pass
        found = store.get_session("s")
    assert found is not None
    assert len(found.runs) in (told, told + 1)
    assert found.session_data == {"count": len(found.runs)}
    for number, run in enumerate(found.runs):
        text = f"{number} " * 2_000
        assert (run.run_id, run.input, run.content) == (str(number), text, text)


@pytest.mark.requirement("sessions-132")
def test_processes_that_add_runs_to_one_session_lose_none(place: str) -> None:
    code = (
        "import sys; from weft.sessions import *\n"
        "with open_session_store(sys.argv[1]) as store:\n"
        "    mine = store.get_session('shared') or WorkflowSession('shared')\n"
        "    for number in range(10):\n"
        "        mine.upsert_run(WorkflowRunOutput(run_id=f'{sys.argv[2]}-{number}'))\n"
        "        store.upsert_session(mine)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, place, name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with open_session_store(place) as store:
        found = {run.run_id for run in store.get_runs("shared")}
    assert found == {f"{name}-{number}" for name in "abc" for number in range(10)}
