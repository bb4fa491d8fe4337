from __future__ import annotations

import os
from pathlib import Path

from weft.cli.living import list_living, living_as_worker
from weft.settings import Settings


def test_a_worker_is_found_for_as_long_as_it_lives(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    assert list_living(settings) == []
    with living_as_worker(settings, "one"):
        assert list_living(settings) == ["worker"]
        with living_as_worker(settings, "two"):
            assert list_living(settings) == ["worker", "worker"]
    assert list_living(settings) == []
    assert list((tmp_path / "data" / "processes").iterdir()) == []


def test_what_a_killed_worker_leaves_is_nobody(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    child = os.fork()
    if child == 0:
        with living_as_worker(settings, "gone"):
            os._exit(0)
    os.waitpid(child, 0)
    assert [path.name for path in (tmp_path / "data" / "processes").iterdir()] == ["worker-gone"]
    assert list_living(settings) == []
