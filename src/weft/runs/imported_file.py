"""A file that somebody wants to have as an app: what it holds, and whether it can be taken.

Nothing is looked at but what an app cannot be kept without. A flow that cannot run is taken all the same, as
it can still be edited; its problems are told as warnings.

Source: Dify app DSL, validation of imports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from weft.errors import GraphError, InvalidRequestError, Problem
from weft.graph import load_app, parse_yaml
from weft.runs.draft_content import DraftContent, with_ids
from weft.runs.dsl_text import DSL_VERSION, WITHOUT_GRAPH
from weft.store import AppMode

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size of a file. Source: Dify console API, imports."""
_NEWEST: Final = (0, 6, 0)
"""The newest version whose every shape is known here."""
_CURRENT = tuple(map(int, DSL_VERSION.split(".")))
_SEMVER = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})([-+].*)?", re.ASCII)
_MODES = (*WITHOUT_GRAPH, "advanced-chat", "workflow")

Verdict = Literal["completed", "completed-with-warnings", "pending"]


class ImportRefusedError(InvalidRequestError):
    """A file cannot become an app; `version` is the one that it claims, as far as that was read."""

    def __init__(self, message: str, *, version: str = "") -> None:
        self.version = version
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """What a file holds."""

    text: str
    version: str
    verdict: Verdict
    mode: AppMode
    details: Mapping[str, object]
    """Name, description and icon as written."""
    content: DraftContent
    warnings: tuple[str, ...] = ()

    def detail(self, name: str) -> str:
        """A text of `details`; empty when there is none."""
        value = self.details.get(name)
        return value if isinstance(value, str) else ""


def read_import(text: str) -> ImportedFile:
    """Read a file that shall become an app.

    Raises:
        ImportRefusedError: It cannot.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise ImportRefusedError("File size exceeds the limit of 10MB")
    try:
        document, _ = parse_yaml(text, source="the content")
    except GraphError as error:
        raise ImportRefusedError(f"Invalid YAML format: {error}") from error
    if not isinstance(document, dict):
        raise ImportRefusedError("Invalid YAML format: content must be a mapping")
    version = _version(document.get("version"))
    try:
        return _read(text, document, version)
    except ImportRefusedError as error:
        error.version = version
        raise


def _read(text: str, document: Mapping[str, object], version: str) -> ImportedFile:
    details = document.get("app")
    if not isinstance(details, dict) or not details:
        raise ImportRefusedError("Missing app data in YAML content")
    mode = details.get("mode")
    if not isinstance(mode, str) or not mode:
        raise ImportRefusedError("loss app mode")
    if mode not in _MODES:
        raise ImportRefusedError(f"{mode[:40]!r} is not a valid AppMode")
    content, warnings = (
        (_model_configuration(document), ()) if mode in WITHOUT_GRAPH else _flow(text, document, mode)
    )
    return ImportedFile(
        text=text,
        version=version,
        verdict=_verdict(version),
        mode=cast(AppMode, mode),
        details=details,
        content=content,
        warnings=warnings,
    )


def _version(value: object) -> str:
    if value is None:
        return "0.1.0"
    if not isinstance(value, str):
        raise ImportRefusedError(
            f"Invalid version type, expected str, got {type(value).__name__}; write it in quotes"
        )
    if _SEMVER.fullmatch(value.strip()) is None:
        raise ImportRefusedError(f"Invalid version {value[:40]!r}, expected a form such as {DSL_VERSION}")
    return value.strip()


def _verdict(version: str) -> Verdict:
    match = _SEMVER.fullmatch(version)
    numbers = tuple(int(part) for part in match.groups()[:3]) if match else _CURRENT
    if numbers > _NEWEST or numbers[0] < _CURRENT[0]:
        return "pending"
    return "completed-with-warnings" if numbers[:2] < _CURRENT[:2] else "completed"


def _model_configuration(document: Mapping[str, object]) -> DraftContent:
    found = document.get("model_config")
    if not isinstance(found, dict):
        raise ImportRefusedError("Missing model_config for chat/agent-chat/completion app")
    return DraftContent(graph={}, features=found)


def _flow(text: str, document: Mapping[str, object], mode: str) -> tuple[DraftContent, tuple[str, ...]]:
    workflow = document.get("workflow")
    if not isinstance(workflow, dict):
        raise ImportRefusedError("Missing workflow data for workflow/advanced chat app")
    graph = workflow.get("graph")
    if not isinstance(graph, dict):
        raise ImportRefusedError("Missing graph in the workflow data")
    features = workflow.get("features") or {}
    if not isinstance(features, dict):
        raise ImportRefusedError("The features of the workflow must be a mapping")
    problems, warnings = _problems(text)
    refused = [problem for problem in problems if problem.code.startswith("runtime_variables.")]
    if refused:
        raise ImportRefusedError("; ".join(map(str, refused)))
    content = DraftContent(
        graph=graph,
        features=features,
        environment_variables=with_ids(_mappings(workflow.get("environment_variables"))),
        conversation_variables=with_ids(_mappings(workflow.get("conversation_variables"))),
    )
    return content, tuple(str(problem) for problem in (*problems, *warnings))


def _problems(text: str) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    try:
        return (), load_app(text).warnings
    except GraphError as error:
        return error.problems, ()


def _mappings(value: Any) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
