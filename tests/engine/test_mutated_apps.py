"""Files that were changed at random and can still be loaded: they run, and end as runs end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.engine.harness import Play, Setting
from tests.graph.mutation import mutated_trees
from weft.errors import GraphError
from weft.graph import compile_graph, load_app
from weft.nodes import build_node

APPS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).resolve().parents[2] / "examples" / "apps").glob("*.yml"))
    if not path.name.endswith(".cases.yml") and "human-input" not in path.read_text(encoding="utf-8")
]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_can_be_loaded_runs_to_an_end(data: st.DataObject) -> None:
    changed = data.draw(mutated_trees(data.draw(st.sampled_from(APPS))))
    try:
        graph = compile_graph(load_app(changed), build_node)
    except GraphError:
        assume(False)

    async def run() -> str:
        told = await Play(graph, Setting()).run()
        return told.outcome.status

    assert asyncio.run(run()) in ("succeeded", "failed", "partial-succeeded")
