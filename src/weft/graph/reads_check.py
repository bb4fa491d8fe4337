"""Variables that a node looks at and that nothing provides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from weft.graph.app_file import AppFile, NodeSpec
from weft.graph.behaviour import B
from weft.graph.compiled import Graph, GraphNode
from weft.graph.findings import Findings
from weft.graph.flow_check import label
from weft.graph.flow_map import FlowMap
from weft.variables import Selector, history_runs

_SYSTEM = frozenset(
    {
        "files",
        "user_id",
        "app_id",
        "workflow_id",
        "workflow_run_id",
        "timestamp",
    }
)
_SYSTEM_OF_CHATFLOWS = frozenset({"query", "conversation_id", "dialogue_count"})
_ERROR_OUTPUTS = frozenset({"error_message", "error_type"})


def check_reads(app: AppFile, graph: Graph[B], flow: FlowMap[B], findings: Findings) -> None:
    """Warn of variables that have no value whenever the node that looks at them runs.

    Args:
        app: The loaded file.
        graph: Compiled from it.
        flow: The map of that graph.
        findings: Where the warnings go.
    """
    check = _ReadsCheck(app, flow)
    for spec in app.nodes:
        if spec.id not in flow.running:
            continue
        for selector in _selectors(graph.nodes[spec.id]):
            trouble = check.trouble(selector, spec)
            if trouble is not None:
                what, fix = trouble
                findings.warn(
                    "graph.unknown_variable",
                    f"{spec.path}.data",
                    f"{label(spec)} reads {'.'.join(selector)!r}, but {what}",
                    fix,
                    node_id=spec.id,
                    node_title=spec.title,
                )


def _selectors(node: GraphNode[B]) -> list[Selector]:
    segments = (segment for segment in node.behaviour.segments() if isinstance(segment, tuple))
    selectors = dict.fromkeys(selector[:2] for selector in (*node.behaviour.reads(), *segments))
    return [selector for selector in selectors if len(selector) == 2]


class _ReadsCheck(Generic[B]):
    """What an app provides."""

    def __init__(self, app: AppFile, flow: FlowMap[B]) -> None:
        self._app = app
        self._flow = flow
        self._nodes = {spec.id: spec for spec in app.nodes}
        self._environment = {variable.name for variable in app.environment_variables}
        self._conversation = {variable.name for variable in app.conversation_variables}

    def trouble(self, selector: Selector, reader: NodeSpec) -> tuple[str, str] | None:
        """Why the variable has no value, and what to do; ``None`` if it may have one."""
        first, name = selector
        match first:
            case "sys":
                return self._system_trouble(name, reader)
            case "env":
                missing = name not in self._environment
                return ("the app declares no such environment variable", "declare it") if missing else None
            case "conversation":
                return self._conversation_trouble(name)
            case "rag":
                return "only pipelines have such variables", "choose another variable"
        source = self._nodes.get(first)
        if source is None:
            return f"the app has no node {first!r}", "choose the variable again in the editor"
        if not self._flow.is_before(source.id, reader.id):
            what = f"{label(source)} does not run before it"
            return what, "connect the two, or choose another variable"
        outputs = _outputs(source)
        if outputs is not None and name not in outputs and not name.startswith("sys."):
            return f"{label(source)} has no output of that name", "choose the variable again in the editor"
        return None

    def _system_trouble(self, name: str, reader: NodeSpec) -> tuple[str, str] | None:
        if name in _SYSTEM:
            return None
        if name not in _SYSTEM_OF_CHATFLOWS and history_runs(name) is None:
            return "there is no such system variable", "choose another variable"
        if self._app.mode == "advanced-chat" or not _spells(reader.data, name):
            return None
        return "only chatflows have it", "ask for it with an input of the start node"

    def _conversation_trouble(self, name: str) -> tuple[str, str] | None:
        if self._app.mode != "advanced-chat":
            return "only chatflows have conversation variables", "use another variable"
        if name not in self._conversation:
            return "the app declares no such conversation variable", "declare it"
        return None


def _spells(value: object, name: str) -> bool:
    """Whether the file itself names the system variable; nodes with a memory look at the query unasked."""
    if isinstance(value, str):
        return f"sys.{name}" in value
    if isinstance(value, Mapping):
        return any(_spells(item, name) for item in value.values())
    return isinstance(value, list) and (
        value[:2] == ["sys", name] or any(_spells(item, name) for item in value)
    )


def _outputs(spec: NodeSpec) -> frozenset[str] | None:
    """Names of what a node puts out, where its configuration lists them; ``None`` where it does not."""
    match spec.type, spec.data.get("variables"), spec.data.get("outputs"):
        case "start", list(variables), _:
            return frozenset(_names(variables))
        case "code", _, dict(outputs):
            return frozenset(outputs) | _ERROR_OUTPUTS
    return None


def _names(variables: list[object]) -> list[str]:
    return [
        name
        for variable in variables
        if isinstance(variable, Mapping) and isinstance(name := variable.get("variable"), str)
    ]
