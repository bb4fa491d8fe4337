"""The example package of a node type, tested by its own tests without being installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from weft.errors import NodeFailedError
from weft.nodes import NODE_TYPES, Context, Node, NodeConfig, NodeResult
from weft.testing.node_contract import NodeContract

PLUGIN = Path(__file__).resolve().parents[2] / "examples" / "plugin"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where the plugin is as good as installed."""
    info = tmp_path / "weft_haiku-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weft-haiku\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[weft.nodes]\nhaiku = weft_haiku:HaikuNode\n")
    path = os.pathsep.join([str(tmp_path), str(PLUGIN / "src")])
    return {**os.environ, "PYTHONPATH": path, "WEFT_DATA": str(tmp_path / "data")}


def test_the_example_keeps_the_contract(environment: dict[str, str]) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "tests"],
        cwd=PLUGIN,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "11 passed" in outcome.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("An old silent pond / A frog jumps into the pond / Splash! Silence again", "A haiku!"),
        ("Roses are red", "No haiku:"),
    ],
)
def test_the_app_of_the_example_runs(environment: dict[str, str], text: str, told: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "weft", "run", "poet.yml", text],
        cwd=PLUGIN,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.stdout.startswith(told), outcome.stderr


class CarelessNode(Node[NodeConfig]):
    """Does all that a node must not do."""

    config_type = NodeConfig
    seen: list[object] = []  # noqa: RUF012  # that is the fault

    async def run(self, context: Context) -> NodeResult:
        value = context.pool.find(("sys", "list"))
        if not isinstance(value, list):
            raise ValueError("no list")
        if value:
            value.append(1)
        self.seen.append(value)
        return NodeResult({"count": len(self.seen)}, handle="nowhere")


class CarelessContract(NodeContract):
    node_type = CarelessNode
    data: ClassVar = {"type": "careless"}
    values: ClassVar = {"sys.list": [1]}
    outputs: ClassVar = {"count": 1}
    wrong_data = ({"title": "anything"},)
    failing = ({"sys.list": 1},)


CAUGHT = [
    "test_it_changes_neither_its_data_nor_what_it_reads",
    "test_it_fails_with_an_error_of_ours_that_says_why",
    "test_it_is_found_by_its_name",
    "test_it_leaves_by_a_way_that_it_has",
    "test_one_instance_serves_many_runs_at_once",
    "test_wrong_data_are_refused_with_the_place",
]


@pytest.mark.anyio
@pytest.mark.parametrize("name", CAUGHT)
async def test_a_careless_node_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CarelessNode.seen.clear()
    known: Any = NODE_TYPES
    monkeypatch.setitem(known._targets, "careless", "nowhere:careless")
    monkeypatch.setitem(known._loaded, "careless", CarelessNode if "found" not in name else NodeFailedError)
    with pytest.raises((AssertionError, ValueError)):
        await finished(getattr(CarelessContract(), name)())


async def finished(outcome: Awaitable[None] | None) -> None:
    if outcome is not None:
        await outcome
