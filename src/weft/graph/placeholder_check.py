"""Placeholders that look like ``{{#node.variable#}}`` but can never be filled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from weft.graph.app_file import AppFile
from weft.graph.findings import Findings
from weft.graph.flow_check import label
from weft.variables import Template

_LOOKALIKE = re.compile(r"\{\{#((?:(?!\{\{#|#\}\}).){0,300})#\}\}", re.DOTALL)
_SPECIAL = frozenset({"context", "histories", "query", "pre_prompt"})
"""What models' prompts may say without naming a node."""
_NOT_TEMPLATES: Mapping[str, frozenset[str]] = {
    "start": frozenset({"variables"}),
    "code": frozenset({"code"}),
    "template-transform": frozenset({"template"}),
}
_NEVER_TEMPLATES = frozenset({"title", "desc", "jinja2_text", "tool_description", "paramSchemas"})


def check_placeholders(app: AppFile, findings: Findings) -> None:
    """Warn of placeholders that stay plain text whatever a run does.

    Args:
        app: The loaded file.
        findings: Where the warnings go.
    """
    for spec in app.nodes:
        skipped = _NEVER_TEMPLATES | _NOT_TEMPLATES.get(spec.type, frozenset())
        for path, text in _texts(spec.data, skipped):
            for inner in dict.fromkeys(_LOOKALIKE.findall(text)):
                trouble = _trouble(inner)
                if trouble:
                    findings.warn(
                        "graph.dead_placeholder",
                        f"{spec.path}.data.{path}",
                        f"{label(spec)}: the placeholder '{{{{#{inner}#}}}}' is never filled; {trouble}",
                        "choose the variable again in the editor, or rename what it names",
                        node_id=spec.id,
                        node_title=spec.title,
                    )


def _texts(value: object, skipped: frozenset[str], path: str = "") -> Iterator[tuple[str, str]]:
    """All texts with a placeholder in them, each with its path."""
    if isinstance(value, str):
        if "{{#" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in skipped:
                yield from _texts(item, skipped, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, skipped, f"{path}[{index}]")


def _trouble(inner: str) -> str:
    """Why a placeholder is none; nothing if it is one."""
    if Template(f"{{{{#{inner}#}}}}").selectors or inner in _SPECIAL or inner.startswith("$output"):
        return ""
    if any(character.isspace() for character in inner):
        return "it has white space in it"
    node_id, dot, rest = inner.partition(".")
    if not dot:
        return "it names no variable of a node"
    if not node_id or len(node_id) > 50:
        return "the node id before the dot must have 1 to 50 characters"
    if not re.fullmatch(r"[a-zA-Z0-9_]+", node_id):
        return f"the node id {node_id!r} has other characters than letters, digits and underscores"
    for name in rest.split("."):
        if len(name) > 30:
            return f"the name {name!r} is longer than 30 characters"
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
            return (
                f"the name {name!r} must begin with a letter and go on with letters, digits and underscores"
            )
    return "it has more than ten names"
