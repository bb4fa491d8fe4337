"""Small app files for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

Fields = dict[str, object]


def node(id: str, type: str, wrapper: Mapping[str, object] | None = None, /, **data: object) -> Fields:
    """A node as a file has it; `wrapper` adds keys beside ``data``."""
    content = {"type": type, "title": id.title(), **data}
    return {"id": id, "type": "custom", **(wrapper or {}), "data": content}


def edge(text: str, **keys: object) -> Fields:
    """An edge from a text such as ``start > llm`` or ``branch:true > llm``."""
    source, target = (part.strip() for part in text.split(">"))
    source, _, handle = source.partition(":")
    return {"id": text, "source": source, "sourceHandle": handle or "source", "target": target, **keys}


START = node("start", "start", variables=[{"variable": "topic", "type": "text-input"}])
ANSWER = node("answer", "answer", answer="{{#start.topic#}}")
END = node("end", "end", outputs=[{"variable": "topic", "value_selector": ["start", "topic"]}])


def app_data(
    nodes: Sequence[object] = (START, END),
    edges: Sequence[object] = ("start > end",),
    workflow: Mapping[str, object] | None = None,
    *,
    mode: str = "workflow",
) -> Fields:
    """A whole file as data; texts among `edges` go to `edge`, `workflow` adds keys beside the graph."""
    return {
        "version": "0.5.0",
        "kind": "app",
        "app": {"mode": mode, "name": "Test app"},
        "workflow": {
            "graph": {
                "nodes": list(nodes),
                "edges": [edge(item) if isinstance(item, str) else item for item in edges],
            },
            **(workflow or {}),
        },
    }


def dump(data: object) -> str:
    """The data as YAML, without aliases."""
    return yaml.dump(data, Dumper=_PlainDumper, allow_unicode=True, sort_keys=False)


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def app_text(
    nodes: Sequence[object] = (START, END),
    edges: Sequence[object] = ("start > end",),
    workflow: Mapping[str, object] | None = None,
    *,
    mode: str = "workflow",
) -> str:
    """A whole file as text."""
    return dump(app_data(nodes, edges, workflow, mode=mode))
