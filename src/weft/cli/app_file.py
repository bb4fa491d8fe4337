"""Files named on the command line, looked at before anything else happens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from weft.cli.failure import BadCallError, problem_lines
from weft.graph import check_app
from weft.nodes import build_node


def read_app_file(file: str) -> bytes:
    """The content of a file.

    Raises:
        BadCallError: It cannot be read.
    """
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadCallError(
            f"{file}: cannot be read: {error.strerror}; give the path of an exported app"
        ) from error


def accept_app_files(files: Iterable[str]) -> dict[str, Path]:
    """The files by the names that they were called; one that is named twice counts once.

    Raises:
        BadCallError: Some cannot be read or run; the message has a line for each problem of each of them.
    """
    accepted: dict[str, Path] = {}
    lines: list[str] = []
    for file in files:
        path = Path(file)
        if path.resolve() in (other.resolve() for other in accepted.values()):
            continue
        accepted[file] = path
        try:
            report = check_app(read_app_file(file), build_node, source=path.name)
        except BadCallError as error:
            lines.append(str(error))
        else:
            lines += problem_lines(report.problems, file)
    if lines:
        raise BadCallError("\n".join(lines))
    return accepted
