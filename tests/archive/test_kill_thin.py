"""A thinning that is killed: each conversation is in the database or provably in the archive, as a whole."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.archive import thin_victim
from tests.archive.standin import BOUND
from tests.archive.test_kill_worker import Household
from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.house import open_house
from tests.contract.uploads import local, uploaded
from tests.store.rows import Rows, at
from weft.archive import Archive, AsyncArchive, FileRules, StoreSource
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.settings import Settings
from weft.store import (
    Connection,
    conversations,
    end_users,
    messages,
    node_executions,
    open_store,
    runs,
    workspaces,
)
from weft.store import apps as stored_apps

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
MOST = int(os.environ.get("WEFT_KILLS", "6"))
"""Steps at which it is killed, of some sixty; all of them, and more kills by chance, with WEFT_KILLS=999."""
WORD = "Donaudampfschifffahrt"
TALKS = 5


@pytest.fixture
async def household(tmp_path: Path) -> tuple[Path, list[str]]:
    """A data folder with archived conversations, one of them with a picture, and their ids."""
    ids = []
    async with open_house(tmp_path, models=Actor()) as house:
        flow = await house.serve(apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES))
        for number in range(TALKS):
            shown = [local(await uploaded(flow, user="ann"))] if number == 1 else []
            said = await flow.said(f"{WORD} {number}", user="ann", files=shown)
            ids.append(said["conversation_id"])
        store, content = house.runtime.store, house.runtime.files.content
        async with await AsyncArchive.open(tmp_path / "data" / "archive", file_rules=FileRules()) as archive:
            report = await archive.pull(StoreSource(store, clock=SystemClock(), files=content))
    assert (report.total("written"), report.total("files"), report.succeeded) == (TALKS, 1, True)
    return tmp_path / "data", ids


async def test_a_thinning_that_is_killed_at_any_write_loses_nothing_and_is_finished_by_the_next(
    household: tuple[Path, list[str]], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    data, ids = household
    before = thin_victim.conversation_rows(data, ids)
    files = thin_victim.file_bytes(data)
    assert [len(before[id]["messages"]) for id in ids] == [1] * TALKS
    assert [len(before[id]["nodes"]) > 1 for id in ids] == [True] * TALKS
    assert len(files) == 1
    command = [sys.executable, "-m", "tests.archive.thin_victim", str(data), str(tmp_path / "scratch")]
    bytecode = pytestconfig.rootpath / ".pytest_cache" / "weft-bytecode"
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, json.dumps(ids), WORD, str(MOST)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode), "WEFT_LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    whole, *kills = [json.loads(line) for line in done.stdout.splitlines()]
    empty: dict[str, list[object]] = {name: [] for name in thin_victim.TABLES}
    for kill in kills:
        left: dict[str, Any] = kill["left"]
        for id in ids:
            assert left["rows"][id] in (before[id], empty), kill["name"]
            is_here = left["rows"][id] == before[id]
            assert is_here or (left["archived"][id] == 1 and id in left["audited"]), kill["name"]
        if left["rows"][ids[1]] == before[ids[1]]:  # the one with the picture
            assert left["files"] == files, kill["name"]
        assert [one for one in left["findings"] if "/.tmp-" not in one] == []
    for end in (whole, *kills):
        after: dict[str, Any] = end["after"]
        assert after["rows"] == dict.fromkeys(ids, empty), end["name"]
        assert (after["files"], after["findings"], after["audited"]) == ({}, [], sorted(ids)), end["name"]
        assert after["archived"] == dict.fromkeys(ids, 1)
        assert after["holding"] == [], end["name"]
    seen = {sum(kill["left"]["rows"][id] == before[id] for id in ids) for kill in kills}
    assert {0, TALKS} < seen  # before it, after it, and in between


MANY = 160
"""Conversations; with four in a transaction a thinning takes a second or so."""


async def fill(house: Household) -> list[str]:
    """Conversations, all of them archived; their ids."""
    rows, ids = Rows(ids=TimeOrderedIds()), list[str]()
    app = rows.app()
    user = rows.end_user(app)

    def insert(connection: Connection) -> None:
        workspaces.find_or_create(connection, rows.workspace)
        stored_apps.create(connection, app)
        end_users.find_or_create(connection, user)
        for number in range(MANY):
            talk = rows.conversation(user, number)
            message = replace(rows.message(talk, number, query=f"{WORD} {number}"), answer="Yes. " * 200)
            run = replace(rows.run(message), outputs={}, status="succeeded", finished_at=at(number))
            conversations.insert(connection, talk)
            messages.insert(connection, message)
            runs.start(connection, None, None, run)
            node_executions.append(connection, [rows.execution(run, index) for index in range(3)])
            ids.append(talk.id)

    async with open_store(house.settings.database_url, clock=SystemClock(), search_index=True) as store:
        await store.write(insert)
        async with await AsyncArchive.open(house.archive) as archive:
            report = await archive.pull(StoreSource(store, clock=SystemClock()))
    assert (report.total("written"), report.total("runs")) == (MANY, MANY)
    return ids


class Onlooker:
    """Looks how many conversations a database has left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pause = threading.Event()

    def count(self) -> int:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=BOUND)) as database:
            return int(database.execute("SELECT count(*) FROM conversations").fetchone()[0])

    def wait_for(self, most: int, process: subprocess.Popen[str], chance: random.Random) -> bool:
        """Wait until there are no more than so many, or the process has ended; whether it has not."""
        while process.poll() is None:
            if self.count() <= most:
                self._pause.wait(chance.random() * 0.02)
                return process.poll() is None
            self._pause.wait(0.001)
        return False


@pytest.mark.parametrize(("command", "kills"), [("worker", 2), ("serve", 1), ("archive", 1)])
def test_a_process_that_is_killed_in_the_middle_of_a_thinning_leaves_nothing_in_part(
    tmp_path: Path, pytestconfig: pytest.Config, command: str, kills: int
) -> None:
    kills = min(int(os.environ.get("WEFT_KILLS", kills)), 30)
    chance = random.Random(f"20261121 {command}")
    house = Household(
        tmp_path, "http://127.0.0.1:9", pytestconfig.rootpath / ".pytest_cache" / "weft-bytecode"
    )
    (tmp_path / "weft.toml").unlink()  # the one source are the server's own records
    house.settings = Settings(data=tmp_path / "data")
    (tmp_path / "data").mkdir(mode=0o700)
    ids = asyncio.run(fill(house))
    data = tmp_path / "data"
    before = thin_victim.conversation_rows(data, ids)
    empty: dict[str, list[object]] = {name: [] for name in thin_victim.TABLES}
    onlooker, in_the_middle = Onlooker(data / "weft.db"), 0
    args: dict[str, object] = {"older_than_days": 0.0}
    for kill in range(kills):
        if command != "archive":
            house.put_in("archive-thin", args)
        most = MANY * (kills - kill) // (kills + 1)
        with house.process(command) as process:
            in_the_middle += onlooker.wait_for(most, process, chance)
            process.kill()
            process.wait(BOUND)
        left = thin_victim.conversation_rows(data, ids)
        assert [id for id in ids if left[id] not in (before[id], empty)] == []
        with Archive.open(house.archive, read_only=True) as archive:
            assert [one for one in archive.verify().findings if "/.tmp-" not in one.path] == []
            assert {one.id: len(one.messages) for one in archive.iter_conversations()} == dict.fromkeys(
                ids, 1
            )
    if command == "archive":
        with house.process(command) as process:
            assert process.wait(BOUND) == 0
    else:
        with house.process(command):
            job = house.ended(house.put_in("archive-thin", args))
        assert (job.status, job.error) == ("succeeded", ""), job
        assert [job for job in house.jobs() if job.status in ("queued", "running")] == []
    assert in_the_middle > 0
    assert thin_victim.conversation_rows(data, ids) == dict.fromkeys(ids, empty)
    with Archive.open(house.archive) as archive:
        assert archive.verify().findings == []
        lines = [line.id for line in archive.iter_audit_lines() if line.action == "delete-from-store"]
    assert set(lines) == set(ids)
    assert [
        path.name for path in data.iterdir() if path.is_file() and WORD.encode() in path.read_bytes()
    ] == []
