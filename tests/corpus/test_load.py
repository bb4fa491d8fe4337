"""Real exports of every era: all of them load, and none of them is warned of without reason."""

from __future__ import annotations

import contextlib
import csv
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph.mutation import build_any, mutated_texts, mutated_trees
from tests.graph.stand_in import build_stand_in
from weft.errors import GraphError
from weft.graph import check_app, compile_graph, load_app

CORPUS = os.environ.get("WEFT_CORPUS", "")
INDEX = Path(CORPUS, "dsl", "INDEX.csv")
pytestmark = pytest.mark.skipif(
    not (CORPUS and INDEX.is_file()), reason="WEFT_CORPUS does not name a folder of real exports"
)


def rows() -> list[dict[str, str]]:
    if not (CORPUS and INDEX.is_file()):
        return []
    with INDEX.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


ROWS = rows()
FILES = [row["file"] for row in ROWS]
OLD_ITERATIONS = {
    "awesome-dify-workflow/Jina Reader Jinja.yml": 1,
    "awesome-dify-workflow/搜索大师.yml": 2,
    "awesome-dify-workflow/文章仿写-单图_多图自动搭配.yml": 1,
}
"""Files with iterations that begin at an ordinary node, and how many of them."""


def read(file: str) -> str:
    return Path(CORPUS, "dsl", file).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=FILES)
def test_a_real_export_loads_as_what_it_is(row: dict[str, str]) -> None:
    app = load_app(read(row["file"]))
    counts = Counter(spec.type for spec in app.nodes)
    made = OLD_ITERATIONS.get(row["file"], 0)
    pairs = (pair.rsplit(":", 1) for pair in row["node_types"].split())
    listed = Counter({name: int(count) for name, count in pairs})
    assert (app.mode, app.version or "", app.warnings) == (row["mode"], row["version"], ())
    assert counts == listed + Counter({"iteration-start": made})
    assert len(app.nodes) == int(row["node_count"]) + made


@pytest.mark.parametrize("file", FILES)
def test_a_real_export_has_a_sound_graph(file: str) -> None:
    graph = compile_graph(load_app(read(file)), build_stand_in)
    for container, plan in graph.containers.items():
        assert plan.start.type.endswith("-start")
        assert len(plan.nodes) > 1
        assert {node.parent_id for node in plan.nodes} == {container}
    reached = len(graph.root.nodes) + sum(len(plan.nodes) for plan in graph.containers.values())
    assert reached == len(graph.nodes)


@pytest.mark.parametrize("file", FILES)
def test_nothing_about_the_flow_of_a_real_export_is_suspicious(file: str) -> None:
    report = check_app(read(file), build_stand_in)
    assert (report.problems, report.warnings) == ((), ())


@pytest.mark.parametrize("file", FILES)
def test_only_the_node_types_of_a_real_export_may_be_unknown(file: str) -> None:
    report = check_app(read(file), build_any)
    assert {problem.code for problem in report.problems} <= {"node.unsupported_type"}
    assert report.warnings == ()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_changed_export_works_or_is_refused(data: st.DataObject) -> None:
    text = read(data.draw(st.sampled_from([row["file"] for row in ROWS if int(row["bytes"]) < 10_000])))
    changed = data.draw(mutated_texts(text) | mutated_trees(text))
    with contextlib.suppress(GraphError):
        compile_graph(load_app(changed), build_any)
    check_app(changed, build_any)
