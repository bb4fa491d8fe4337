"""A server's own database at the command line: with the server, and without."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.archive.records import StoppedClock
from tests.cli.command import BOUND, ECHO, Server, Weft
from weft.cli.archive.own_store import LOOK_SECONDS, WAITING, ended

BESIDE = "ask it with --server http://HOST:PORT, or stop it first\n"
WORD = "Donaudampfschifffahrt"


def say(server: Server, *texts: str) -> None:
    (app,) = server.ready["apps"]
    with httpx2.Client(timeout=BOUND, headers={"authorization": f"Bearer {app['key']}"}) as client:
        for text in texts:
            body = {"inputs": {"name": "Ann"}, "query": text, "user": "ann"}
            answer = client.post(f"{server.ready['service_api']}/chat-messages", json=body)
            assert answer.status_code == 200, answer.text


def stop(server: Server) -> None:
    server.process.terminate()
    assert server.end()[0] == 0


def told(weft: Weft, *words: str, **environ: str) -> Any:
    done = weft.run("archive", *words, "--json", **environ)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def exported(weft: Weft) -> bytes:
    file = weft.folder / "out.jsonl"
    file.unlink(missing_ok=True)
    assert weft.run("archive", "export", file.name, "--format", "jsonl").returncode == 0
    return file.read_bytes()


def holding(weft: Weft, word: str) -> list[str]:
    """Files of the data folder, without the archive's, in which a word stands."""
    return [
        path.name for path in weft.data.iterdir() if path.is_file() and word.encode() in path.read_bytes()
    ]


@pytest.fixture
def postgres(postgres_server: str) -> dict[str, str]:
    """The environment of commands whose database is an empty one of Postgres."""

    async def make() -> None:
        engine = create_async_engine(
            postgres_server.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT"
        )
        async with engine.connect() as connection:
            await connection.exec_driver_sql("DROP DATABASE IF EXISTS weft_thinned WITH (FORCE)")
            await connection.exec_driver_sql("CREATE DATABASE weft_thinned")
        await engine.dispose()

    asyncio.run(make())
    return {"WEFT_DATABASE_URL": postgres_server.replace("/postgres?", "/weft_thinned?")}


@contextmanager
def working(weft: Weft, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A `weft worker` that works; what still runs in the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "worker"],
        cwd=weft.folder,
        env=weft.environ(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(2 * BOUND, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Working on ")
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_an_idle_database_is_archived_thinned_and_filled_again(weft: Weft) -> None:
    app = weft.write("echo.yml", ECHO)
    with weft.serve(str(app)) as server:
        say(server, WORD, "two", "three")
        beside = weft.run("archive", "pull")
        assert beside.stdout == "own (this server's own records): 3 written, 0 unchanged, 0 failed\n"
        refused = weft.run("archive", "thin", "--older-than", "0")
        assert (refused.returncode, refused.stderr.endswith(BESIDE)) == (2, True)
        refused = weft.run("archive", "restore", "--into-store")
        assert (refused.returncode, refused.stderr.endswith(BESIDE)) == (2, True)
        stop(server)
    before = exported(weft)
    assert "weft.db" in holding(weft, WORD)
    plan = told(weft, "thin", "--older-than", "0", "--dry-run")
    assert (plan["candidates"], plan["deleted"], plan["messages"]) == (3, 0, 3)
    assert told(weft, "thin", "--older-than", "1")["candidates"] == 0
    refused = weft.run("archive", "thin", "--older-than", "0", "--max-share", "0.5")
    assert (refused.returncode, "more than the share 0.5" in refused.stderr) == (1, True)
    done = weft.run("archive", "thin", "--older-than", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 of 3 conversations deleted: 3 messages, 3 runs, ")
    assert holding(weft, WORD) == []
    back = told(weft, "restore", "--into-store")
    assert (back["conversations"], back["messages"], back["present"]) == (3, 3, 0)
    assert told(weft, "restore", "--into-store")["present"] == 3
    assert weft.run("archive", "pull", "--restart").stdout.endswith("0 written, 3 unchanged, 0 failed\n")
    assert exported(weft) == before


def test_a_worker_is_not_worked_beside(weft: Weft) -> None:
    app = weft.write("echo.yml", ECHO)
    with weft.serve(str(app)) as server:
        say(server, "one")
        weft.run("archive", "pull")
        stop(server)
    with working(weft) as worker:
        refused = weft.run("archive", "thin", "--older-than", "0")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == (
            f"error: a worker runs on {weft.data}; stop it first, or start the server too and name that "
            "with --server http://HOST:PORT, so that the worker does it\n"
        )
        with weft.serve(str(app), WEFT_JOBS_IN_SERVER="false") as server:  # the worker does it
            held = weft.run("archive", "holds", "--place", "law", "--json")
            (hold,) = json.loads(held.stdout)["data"]
            done = told(weft, "thin", "--older-than", "0", "--server", server.ready["url"])
            assert (done["deleted"], done["kept"]) == (0, {"on hold": 1})
            stop(server)
        worker.kill()  # and what it held is nobody's
        worker.wait(BOUND)
    weft.run("archive", "holds", "--release", hold["id"])
    assert told(weft, "thin", "--older-than", "0")["deleted"] == 1


def test_a_database_of_postgres_is_thinned_and_filled_again_beside_workers_only(
    weft: Weft, postgres: dict[str, str]
) -> None:
    app = weft.write("echo.yml", ECHO)
    with weft.serve(str(app), **postgres) as server:
        say(server, "one", "two")
        pulled = weft.run("archive", "pull", **postgres)
        assert pulled.stdout == "own (this server's own records): 2 written, 0 unchanged, 0 failed\n"
        say(server, "three")
        refused = weft.run("archive", "thin", "--older-than", "0", **postgres)
        assert (refused.returncode, refused.stderr) == (2, f"error: a server uses this database; {BESIDE}")
        stop(server)
    before = exported(weft)
    with working(weft, **postgres):
        done = weft.run("archive", "thin", "--older-than", "0", **postgres)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("2 of 3 conversations deleted: 2 messages, 2 runs, ")
        assert done.stdout.endswith("  1 old ones stay: not archived; `weft archive pull` archives them\n")
        back = told(weft, "restore", "--into-store", **postgres)
        assert (back["conversations"], back["messages"], back["present"]) == (2, 2, 0)
    again = weft.run("archive", "pull", "--restart", **postgres)
    assert again.stdout.endswith("1 written, 2 unchanged, 0 failed\n")
    assert set(before.splitlines()[:2]) <= set(exported(weft).splitlines())


def test_a_job_of_a_server_is_waited_for_on_the_clock() -> None:
    clock, said = StoppedClock(), list[str]()
    answers = iter(
        [
            {"id": "7", "status": "queued", "progress": {}},
            {"id": "7", "status": "running", "progress": {"deleted": 2}},
            {"id": "7", "status": "succeeded", "progress": {"deleted": 3}},
        ]
    )

    def ask(id: str) -> dict[str, Any]:
        assert id == "7"
        return next(answers)

    job = asyncio.run(ended(next(answers), ask, said.append, clock))
    assert (job["status"], said) == ("succeeded", [WAITING, "deleted 2"])
    assert clock.slept == [LOOK_SECONDS] * 2


def test_a_running_server_thins_and_fills_its_own_database(weft: Weft) -> None:
    app = weft.write("echo.yml", ECHO)
    with weft.serve(str(app)) as server:
        url = server.ready["url"]
        say(server, "one", "two")
        weft.run("archive", "pull")
        say(server, "not yet")
        plan = weft.run("archive", "thin", "--older-than", "0", "--dry-run", "--server", url)
        assert plan.stdout.startswith("2 of 3 conversations would go: 2 messages, 2 runs, ")
        assert "  1 old ones stay: not archived; `weft archive pull` archives them\n" in plan.stdout
        done = told(weft, "thin", "--older-than", "0", "--server", url)
        assert (done["deleted"], done["kept"]) == (2, {"not archived": 1})
        back = weft.run("archive", "restore", "--into-store", "--server", url)
        assert back.stdout == (
            "2 conversations with 2 messages and 2 runs put back, 0 are there already, 0 failed\n"
        )
        (known,) = server.ready["apps"]
        one = told(weft, "thin", "--older-than", "0", "--app", known["id"], "--server", url)
        assert one["deleted"] == 2
        nobody = weft.run("archive", "restore", "--into-store", "--to-app", "nobody", "--server", url)
        assert (nobody.returncode, "there is no app 'nobody'" in nobody.stderr) == (1, True)
        wrong = weft.run("archive", "thin", "--older-than", "0", "--server", url, WEFT_TOKEN="weft-wrong")
        assert (wrong.returncode, "status 401" in wrong.stderr) == (1, True)
