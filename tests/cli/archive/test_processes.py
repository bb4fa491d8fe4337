from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import BOUND, ECHO, Weft


@pytest.fixture
def exports(weft: Weft) -> Path:
    folder = weft.folder / "exports"
    folder.mkdir()
    text = {"conversation_id": "conv-1", "app_id": "a", "created_at": "2025-10-15T10:30:00Z", "messages": []}
    (folder / "one.json").write_text(json.dumps(text))
    return folder


def test_a_server_takes_an_archive_in_and_tells_of_it(weft: Weft, exports: Path) -> None:
    app = weft.write("echo.yml", ECHO)
    elsewhere = weft.folder / "elsewhere"
    assert weft.run("archive", "pull", "--folder", str(exports), "--archive", str(elsewhere)).returncode == 0
    with weft.serve(str(app)) as server:
        url = server.ready["url"]
        told = weft.run("archive", "restore", "--server", url, "--archive", str(elsewhere), "--json")
        assert (told.returncode, json.loads(told.stdout)["written"]) == (0, 1)
        told = weft.run("archive", "tail", "--server", url, "--since", "2025-01-01", "--count", "1", "--json")
        assert (told.returncode, json.loads(told.stdout)["conversation_id"]) == (0, "conv-1")
        told = weft.run("archive", "tail", "--server", url, WEFT_TOKEN="weft-wrong")
        assert (told.returncode, "status 401" in told.stderr) == (1, True)


def test_a_worker_ends_well_on_a_signal(weft: Weft) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "weft", "worker"],
        cwd=weft.folder,
        env=weft.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Working on ")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=BOUND)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")
