"""Find everything that is wrong with an export, without running it."""

from __future__ import annotations

from pathlib import Path

import yaml

from weft.errors import GraphError
from weft.graph import check_app, load_app
from weft.nodes import build_node

APP = Path(__file__).parent / "apps" / "question-classifier.yml"

good = check_app(APP.read_bytes(), build_node)
needs = [need.name for need in good.needs]
print(f"{good.name}: {'can be run' if good.ok else 'cannot be run'}, needs {needs}")
assert good.ok
assert needs == ["openai/gpt-4o-mini"]

broken = yaml.safe_load(APP.read_text())
nodes = broken["workflow"]["graph"]["nodes"]
nodes[1]["data"]["type"] = "fortune-teller"
broken["workflow"]["graph"]["edges"].append({"source": "answer", "target": "nowhere"})
report = check_app(yaml.safe_dump(broken), build_node)
for problem in report.problems:
    print(f"{problem.code}: {problem}")
assert [problem.code for problem in report.problems] == ["node.unsupported_type", "graph.edge_unknown_node"]

del broken["workflow"]
found: list[str] = []
try:
    load_app(yaml.safe_dump(broken), source="broken.yml")
except GraphError as error:
    print(error)
    found = [problem.code for problem in error.problems]
assert found == ["graph.missing_workflow"]
