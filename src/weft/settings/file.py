"""`weft.toml`: its values, and the line of each, which the standard library's reader does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.errors import ConfigError

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A settings file that has been read."""

    path: Path
    values: Mapping[str, object]
    lines: Mapping[Key, int]
    """Key path to line number, counted from 1, for everything that is written in the file."""

    def place(self, key: Key) -> str:
        """Name of the file and line of a key, or of the innermost table around it that has one."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path.name}:{self.lines[key]}" if key else self.path.name


def read_file(path: Path) -> SettingsFile:
    """Read a settings file.

    Raises:
        ConfigError: It cannot be read, or is not valid TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"settings file {path} is not valid TOML: {error}") from error
    return SettingsFile(path, values, find_lines(text))


def find_lines(text: str) -> dict[Key, int]:
    """The line of every table and key in a TOML document that is known to be valid."""
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, statement in _statements(text):
        content = tomllib.loads(statement)
        header = statement.lstrip().startswith("[")
        keys = [key for key in _paths(content) if key]
        if header:
            table = max(keys, key=len)
            keys = [table]
        for key in keys:
            lines.setdefault(key if header else table + key, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut a valid document into statements: each is the shortest piece that is a document by itself."""
    piece, start = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not piece:
            start = number
        piece += line
        try:
            content = tomllib.loads(piece)
        except tomllib.TOMLDecodeError:
            continue
        if content:
            yield start, piece
        piece = ""


def _paths(value: object, prefix: Key = ()) -> Iterator[Key]:
    yield prefix
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*prefix, key))
