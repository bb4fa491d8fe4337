"""An app as the text of a file that can be imported again.

What only has a meaning on this server, or is nobody else's business, stays behind: values of secret variables
unless they are asked for, credentials of tools, addresses and subscriptions of triggers.

Source: Dify app DSL 0.5, what an export holds and what it removes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from weft.errors import GraphError
from weft.graph import parse_yaml
from weft.store import App, JsonObject, Workflow

DSL_VERSION: Final = "0.5.0"
"""Version of the format that exports are written in."""
WITHOUT_GRAPH: Final = ("chat", "agent-chat", "completion")
"""Modes whose apps are a model configuration instead of a graph."""

_Dumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDE = 1_000_000


class _PlainDumper(_Dumper):  # type: ignore[misc]  # written in C where that is there
    """Writes everything out; what occurs twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        return True


def render_app(app: App, workflow: Workflow, *, secrets: bool) -> str:
    """The YAML text of an app.

    Args:
        app: Its name and looks.
        workflow: What it does; in modes without a graph its features are the model configuration.
        secrets: Whether values of secret variables and credentials of tools are in it.
    """
    is_image = app.icon_type == "image"
    document: dict[str, object] = {
        "version": DSL_VERSION,
        "kind": "app",
        "app": {
            "name": app.name,
            "mode": app.mode,
            "description": app.description,
            "icon_type": "emoji" if is_image else app.icon_type or "emoji",
            "icon": "🤖" if is_image else app.icon or "",
            "icon_background": "#FFEAD5" if is_image else app.icon_background or "#FFFFFF",
            "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        },
    }
    if app.mode in WITHOUT_GRAPH:
        document["model_config"] = workflow.features
    else:
        document["workflow"] = {
            "graph": workflow.graph if secrets else _without_credentials(workflow.graph),
            "features": workflow.features,
            "environment_variables": [
                variable if secrets else _without_secret(variable)
                for variable in workflow.environment_variables
            ],
            "conversation_variables": list(workflow.conversation_variables),
        }
    document["dependencies"] = _dependencies(workflow.dsl)
    return render_yaml(document)


def render_yaml(document: Mapping[str, object]) -> str:
    """Plain data as YAML, keys in the order given."""
    text = yaml.dump(document, Dumper=_PlainDumper, allow_unicode=True, sort_keys=False, width=_WIDE)
    return str(text)


def _dependencies(dsl: str) -> list[object]:
    """The plugins that the file named from which the version came."""
    if "dependencies" not in dsl:
        return []
    try:
        document, _ = parse_yaml(dsl)
    except GraphError:
        return []
    found = document.get("dependencies") if isinstance(document, dict) else None
    return found if isinstance(found, list) else []


def _without_secret(variable: JsonObject) -> JsonObject:
    return {**variable, "value": ""} if variable.get("value_type") == "secret" else variable


def _without_credentials(graph: JsonObject) -> JsonObject:
    nodes = graph.get("nodes")
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        return graph
    return {**graph, "nodes": [_cleaned(node) for node in nodes]}


def _cleaned(node: object) -> object:
    data = node.get("data") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(data, dict):
        return node
    match data.get("type"):
        case "tool":
            data = _without(data, "credential_id")
        case "agent":
            data = _without_tool_credentials(data)
        case "trigger-webhook":
            data = {**data, "webhook_url": "", "webhook_debug_url": ""}
        case "trigger-schedule":
            data = {**data, "config": {}}
        case "trigger-plugin":
            data = {**data, "subscription_id": ""}
        case _:
            return node
    return {**node, "data": data}


def _without_tool_credentials(data: dict[str, Any]) -> dict[str, Any]:
    parameters = data.get("agent_parameters")
    tools = parameters.get("tools") if isinstance(parameters, dict) else None
    if not isinstance(parameters, dict) or not isinstance(tools, dict):
        return data
    value = tools.get("value")
    if not isinstance(value, list):
        return data
    cleaned = [_without(tool, "credential_id") if isinstance(tool, dict) else tool for tool in value]
    return {**data, "agent_parameters": {**parameters, "tools": {**tools, "value": cleaned}}}


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}
