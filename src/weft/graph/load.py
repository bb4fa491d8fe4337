"""From the text of an export to one typed app file.

The file is read to its end whatever is wrong with it, so that a person sees all of it at once. The nodes'
own configuration is not looked at here; that is for the node types, when the graph is compiled.

Source: Dify app DSL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from weft.errors import GraphError, Problem
from weft.graph.app_file import AppFile, AppMode
from weft.graph.declarations import read_declarations
from weft.graph.features import read_features
from weft.graph.findings import Findings, kind_of_value
from weft.graph.flow import read_flow
from weft.graph.upgrade import upgrade
from weft.graph.yaml_text import parse_yaml

NEWEST_VERSION: Final = "0.6.0"
"""The newest version of the format whose every shape is known here."""

_MODES: tuple[str, ...] = get_args(AppMode)
_WITHOUT_GRAPH = ("chat", "agent-chat", "completion", "agent")
_ICON_TYPES = ("emoji", "image", "link")
_SEMVER = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})([-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be made of a file, even if something is wrong with it."""

    app: AppFile
    mode: str
    """As the file has it, which may be one that cannot be run; empty if it has none."""
    problems: tuple[Problem, ...]
    """What stops the app from running."""


def load_app(text: str | bytes, *, source: str = "") -> AppFile:
    """Read an exported app of any era.

    Args:
        text: The export; bytes are UTF-8.
        source: What to call it in messages, such as a file name.

    Returns:
        The app in the newest shape, with warnings about what looks wrong but does not matter.

    Raises:
        GraphError: With everything that is wrong with the file itself.
    """
    reading = read_app(text, source=source)
    if reading.problems:
        raise GraphError(reading.problems)
    return reading.app


def read_app(text: str | bytes, *, source: str = "") -> Reading:
    """Read an exported app as far as it goes.

    Args:
        text: The export; bytes are UTF-8.
        source: What to call it in messages, such as a file name.

    Raises:
        GraphError: It is no YAML document, or not one of an app, so that there is nothing to go on with.
    """
    document, warnings = parse_yaml(text, source=source)
    findings = Findings()
    findings.warnings.extend(warnings)
    if not isinstance(document, dict):
        findings.error(
            "parse.expected_mapping",
            "",
            f"{source or 'the file'} must hold a mapping, but holds {kind_of_value(document)}",
            "use the file that the export of an app gives",
        )
        raise GraphError(findings.errors)
    kind = document.get("kind")
    if kind is not None and kind != "app":
        findings.error(
            "kind.unsupported",
            "kind",
            f"{source or 'the file'} is of kind {kind if isinstance(kind, str) else kind_of_value(kind)!r}, "
            "only exports of apps can be run",
            "export an app",
        )
        raise GraphError(findings.errors)
    version = _read_version(document.get("version"), findings)
    details = _read_details(document.get("app"), findings)
    mode = _read_mode(details, findings)
    workflow: Mapping[str, object] = {}
    if mode not in _WITHOUT_GRAPH:
        workflow = _read_workflow(document.get("workflow"), findings)
    graph = _read_graph(workflow, findings)
    nodes, edges = read_flow(graph, findings) if graph else ([], [])
    upgraded_nodes, upgraded_edges = upgrade(nodes, edges, findings)
    app = AppFile(
        name=_text(details.get("name")) or "Untitled",
        mode="advanced-chat" if mode == "advanced-chat" else "workflow",
        description=_text(details.get("description")),
        icon_type=_icon_type(details.get("icon_type")),
        icon=_text(details.get("icon")),
        icon_background=_text(details.get("icon_background")) or "#FFFFFF",
        use_icon_as_answer_icon=details.get("use_icon_as_answer_icon") is True,
        version=version,
        nodes=upgraded_nodes,
        edges=upgraded_edges,
        features=read_features(workflow.get("features"), findings),
        environment_variables=read_declarations(workflow, "environment", findings),
        conversation_variables=read_declarations(workflow, "conversation", findings),
        dependencies=_read_dependencies(document.get("dependencies"), findings),
        graph=graph,
        warnings=tuple(findings.warnings),
    )
    return Reading(app, mode, tuple(findings.errors))


def _read_version(value: object, findings: Findings) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        findings.warn(
            "parse.invalid_version",
            "version",
            f"the version must be a text, but is {kind_of_value(value)}; it is ignored",
            f'write version: "{NEWEST_VERSION}"',
        )
        return None
    version = str(value).strip()
    if not isinstance(value, str):
        findings.warn(
            "parse.invalid_version",
            "version",
            f"the version has no quotes and is read as the number {version}",
            f'write version: "{version}.0"',
        )
        return version
    match = _SEMVER.fullmatch(version)
    if match is None:
        findings.warn(
            "parse.invalid_version",
            "version",
            f"the version {version[:40]!r} is not of the form 1.2.3",
            f'write version: "{NEWEST_VERSION}"',
        )
    elif tuple(int(part) for part in match.groups()[:3]) > tuple(map(int, NEWEST_VERSION.split("."))):
        findings.warn(
            "parse.newer_version",
            "version",
            f"the file has version {version}, newer than {NEWEST_VERSION}; what is new in it may be ignored",
            "look for a newer version of this program if the app does not do what it should",
        )
    return version


def _read_details(value: object, findings: Findings) -> Mapping[str, object]:
    return _read_block(value, "app", "app", "kind.missing_app", findings)


def _read_mode(details: Mapping[str, object], findings: Findings) -> str:
    """The mode as written; whatever is wrong with it is reported once."""
    mode = details.get("mode")
    if isinstance(mode, str) and mode in _MODES:
        return mode
    known = " and ".join(_MODES)
    if isinstance(mode, str) and mode in _WITHOUT_GRAPH:
        findings.error(
            "plan.unsupported",
            "app.mode",
            f"an app of mode {mode!r} has no graph, so there is nothing to run",
            f"rebuild it as a chatflow or workflow; apps of the modes {known} can be run",
        )
    elif details:
        what = f"the mode {mode!r} is unknown" if isinstance(mode, str) else "the app has no mode"
        findings.error("plan.unsupported", "app.mode", what, f"apps of the modes {known} can be run")
    return mode if isinstance(mode, str) else ""


def _read_workflow(value: object, findings: Findings) -> Mapping[str, object]:
    return _read_block(value, "workflow", "workflow", "graph.missing_workflow", findings)


def _read_graph(workflow: Mapping[str, object], findings: Findings) -> Mapping[str, object]:
    if not workflow:
        return {}
    return _read_block(workflow.get("graph"), "graph", "workflow.graph", "graph.missing", findings)


def _read_block(value: object, name: str, path: str, code: str, findings: Findings) -> Mapping[str, object]:
    """A mapping that no app can do without; empty if it is missing, which is reported."""
    if isinstance(value, dict) and value:
        return value
    if value is None:
        what = f"the file has no {name} block"
    elif isinstance(value, dict):
        what = f"the {name} block is empty"
    else:
        what = f"the {name} block must be a mapping, but is {kind_of_value(value)}"
    findings.error(code, path, what, "export the app again")
    return {}


def _read_dependencies(value: object, findings: Findings) -> tuple[Mapping[str, object], ...]:
    """Plugins that the app was made with; only reported, so whatever is wrong here is a warning."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else []
    known = tuple(item for item in items if isinstance(item, dict))
    if len(known) < len(items) or not isinstance(value, list):
        findings.warn(
            "dependency.invalid",
            "dependencies",
            "dependencies must be a list of mappings; what is not is ignored",
            "export the app again",
        )
    return known


def _icon_type(value: object) -> str:
    return value if isinstance(value, str) and value in _ICON_TYPES else "emoji"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, dict | list) else str(value)
