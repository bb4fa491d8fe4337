"""`weft worker` and `weft serve` killed in the middle of pulls: all is there once, nothing is stuck."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.archive.records import conversation_files, tree
from tests.archive.sources.fake_console import FakeConsole
from tests.archive.standin import BOUND, StandIn
from weft.archive import Archive
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.jobs import Job
from weft.server import make_desk
from weft.settings import Settings
from weft.store import open_store

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("WEFT_KILLS", "5"))
"""For a long run: WEFT_KILLS=120."""
TALKS = 90
WORDS = {
    "serve": ["serve", "echo.yml", "--port", "0"],
    "worker": ["worker"],
    "archive": ["archive", "thin", "--older-than", "0"],
}
APP = """\
kind: app
version: 0.3.1
app: {name: Echo, mode: advanced-chat}
workflow:
  graph:
    nodes:
    - {id: start, data: {type: start, title: Start, variables: []}}
    - {id: answer, data: {type: answer, title: Say it, answer: "{{#sys.query#}}"}}
    edges:
    - {source: start, target: answer}
"""


class Household:
    """A data folder, and the processes that work on it."""

    def __init__(self, folder: Path, url: str, bytecode: Path) -> None:
        self.folder = folder
        self.archive = folder / "data" / "archive"
        self.bytecode = bytecode
        (folder / "weft.toml").write_text(
            f'[sources.up]\nkind = "console"\nurl = "{url}"\napi_key = "a@b.c:secret word"\n'
        )
        (folder / "echo.yml").write_text(APP)
        self.settings = Settings(
            data=folder / "data",
            sources={"up": {"kind": "console", "url": url, "api_key": "a@b.c:secret word"}},
        )

    @contextmanager
    def process(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """`weft worker`, `weft serve` or `weft archive thin`, ready; killed in the end."""
        words = WORDS[command]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.archive.worker_victim", *words],
            cwd=self.folder,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "PYTHONPATH": str(ROOT),
                "PYTHONPYCACHEPREFIX": str(self.bytecode),
                "WEFT_DATA": str(self.folder / "data"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        watchdog = threading.Timer(BOUND, process.kill)
        watchdog.start()
        heard = []
        try:
            for line in process.stdout if command != "archive" else ("at once",):
                heard.append(line)
                if line.startswith(("Working on", "Ready", "at once")):
                    break
            else:
                raise AssertionError(f"it did not start: {''.join(heard)}")
            yield process
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()

    def jobs(self) -> list[Job]:
        """All jobs, the latest first."""

        async def ask() -> list[Job]:
            clock = SystemClock()
            async with open_store(self.settings.database_url, clock=clock) as store:
                desk = make_desk(self.settings, store, clock=clock, ids=TimeOrderedIds())
                return list(await desk.jobs.list())

        return asyncio.run(ask())

    def put_in(self, name: str = "archive-pull", args: Mapping[str, object] | None = None) -> str:
        """A job, a pull of everything unless another is wanted, or the one that has not ended; its id."""

        async def ask() -> str:
            clock = SystemClock()
            async with open_store(self.settings.database_url, clock=clock) as store:
                desk = make_desk(self.settings, store, clock=clock, ids=TimeOrderedIds())
                everything = {"targets": [{"source": "*"}]}
                return (await desk.jobs.enqueue(name, args or everything, key=name)).id

        return asyncio.run(ask())

    def ended(self, id: str) -> Job:
        """A job when it has ended, whoever does it."""

        async def ask() -> Job:
            clock = SystemClock()
            async with open_store(self.settings.database_url, clock=clock) as store:
                desk = make_desk(self.settings, store, clock=clock, ids=TimeOrderedIds())
                async with asyncio.timeout(BOUND):
                    return await desk.jobs.wait(id)

        return asyncio.run(ask())


def turns(root: Path) -> dict[str, int]:
    with Archive.open(root, read_only=True) as archive:
        return {item.id: len(item.messages) for item in archive.iter_conversations()}


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_a_process_that_is_killed_in_the_middle_of_pulls_loses_and_doubles_nothing(
    tmp_path: Path, pytestconfig: pytest.Config, command: str
) -> None:
    chance = random.Random(f"20261121 {command}")
    console = FakeConsole()
    for number in range(TALKS):
        console.add(number, turns=2)
    with StandIn(console, latency=0.02, seed=5) as upstream:
        house = Household(tmp_path, upstream.url, pytestconfig.rootpath / ".pytest_cache" / "weft-bytecode")
        (tmp_path / "data").mkdir(mode=0o700)
        pause, in_the_middle = threading.Event(), 0
        for kill in range(KILLS if command == "worker" else (KILLS + 1) // 2):
            if kill % 4 == 3:  # it is killed before a page is done, and after six times in a row given up
                with house.process(command):
                    assert house.ended(house.put_in()).status == "succeeded"
            house.put_in()
            for number in chance.sample(range(TALKS), 30):
                console.go_on(number)
            console.add(TALKS + kill)
            before = upstream.requests
            with house.process(command) as process:
                is_at_work = upstream.wait_for(before + chance.randint(3, 60))
                assert is_at_work, (kill, house.jobs()[0])
                # The moments at which it writes lie between its requests.
                pause.wait(chance.random() * 0.25)
                process.kill()
                process.wait(BOUND)
            in_the_middle += house.jobs()[0].status == "running"
            if house.archive.is_dir():  # what lies there between a kill and the next process is whole
                wanted = console.wanted()
                assert [id for id, said in turns(house.archive).items() if said > wanted[id]] == []
        with house.process(command):
            assert house.ended(house.put_in()).status == "succeeded"
            job = house.ended(house.put_in())
    assert in_the_middle > 0
    assert (job.status, job.error) == ("succeeded", ""), job
    assert [job for job in house.jobs() if job.status in ("queued", "running")] == []
    assert turns(house.archive) == console.wanted()
    with Archive.open(house.archive) as archive:  # and no lock is stuck
        assert archive.verify().findings == []
        assert archive.index.verify() == []
    files = [
        path.rpartition("/conversation_")[2].partition("_")[0] for path in conversation_files(house.archive)
    ]
    assert sorted(files) == sorted(console.wanted())
    assert [path for path in tree(house.archive) if "/.tmp-" in path] == []
