"""`weft archive thin`, killed at each of its writes in turn; tells in JSON what was left each time.

Its children share what it has imported, so that many of them may be killed in a minute. A write is what the
operating system is asked for (a file that is opened to be written, renamed or removed) and what the database
is: the moment before and the moment after each commit.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from weft.archive import Archive, store_retention
from weft.cli import main as weft
from weft.store import sqlite

Rows = dict[str, dict[str, list[list[object]]]]
TABLES = {
    "conversations": "SELECT * FROM conversations WHERE id = ?",
    "messages": "SELECT * FROM messages WHERE conversation_id = ?",
    "feedbacks": "SELECT * FROM feedbacks WHERE conversation_id = ?",
    "variables": "SELECT * FROM conversation_variables WHERE conversation_id = ?",
    "shown": "SELECT * FROM message_files WHERE message_id IN "
    "(SELECT id FROM messages WHERE conversation_id = ?)",
    "runs": "SELECT * FROM runs WHERE conversation_id = ?",
    "nodes": "SELECT * FROM node_executions WHERE run_id IN (SELECT id FROM runs WHERE conversation_id = ?)",
}


def conversation_rows(data: Path, ids: list[str]) -> Rows:
    """All that a database has of conversations, by table."""
    with closing(sqlite3.connect(data / "weft.db")) as database:
        return {
            id: {
                name: [list(row) for row in database.execute(query, (id,))] for name, query in TABLES.items()
            }
            for id in ids
        }


def file_bytes(data: Path) -> dict[str, int]:
    """The files that a database knows, with how many bytes of each are there."""
    with closing(sqlite3.connect(data / "weft.db")) as database:
        known = [str(row[0]) for row in database.execute("SELECT id FROM files ORDER BY id")]
    found = {path.name: path.stat().st_size for path in (data / "files").rglob("*") if path.is_file()}
    return {id: found.get(id, -1) for id in known}


class Steps:
    """Counts writes, and ends the process without a word at one of them."""

    def __init__(self, folder: Path, at: int) -> None:
        self.names: list[str] = []
        self._folder = str(folder)
        self._at = at

    def watch(self) -> None:
        """Begin."""
        commit = sqlite._commit

        def watched(connection: Any) -> None:
            self.step("before a commit")
            commit(connection)
            self.step("after a commit")

        vars(sqlite)["_commit"] = watched
        sys.addaudithook(self._hear)

    def step(self, name: str) -> None:
        """Something is about to be written."""
        self.names.append(name)
        if len(self.names) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        is_write = event in ("os.rename", "os.remove", "os.truncate", "sqlite3.connect")
        if event == "open" and isinstance(args[2], int):
            is_write = bool(args[2] & (os.O_WRONLY | os.O_RDWR))
        if is_write and str(args[0]).startswith(self._folder):
            self.step(f"{event} {Path(str(args[0])).name}")


def in_a_child(do: Callable[[], object]) -> tuple[int, Any]:
    """Do something in a process of its own: how it ended, and what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "w") as pipe, open(os.devnull, "w") as nowhere:
                sys.stdout = nowhere
                json.dump(do(), pipe)
            code = 0
        except BaseException:  # it is told below by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(told) if told else None


def thin(data: Path, at: int = 0) -> dict[str, object]:
    """Thin all of a data folder, counting steps; killed at one of them."""
    vars(store_retention)["AT_ONCE"] = 2
    steps = Steps(data, at)
    steps.watch()
    code = weft(["archive", "thin", "--older-than", "0", "--data", str(data)])
    return {"code": code, "steps": steps.names}


def look(data: Path, ids: list[str], word: str) -> dict[str, object]:
    """What is there of conversations, in the database and in the archive."""
    with Archive.open(data / "archive", read_only=True) as archive:
        findings = [str(one) for one in archive.verify().findings]
        archived = {one.id: len(one.messages) for one in archive.iter_conversations()}
        lines = [line.id for line in archive.iter_audit_lines() if line.action == "delete-from-store"]
    holding = [path.name for path in data.iterdir() if path.is_file() and word.encode() in path.read_bytes()]
    return {
        "rows": conversation_rows(data, ids),
        "files": file_bytes(data),
        "findings": findings,
        "archived": archived,
        "audited": sorted(set(lines)),
        "holding": holding,
    }


def main(start: Path, scratch: Path, ids: list[str], word: str, most: int) -> None:
    """Tell of each kill in a line: the step, what was left, and what was after it was done again."""

    def tell(**fields: object) -> None:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()

    def copied(name: str) -> Path:
        shutil.copytree(start, scratch / name)
        return scratch / name

    for name in (
        "weft.server",
        "weft.cli.archive.own_store",
        "weft.cli.commands",
        "sqlalchemy.dialects.sqlite",
    ):
        import_module(name)  # what a command imports late, once for all children
    data = copied("whole")
    code, done = in_a_child(lambda: thin(data))
    assert (code, done["code"]) == (0, 0), (code, done)
    steps = done["steps"]
    tell(step=0, name="", after=in_a_child(lambda: look(data, ids, word))[1])
    for number in sorted({1 + round(place * (len(steps) - 1) / max(most - 1, 1)) for place in range(most)}):
        data = copied(f"step-{number}")
        code, _ = in_a_child(lambda data=data, number=number: thin(data, number))  # type: ignore[misc]  # called at once
        assert code == -signal.SIGKILL, (number, steps[number - 1 :], code)
        _, left = in_a_child(lambda data=data: look(data, ids, word))  # type: ignore[misc]  # likewise
        code, again = in_a_child(lambda data=data: thin(data))  # type: ignore[misc]  # likewise
        assert (code, again["code"]) == (0, 0), (number, steps[number - 1], code, again)
        _, after = in_a_child(lambda data=data: look(data, ids, word))  # type: ignore[misc]  # likewise
        tell(step=number, of=len(steps), name=steps[number - 1], left=left, after=after)
        shutil.rmtree(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
