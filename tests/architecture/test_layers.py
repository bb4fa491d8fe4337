from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.contracts import find_cycles

ROOT = Path(__file__).resolve().parents[2]


def lint(source: Path) -> tuple[int, str]:
    """Hold the `weft` package that lies in `source` to the rules of this repository."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def build(folder: Path, modules: Mapping[str, str]) -> Path:
    for name, text in {"__init__.py": "", "errors.py": "", **modules}.items():
        path = folder / "weft" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_every_import_of_weft_goes_down_through_front_doors_and_never_in_a_circle() -> None:
    code, report = lint(ROOT / "src")
    assert code == 0, report


def test_rooms_that_do_not_exist_yet_are_no_violation(tmp_path: Path) -> None:
    code, report = lint(build(tmp_path, {"graph/__init__.py": "from weft.errors import *"}))
    assert code == 0, report


BAD_HOUSE = {
    "graph/__init__.py": "import weft.engine\nimport weft.events",
    "graph/model.py": "def reload() -> None:\n    from weft.graph import load",
    "graph/load.py": "from weft.graph import model",
    "engine/__init__.py": "\nfrom weft.graph.model import Graph",
    "runs/__init__.py": "from weft.graph import load",
    "events/__init__.py": "",
}


def test_a_module_that_its_room_exports_may_be_imported_from_the_room(tmp_path: Path) -> None:
    house = {
        "store/__init__.py": "from weft.store import apps\n__all__ = ['apps']",
        "store/apps.py": "",
        "runs/__init__.py": "from weft.store import (\n    apps,\n)",
    }
    code, report = lint(build(tmp_path, house))
    assert code == 0, report


@pytest.fixture(scope="module")
def bad_house(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    return lint(build(tmp_path_factory.mktemp("bad_house"), BAD_HOUSE))


@pytest.mark.parametrize(
    "complaint",
    [
        pytest.param("weft.graph is not allowed to import weft.engine", id="upwards"),
        pytest.param("weft.graph is not allowed to import weft.events", id="a neighbour"),
        pytest.param("weft.engine imports weft.graph.model (line 2)", id="through the window"),
        pytest.param("weft.runs imports weft.graph.load (line 1)", id="a module that is not exported"),
        pytest.param(
            "weft.graph.load -> weft.graph.model -> weft.graph.load", id="a circle inside a function"
        ),
    ],
)
def test_a_forbidden_import_is_found_out(bad_house: tuple[int, str], complaint: str) -> None:
    code, report = bad_house
    assert (code, complaint in report) == (1, True), report


def test_a_room_that_stands_on_no_floor_is_found_out(tmp_path: Path) -> None:
    code, report = lint(build(tmp_path, {"cellar/__init__.py": ""}))
    assert (code, "cellar" in report) == (1, True), report


def test_of_each_knot_the_shortest_way_round_is_shown_once() -> None:
    edges = {"a": ["b"], "b": ["c", "a"], "c": ["a"], "d": ["e"], "e": ["d"], "f": ["a"], "g": ["g"]}
    assert find_cycles(edges) == [["a", "b", "a"], ["d", "e", "d"], ["g", "g"]]
