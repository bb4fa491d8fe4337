"""Real exports with stand-ins for what lies outside: tools, requests, knowledge, documents and people.

Each runs to its end in the test's own process; what its code and templates do is done. The folder of exports
is named by the environment variable ``WEFT_CORPUS``.
"""

from __future__ import annotations

import ast
import csv
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from weft.graph import NodeSpec, load_app
from weft.nodes import NODE_TYPES
from weft.testing.flow import open_flow
from weft.testing.mock import Mock

CORPUS = os.environ.get("WEFT_CORPUS")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CORPUS is None, reason="WEFT_CORPUS does not name the folder of real exports"),
]
ROOT = Path(CORPUS or ".", "dsl")

OUTSIDE: Mapping[str, dict[str, Any]] = {
    "agent": {"text": "What the agent found", "files": [], "json": []},
    "document-extractor": {"text": "What the document says"},
    "http-request": {"status_code": 200, "body": '{"data": []}', "headers": {}, "files": []},
    "knowledge-retrieval": {"result": []},
    "tool": {"text": "What the tool said", "files": [], "json": [{"data": []}]},
}
"""Outputs of the node types that need something from outside."""
OTHERWISE = {type: Mock(outputs=outputs) for type, outputs in OUTSIDE.items()}

AWESOME = "awesome-dify-workflow/"
COUPLET = '{"banner": "a", "top": "b", "bottom": "c", "summary": "d"}'
CHAPTER = '```json\n[{"chapter": "1", "title": "One", "contents": ["a", "b"]}]\n```'
TRANSLATED = (
    '{"json": {"out_file_name": "a.java", "java": [{"type": "function", "signature": "f()", "codes": ""}]}}'
)
FOUND = [{"href": f"https://example.org/{number}", "title": f"Page {number}"} for number in range(4)]
WEATHER = (
    '{"data": {"beginYear": 2000, "endYear": 2020, '
    '"data": [{"month": 1, "maxTemp": 5, "minTemp": 1, "rainfall": 40}]}}'
)
PASSAGE = {"content": "Turn it on.", "title": "Manual", "metadata": {}}

SPECIAL: Mapping[str, dict[str, Mock | list[Mock]]] = {
    AWESOME + "Claude3 Code Translation.yml": {"type:tool": Mock(outputs={"text": TRANSLATED})},
    AWESOME + "Dify 运营一条龙.yml": {
        "type:http-request": Mock(outputs={"body": '{"data": {"url": "https://example.org/a.png"}}'})
    },
    AWESOME + "Document_chat_template.yml": {"type:knowledge-retrieval": Mock(outputs={"result": [PASSAGE]})},
    AWESOME + "chart_demo.yml": {"type:http-request": Mock(outputs={"body": WEATHER})},
    AWESOME + "dify_course_demo.yml": {"type:llm": Mock(text=CHAPTER)},
    AWESOME + "runLLMCode.yml": {
        "type:llm": Mock(text="```python\nprint(1)\n```"),
        "type:http-request": Mock(outputs={"body": '{"data": {"stdout": "1"}}'}),
    },
    AWESOME + "simple-kimi.yml": {
        "1727357843831": Mock(outputs={"json": FOUND, "text": ""}),
        "type:tool": OTHERWISE["tool"],
    },
    AWESOME + "文章仿写-单图_多图自动搭配.yml": {
        "type:tool": Mock(outputs={"text": '{"content": "Long enough"}', "files": [], "json": []})
    },
    AWESOME + "春联生成器 (“福”到了版本).yml": {"type:llm": Mock(text=COUPLET)},
    AWESOME + "春联生成器.yml": {"type:llm": Mock(text=COUPLET)},
}
"""What some exports want to hear, since their code takes it apart."""

INPUTS: Mapping[str, dict[str, str]] = {AWESOME + "json_translate.yml": {"json_data": '{"a": "Guten Tag"}'}}


def exports() -> list[str]:
    if CORPUS is None:
        return []
    with (ROOT / "INDEX.csv").open(encoding="utf-8", newline="") as lines:
        return [row["file"] for row in csv.DictReader(lines)]


@pytest.mark.parametrize("file", exports())
async def test_a_real_export_runs_to_an_end(file: str) -> None:
    app = load_app((ROOT / file).read_text(encoding="utf-8"))
    lacking = {spec.type for spec in app.nodes} - set(NODE_TYPES.names())
    if lacking:
        pytest.skip(f"needs {', '.join(sorted(lacking))}")
    if "human-input" in {spec.type for spec in app.nodes}:
        pytest.skip("a person has to answer")
    special = SPECIAL.get(file, {})
    mocks: dict[str, Mock | list[Mock]] = {
        spec.id: Mock(outputs=declared(spec)) for spec in app.nodes if wants_package(spec)
    }
    mocks |= {f"type:{spec.type}": OTHERWISE[spec.type] for spec in app.nodes if spec.type in OTHERWISE}
    (start,) = (spec for spec in app.nodes if spec.type == "start")
    inputs = {field["variable"]: made_up(field) for field in fields(start)} | INPUTS.get(file, {})
    async with open_flow(ROOT / file, mocks=mocks | special) as flow:
        run = await flow.ask("Tell me more" if flow.is_chat else None, inputs=inputs)
    assert (run.status, run.error) == ("succeeded", None)
    assert {"answer", "end"} & {execution.node_type for execution in run.executions}


def wants_package(spec: NodeSpec) -> bool:
    """Whether a node's code imports what is not part of Python, and so runs only where that is installed."""
    if spec.type != "code" or spec.data.get("code_language") != "python3":
        return False
    tree = ast.parse(str(spec.data["code"]))
    names = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.partition(".")[0] not in sys.stdlib_module_names for name in names)


def declared(spec: NodeSpec) -> dict[str, Any]:
    """Outputs of the types that a code node declares."""
    samples: dict[str, Any] = {"string": "text", "number": 1, "object": {}, "boolean": True}
    outputs = spec.data["outputs"]
    assert isinstance(outputs, dict)
    return {name: samples.get(output["type"], []) for name, output in outputs.items()}


def fields(start: NodeSpec) -> list[dict[str, Any]]:
    found = start.data.get("variables")
    return found if isinstance(found, list) else []


def made_up(field: Mapping[str, Any]) -> Any:
    """A value that fits a field of the form."""
    match field["type"]:
        case "select":
            return field["options"][0]
        case "number":
            return 3
        case "file" | "file-list" as kind:
            types = field.get("allowed_file_types") or ["document"]
            file = {"type": types[0], "transfer_method": "remote_url", "url": "https://example.org/a.txt"}
            return file if kind == "file" else [file]
        case _:
            return "Tell me more"[: field.get("max_length") or None]
