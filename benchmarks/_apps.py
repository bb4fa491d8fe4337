"""The chatflows that are measured, as export files: the same graphs that other servers were measured with."""

from __future__ import annotations

import json
from typing import Any

Node = dict[str, Any]


def app(mode: str, nodes: list[Node], edges: list[tuple[str, ...]]) -> str:
    """An export of these nodes and edges; an edge may name its handle as a third item."""
    return json.dumps(
        {
            "kind": "app",
            "version": "0.3.1",
            "app": {"name": "benchmark", "mode": mode},
            "workflow": {
                "graph": {
                    "nodes": nodes,
                    "edges": [
                        {
                            "source": edge[0],
                            "target": edge[1],
                            "sourceHandle": edge[2] if len(edge) > 2 else "source",
                        }
                        for edge in edges
                    ],
                }
            },
        }
    )


def node(id: str, type: str, **data: Any) -> Node:
    """One node."""
    return {"id": id, "data": {"type": type, "title": id, **data}}


START = node("start", "start", variables=[])
ANSWER_LLM = node("answer", "answer", answer="{{#llm.text#}}")
LLM = node(
    "llm",
    "llm",
    model={"provider": "openai", "name": "gpt-4o-mini", "mode": "chat", "completion_params": {}},
    prompt_template=[{"role": "user", "text": "{{#sys.query#}}"}],
    context={"enabled": False, "variable_selector": []},
    vision={"enabled": False},
)

APPS = {
    "answer": app(
        "advanced-chat",
        [START, node("answer", "answer", answer="You said: {{#sys.query#}}")],
        [("start", "answer")],
    ),
    "branch": app(
        "advanced-chat",
        [
            START,
            node(
                "template",
                "template-transform",
                template="{{ query }}!",
                variables=[{"variable": "query", "value_selector": ["sys", "query"]}],
            ),
            node(
                "if",
                "if-else",
                cases=[
                    {
                        "case_id": "true",
                        "logical_operator": "and",
                        "conditions": [
                            {
                                "variable_selector": ["template", "output"],
                                "comparison_operator": "contains",
                                "value": "!",
                            }
                        ],
                    }
                ],
            ),
            node("answer", "answer", answer="You said: {{#template.output#}}"),
            node("other", "answer", answer="Nothing."),
        ],
        [("start", "template"), ("template", "if"), ("if", "answer", "true"), ("if", "other", "false")],
    ),
    "llm": app("advanced-chat", [START, LLM, ANSWER_LLM], [("start", "llm"), ("llm", "answer")]),
}
