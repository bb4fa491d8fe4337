"""Files of test cases for chatflows: what is asked, what the outside answers, what must come out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from weft.errors import ConfigError
from weft.testing.expectation import Expectation, bad_tests
from weft.testing.mock import Mock


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question of a conversation, or the run of a workflow."""

    query: str | None = None
    inputs: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    expect: Expectation = Expectation()


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case: either a single turn, written directly, or `turns`, or a recording to replay."""

    name: str
    query: str | None = None
    inputs: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    expect: Expectation = Expectation()
    turns: list[Turn] = []
    mocks: dict[str, Mock | list[Mock]] = {}
    """By node id, title, or ``type:<type>``; they count before those of the file."""
    user: str = "tester"
    replay: str | None = None
    """Path of a recording, from the folder of the file; the app must do the same again."""

    def __post_init__(self) -> None:
        single = self.query is not None or self.inputs or self.files or self.expect != Expectation()
        if self.turns and single:
            raise ValueError(f"case {self.name!r} has turns, so query, inputs, files and expect belong there")
        if self.replay is not None and (self.turns or single or self.mocks):
            raise ValueError(f"case {self.name!r} replays a recording, which says everything itself")

    @property
    def all_turns(self) -> list[Turn]:
        """The turns; a single one as a list."""
        if self.turns:
            return self.turns
        return [Turn(query=self.query, inputs=self.inputs, files=self.files, expect=self.expect)]


class CaseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of cases."""

    cases: list[Case]
    app: str | None = None
    """Path of the app, from the folder of the file."""
    mocks: dict[str, Mock | list[Mock]] = {}
    """Mocks of all cases."""


def read_cases(path: Path) -> CaseFile:
    """Read a file of cases.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong; the message says where.
    """
    try:
        content = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; give the path of a file of cases"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    try:
        file = msgspec.convert(content, CaseFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
    problems = list(_problems(file))
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return file


def _problems(file: CaseFile) -> Iterator[str]:
    if not file.cases:
        yield "there are no cases in it"
    seen: set[str] = set()
    for case in file.cases:
        if case.name in seen:
            yield f"two cases are named {case.name!r}"
        seen.add(case.name)
        for turn in case.all_turns:
            for problem in bad_tests(msgspec.to_builtins(turn.expect)):
                yield f"case {case.name!r}: {problem}"
