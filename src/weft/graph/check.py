"""Everything that can be said about a file without running it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from weft.errors import GraphError, Problem
from weft.graph.app_file import AppFile, NodeSpec
from weft.graph.behaviour import B, Need, NodeBuilder
from weft.graph.compiled import compile_graph
from weft.graph.findings import Findings
from weft.graph.flow_check import check_flow
from weft.graph.flow_map import FlowMap
from weft.graph.form_check import check_forms
from weft.graph.load import read_app
from weft.graph.placeholder_check import check_placeholders
from weft.graph.reads_check import check_reads

_IDENTIFIERS = (
    "marketplace_plugin_unique_identifier",
    "github_plugin_unique_identifier",
    "plugin_unique_identifier",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found."""

    name: str = ""
    mode: str = ""
    """As the file has it; empty if it could not be read so far."""
    version: str | None = None
    """Version of the file format."""
    problems: tuple[Problem, ...] = ()
    """What stops the app from running."""
    warnings: tuple[Problem, ...] = ()
    """What looks wrong but does not."""
    needs: tuple[Need, ...] = ()
    """What a run needs from outside, node by node."""
    node_counts: Mapping[str, int] = field(default_factory=dict)
    """Nodes by type, the most frequent first."""
    dependencies: tuple[str, ...] = ()
    """Plugins that the app was made with."""

    @property
    def ok(self) -> bool:
        """Whether the app can be run."""
        return not self.problems


def check_app(text: str | bytes, build: NodeBuilder[B], *, source: str = "") -> CheckReport:
    """Read an exported app, make its nodes, and look for all that is wrong or suspicious; never fails.

    Args:
        text: The export; bytes are UTF-8.
        build: Makes a node of a specification, such as a table of node types.
        source: What to call the file in messages.
    """
    try:
        reading = read_app(text, source=source)
    except GraphError as error:
        return CheckReport(problems=error.problems)
    app = reading.app
    workshop = _Workshop(app, build)
    findings = Findings()
    problems = [*reading.problems, *workshop.problems]
    if not reading.problems:
        try:
            graph = compile_graph(app, workshop)
        except GraphError as error:
            problems = list(error.problems)
        else:
            flow = FlowMap(graph)
            check_flow(app, graph, flow, findings)
            check_reads(app, graph, flow, findings)
            check_forms(app, graph, findings)
    check_placeholders(app, findings)
    return CheckReport(
        name=app.name,
        mode=reading.mode,
        version=app.version,
        problems=tuple(problems),
        warnings=(*app.warnings, *findings.warnings),
        needs=tuple(workshop.needs),
        node_counts=dict(Counter(spec.type for spec in app.nodes).most_common()),
        dependencies=_plugin_names(app.dependencies),
    )


class _Workshop(Generic[B]):
    """Makes each node once, and keeps what could not be made for whoever asks again."""

    def __init__(self, app: AppFile, build: NodeBuilder[B]) -> None:
        self._made: dict[str, B] = {}
        self._failed: dict[str, GraphError] = {}
        for spec in app.nodes:
            try:
                self._made[spec.id] = build(spec)
            except GraphError as error:
                self._failed[spec.id] = error

    def __call__(self, spec: NodeSpec) -> B:
        """The node that was made of the specification.

        Raises:
            GraphError: It could not be made.
        """
        if spec.id in self._failed:
            raise self._failed[spec.id]
        return self._made[spec.id]

    @property
    def problems(self) -> list[Problem]:
        """Why nodes could not be made."""
        return [problem for error in self._failed.values() for problem in error.problems]

    @property
    def needs(self) -> list[Need]:
        """What the nodes that could be made need."""
        return list(dict.fromkeys(need for node in self._made.values() for need in node.needs()))


def _plugin_names(dependencies: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Names of plugins, without the checksum that follows the version."""
    names: list[str] = []
    for dependency in dependencies:
        value = dependency.get("value")
        if not isinstance(value, Mapping):
            continue
        identifiers = (value.get(key) for key in _IDENTIFIERS)
        names.extend(name.partition("@")[0] for name in identifiers if isinstance(name, str) and name)
    return tuple(dict.fromkeys(names))
