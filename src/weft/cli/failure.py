"""From an error to what the person at the terminal is told, and to an exit code."""

from __future__ import annotations

from collections.abc import Iterable

from weft.errors import ConfigError, GraphError, Problem, RequestError, WeftError

FAILED = 1
"""The work was begun and did not succeed."""
REFUSED = 2
"""The call, a file or a setting is wrong; nothing was begun."""
WAITING = 3
"""A run waits for a person."""
INTERRUPTED = 130


class BadCallError(ConfigError):
    """The command line asks for something that cannot be."""


def sentences(error: Exception) -> list[str]:
    """One line for each thing that is wrong."""
    match error:
        case GraphError():
            return problem_lines(error.problems)
        case WeftError():
            return [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        case OSError():
            where = f"{error.filename}: " if error.filename is not None else ""
            return [f"{where}{error.strerror or error}"]
        case _:
            told = " ".join(str(error).split())
            return [
                f"unexpected {type(error).__name__}: {told}; this is a fault of Weft; WEFT_DEBUG=1 tells more"
            ]


def problem_lines(problems: Iterable[Problem], file: str = "") -> list[str]:
    """A line for each problem: file, place, what is wrong, what to do."""
    prefix = f"{file}: " if file else ""
    return [" ".join(f"{prefix}{problem}".split()) for problem in problems]


def exit_code(error: Exception) -> int:
    """How a command that ended with this error exits."""
    return REFUSED if isinstance(error, ConfigError | GraphError | RequestError) else FAILED
