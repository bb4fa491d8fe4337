"""Collecting what is wrong with a file instead of stopping at the first of it."""

from __future__ import annotations

from typing import Final

from weft.errors import Problem

MAX_FINDINGS: Final = 1000
"""Errors, and as many warnings; nobody reads more, and a hostile file could have a million."""
_MAX_MESSAGE = 1000
_MAX_PATH = 300


class Findings:
    """Everything found so far, in the order of finding."""

    __slots__ = ("errors", "warnings")

    def __init__(self) -> None:
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(
        self,
        code: str,
        path: str,
        message: str,
        fix: str = "",
        *,
        node_id: str | None = None,
        node_title: str | None = None,
    ) -> None:
        """Note something that stops the app from running."""
        _note(self.errors, "error", code, path, message, fix, node_id, node_title)

    def warn(
        self,
        code: str,
        path: str,
        message: str,
        fix: str = "",
        *,
        node_id: str | None = None,
        node_title: str | None = None,
    ) -> None:
        """Note something that looks wrong but does not stop the app."""
        _note(self.warnings, "warning", code, path, message, fix, node_id, node_title)


def _note(
    found: list[Problem],
    severity: str,
    code: str,
    path: str,
    message: str,
    fix: str,
    node_id: str | None,
    node_title: str | None,
) -> None:
    if len(found) > MAX_FINDINGS:
        return
    if len(found) == MAX_FINDINGS:
        code, path, fix = "graph.more_problems", "", "correct those above and check again"
        message = f"there is more than the {MAX_FINDINGS} {severity}s above"
        node_id = node_title = None
    found.append(
        Problem(
            code=code,
            message=_clip(message, _MAX_MESSAGE),
            path=_clip(path, _MAX_PATH),
            node_id=node_id,
            node_title=node_title,
            fix=fix,
            severity=severity,
        )
    )


def kind_of_value(value: object) -> str:
    """What a value of a YAML file is, in words for messages."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
