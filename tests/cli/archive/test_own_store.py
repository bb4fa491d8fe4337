"""A server's own database at the command line: with the server, and without."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.cli.command import BOUND, ECHO, Server, Weft

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


def told(weft: Weft, *words: str, code: int = 0) -> Any:
    done = weft.run("archive", *words, "--json")
    assert (done.returncode, done.stderr) == (code, ""), done
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
