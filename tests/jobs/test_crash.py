from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.clock import BOUND, open_database
from tests.jobs.victim import make

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


async def test_a_job_goes_on_where_a_killed_worker_left_it(tmp_path: Path) -> None:
    database, notes = tmp_path / "weft.db", tmp_path / "notes"
    command = [sys.executable, "-m", "tests.jobs.victim", str(database), str(notes)]
    victim = await asyncio.to_thread(
        lambda: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    )
    with victim:
        assert victim.stdout is not None
        try:
            assert await asyncio.to_thread(victim.stdout.readline) == "stuck\n"
        finally:
            victim.kill()
    async with open_database(database) as store:
        engine = make(store, notes, is_stuck=False)
        async with asyncio.timeout(BOUND), engine.working():
            done = await engine.wait("the-job")
    assert (done.status, done.result, done.deaths) == ("succeeded", [0, 1, 2, 3, 4], 0)
    assert notes.read_text() == "0\n1\n2\n2\n3\n4\n"
