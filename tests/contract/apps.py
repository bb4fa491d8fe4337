"""Apps as an export would have them, put together out of few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

MODEL = {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}}
Data = dict[str, Any]


def node(id: str, type: str, *, inside: str | None = None, **data: Any) -> Data:
    """A node; `inside` is the id of the container that holds it."""
    made: Data = {"id": id, "data": {"type": type, "title": id, **data}}
    if inside is not None:
        made["parentId"] = inside
    return made


def start(*variables: Data, id: str = "start") -> Data:
    """Where a run begins, and what it asks for."""
    return node(id, "start", variables=list(variables))


def field(name: str, type: str = "text-input", *, required: bool = False, **more: Any) -> Data:
    """A variable of the start node."""
    return {"variable": name, "label": name, "type": type, "required": required, **more}


def llm(id: str, prompt: str = "{{#sys.query#}}", **data: Any) -> Data:
    """A model that is asked one thing."""
    data.setdefault("prompt_template", [{"role": "user", "text": prompt}])
    return node(id, "llm", model=MODEL, context={"enabled": False}, vision={"enabled": False}, **data)


MEMORY = {"window": {"enabled": False, "size": 50}, "query_prompt_template": "{{#sys.query#}}"}
"""A model's memory of the whole conversation."""


def answer(text: str, *, id: str = "answer", **data: Any) -> Data:
    """What a chatflow says."""
    return node(id, "answer", answer=text, **data)


def end(*, id: str = "end", **outputs: str) -> Data:
    """What a workflow app gives back: names with the dotted paths of their values."""
    return node(
        id,
        "end",
        outputs=[
            {"variable": name, "value_selector": path.split("."), "value_type": "string"}
            for name, path in outputs.items()
        ],
    )


def code(
    id: str, body: str, outputs: Mapping[str, str], inputs: Mapping[str, str] | None = None, **data: Any
) -> Data:
    """Python: the body of `main`, its outputs with their types, its inputs with their dotted paths."""
    names = ", ".join(inputs or {})
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return node(
        id,
        "code",
        code_language="python3",
        code=f"def main({names}):\n{lines}\n",
        variables=_named(inputs),
        outputs={name: {"type": type, "children": None} for name, type in outputs.items()},
        **data,
    )


def failing(id: str, text: str = "boom", **data: Any) -> Data:
    """A node that fails with that text."""
    return code(id, f"raise ValueError({text!r})", {"result": "string"}, **data)


def template(id: str, text: str, inputs: Mapping[str, str] | None = None, **data: Any) -> Data:
    """A Jinja2 template."""
    return node(id, "template-transform", template=text, variables=_named(inputs), **data)


def if_else(id: str, **cases: tuple[str, str, str]) -> Data:
    """A branch: handles with the condition (path, operator, value) of each."""
    return node(
        id,
        "if-else",
        cases=[
            {
                "case_id": handle,
                "id": handle,
                "logical_operator": "and",
                "conditions": [
                    {"variable_selector": path.split("."), "comparison_operator": operator, "value": value}
                ],
            }
            for handle, (path, operator, value) in cases.items()
        ],
    )


def human(id: str, content: str = "Well?", **data: Any) -> Data:
    """A person who is asked for a name and a note, and approves or rejects."""
    return node(
        id,
        "human-input",
        **{
            "delivery_methods": [{"id": "1", "type": "webapp", "enabled": True, "config": {}}],
            "form_content": content,
            "inputs": [
                {"type": "text_input", "output_variable_name": "name", "default": None},
                {
                    "type": "paragraph",
                    "output_variable_name": "note",
                    "default": {"type": "variable", "selector": ["sys", "query"], "value": ""},
                },
            ],
            "user_actions": [
                {"id": "approve", "title": "Approve", "button_style": "primary"},
                {"id": "reject", "title": "Reject", "button_style": "default"},
            ],
            "timeout": 36,
            "timeout_unit": "hour",
            **data,
        },
    )


def assign(id: str, *items: tuple[str, str, Any], inside: str | None = None, **data: Any) -> Data:
    """Assignments (target, operation, value); a value of the form ``{path}`` is a variable."""
    return node(
        id,
        "assigner",
        inside=inside,
        version="2",
        items=[
            {
                "variable_selector": target.split("."),
                "operation": operation,
                "input_type": "variable" if _is_path(value) else "constant",
                "value": value[1:-1].split(".") if _is_path(value) else value,
            }
            for target, operation, value in items
        ],
        **data,
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("{") and value.endswith("}") and value != "{}"


def _named(inputs: Mapping[str, str] | None) -> list[Data]:
    return [{"variable": name, "value_selector": path.split(".")} for name, path in (inputs or {}).items()]


def edges(*ways: str) -> list[Data]:
    """Edges out of ways such as ``start > branch:true > answer``; a handle follows a colon."""
    made = []
    for way in ways:
        stops = [stop.strip() for stop in way.split(">")]
        for source, target in pairwise(stops):
            name, _, handle = source.partition(":")
            made.append(
                {
                    "source": name,
                    "sourceHandle": handle or "source",
                    "target": target.partition(":")[0],
                    "targetHandle": "target",
                }
            )
    return made


def app(
    nodes: Sequence[Data],
    ways: Iterable[str],
    *,
    mode: str = "advanced-chat",
    name: str = "App",
    features: Data | None = None,
    variables: Sequence[Data] = (),
    environment: Sequence[Data] = (),
    **details: Any,
) -> Data:
    """An export of an app."""
    return {
        "kind": "app",
        "version": "0.6.0",
        "app": {"name": name, "mode": mode, **details},
        "workflow": {
            "features": features or {},
            "conversation_variables": list(variables),
            "environment_variables": list(environment),
            "graph": {"nodes": list(nodes), "edges": edges(*ways)},
        },
    }


def workflow(nodes: Sequence[Data], *ways: str, **more: Any) -> Data:
    """An app without conversations."""
    return app(nodes, ways, mode="workflow", **more)


def chatflow(nodes: Sequence[Data], *ways: str, **more: Any) -> Data:
    """An app with conversations."""
    return app(nodes, ways, **more)


def conversation_variable(name: str, value_type: str, value: Any) -> Data:
    """A variable of the conversation with its default; its id follows from its name."""
    return {
        "id": f"00000000-0000-4000-8000-{name.encode().hex():0>12.12}",
        "name": name,
        "value_type": value_type,
        "value": value,
        "description": f"the {name}",
    }


FORM = (
    field("city", max_length=20),
    field("level", "select", options=["low", "high"]),
    field("age", "number"),
)
VARIABLES = (
    conversation_variable("topic", "string", "none"),
    conversation_variable("n", "number", 0),
    conversation_variable("flag", "boolean", False),
    conversation_variable("prefs", "object", {}),
    conversation_variable("tags", "array[string]", []),
)
FEATURES: Data = {
    "opening_statement": "Hello {{city}}",
    "suggested_questions": ["What now?"],
    "suggested_questions_after_answer": {"enabled": True},
    "speech_to_text": {"enabled": True},
    "text_to_speech": {"enabled": True, "language": "", "voice": ""},
    "retriever_resource": {"enabled": True},
    "sensitive_word_avoidance": {"enabled": False},
    "file_upload": {
        "enabled": True,
        "allowed_file_types": ["image", "document"],
        "allowed_file_extensions": [],
        "allowed_file_upload_methods": ["local_file", "remote_url"],
        "number_limits": 3,
        "image": {
            "enabled": True,
            "number_limits": 3,
            "transfer_methods": ["local_file", "remote_url"],
        },
    },
}


def echo_flow(
    *form: Data, features: Data | None = None, variables: Sequence[Data] = (), name: str = "F"
) -> Data:
    """A chatflow whose model repeats what it is told."""
    return chatflow(
        [start(*form), llm("llm"), answer("{{#llm.text#}}")],
        "start > llm > answer",
        features=features,
        variables=variables,
        name=name,
    )


def failing_flow() -> Data:
    """A chatflow that always fails with ``boom``."""
    return chatflow(
        [start(), failing("broken"), answer("{{#broken.result#}}")], "start > broken > answer", name="X"
    )


def echo_workflow() -> Data:
    """A workflow app whose model repeats what it is told."""
    return workflow(
        [
            start(field("text", "paragraph", required=True)),
            llm("llm", "{{#start.text#}}"),
            end(text="llm.text", given="start.text"),
        ],
        "start > llm > end",
        name="W",
    )


def failing_workflow() -> Data:
    """A workflow app that always fails with ``boom``."""
    return workflow([start(), failing("broken"), end(result="broken.result")], "start > broken > end")
