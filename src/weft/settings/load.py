"""Settings from the command line, the environment and `weft.toml`, with the place that each one came from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from weft.errors import ConfigError
from weft.settings.file import Key, SettingsFile, read_file
from weft.settings.model import Settings
from weft.settings.names import (
    SYNONYMS,
    TABLES,
    allowed,
    dotted,
    fields,
    holds_secret,
    is_secret,
    option,
    shown,
    variable,
)

FILE_NAME = "weft.toml"
NOTHING: Mapping[str, object] = MappingProxyType({})
_KNOWN = dict(fields(Settings))
_SECTIONS = {name.rpartition(".")[0] for name in _KNOWN} - {""}
_TOP = list(dict.fromkeys(name.partition(".")[0] for name in _KNOWN))


_SERVICES = ("providers", "datasets", "tools")
"""Tables that hold keys."""
_FOLDERS = ("data", "sandbox.packages", "archive.folder")
"""Settings that name a folder on this machine."""
_PATHS = {"datasets": "folder", "tools": "openapi", "sources": "path"}
"""Keys in tables that name something on this machine."""


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    source: str


def load_settings(cli: Mapping[str, object] = NOTHING, *, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Put the settings together: command line over environment over `weft.toml` over default.

    Args:
        cli: What was given on the command line, by the setting's name (``port``, ``limits.max_steps``);
            `None` means not given. ``config`` names a settings file.
        environ: The environment; a variable that is empty counts as not set. ``WEFT_CONFIG`` names a
            settings file.
        cwd: Folder in which `weft.toml` is looked for and to which relative paths refer; paths in a settings
            file refer to the file's folder.

    Raises:
        ConfigError: A value is not allowed, a name is unknown, or the settings file cannot be read. The
            message has a line for each thing that is wrong.
    """
    problems: list[str] = []
    file = _find_file(cli, environ, cwd)
    given = {} if file is None else _from_file(file, environ, problems)
    given |= _in_folder(_from_environment(environ), cwd)
    given |= _in_folder(_from_command_line(cli, problems), cwd)
    settings = None
    try:
        settings = Settings.model_validate(_nested(given))
    except ValidationError as error:
        problems += _complaints(error, given, file)
    # Raised out here, because as a cause the validator's error would show values, secrets among them.
    if settings is None or problems:
        raise ConfigError("\n".join(problems))
    settings._sources = {name: entry.source for name, entry in given.items()} | _table_sources(settings, file)
    return settings


def _find_file(cli: Mapping[str, object], environ: Mapping[str, str], cwd: Path) -> SettingsFile | None:
    named = cli.get("config") or environ.get("WEFT_CONFIG")
    if named:
        return read_file(cwd / Path(str(named)).expanduser())
    path = cwd / FILE_NAME
    return read_file(path) if path.exists() else None


def _from_command_line(cli: Mapping[str, object], problems: list[str]) -> dict[str, _Given]:
    given = {}
    for name, value in cli.items():
        if name == "config" or value is None:
            continue
        if name not in _KNOWN or name in TABLES:
            problems.append(f"command line: {_unknown(name)}")
        else:
            given[name] = _Given(value, option(name))
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    # The old names come first, so that a new one has the last word.
    names = SYNONYMS | {variable(name): name for name in _KNOWN if name not in TABLES}
    return {name: _Given(environ[key], key) for key, name in names.items() if environ.get(key)}


def _from_file(file: SettingsFile, environ: Mapping[str, str], problems: list[str]) -> dict[str, _Given]:
    given: dict[str, _Given] = {}
    for key, value in _leaves(file.values):
        name, place = ".".join(key), file.place(key)
        if name in _SECTIONS:
            problems.append(f"{place}: {name} is a table; write [{name}] and its settings below")
        elif name not in _KNOWN:
            problems.append(f"{place}: {_unknown(name)}")
        elif name in TABLES:
            if name == "prices":
                problems += _bad_titles(file, value)
            given[name] = _Given(_with_secrets((name,), value, file, environ, problems), place)
        elif is_secret(_KNOWN[name]):
            given[name] = _Given(_secret(key, value, file, environ, problems), place)
        else:
            given[name] = _Given(value, place)
    return _in_folder(given, file.path.parent)


def _leaves(values: Mapping[str, object], prefix: Key = ()) -> Iterator[tuple[Key, object]]:
    for key, value in values.items():
        path = (*prefix, key)
        if isinstance(value, dict) and ".".join(path) in _SECTIONS:
            yield from _leaves(value, path)
        else:
            yield path, value


def _bad_titles(file: SettingsFile, prices: object) -> Iterator[str]:
    for title in prices if isinstance(prices, dict) else ():
        if not re.fullmatch(r"[^/]+/.+", title):
            place, path = file.place(("prices", title)), dotted(("prices", title))
            yield f'{place}: {path} names no model of a provider; write [prices."provider/model"]'


def _with_secrets(
    path: Key, value: object, file: SettingsFile, environ: Mapping[str, str], problems: list[str]
) -> object:
    """The value with every secret inside it, after looking up those that the environment keeps."""
    if isinstance(value, dict):
        return {
            key: _with_secrets((*path, key), inner, file, environ, problems) for key, inner in value.items()
        }
    if path[0] in _SERVICES and len(path) > 2 and holds_secret(path[2:]):
        return _secret(path, value, file, environ, problems)
    return value


def _secret(
    path: Key, value: object, file: SettingsFile, environ: Mapping[str, str], problems: list[str]
) -> str | None:
    name, place = dotted(path), file.place(path)
    if not isinstance(value, str) or not value:
        problems.append(
            f"{name}: the value (from {place}) is not allowed; it has to be a text, or env:VARIABLE"
        )
        return None
    if not value.startswith("env:"):
        return value
    source = value.removeprefix("env:")
    if not environ.get(source):
        problems.append(
            f"{name}: {place} refers to the environment variable {source!r}, which is not set; set it"
        )
        return None
    return environ[source]


def _in_folder(given: dict[str, _Given], folder: Path) -> dict[str, _Given]:
    for name in _FOLDERS:
        path = given.get(name)
        if path is not None and isinstance(path.value, str | Path) and str(path.value):
            given[name] = _Given(folder / Path(path.value).expanduser(), path.source)
    for name, key in _PATHS.items():
        entry = given.get(name)
        if entry is not None and isinstance(entry.value, dict):
            tables = {title: _beside(table, key, folder) for title, table in entry.value.items()}
            given[name] = _Given(tables, entry.source)
    return given


def _beside(table: object, key: str, folder: Path) -> object:
    """A table with the path in it made absolute; what is a text of many lines or JSON is no path."""
    path = table.get(key) if isinstance(table, dict) else None
    if isinstance(table, dict) and isinstance(path, str) and path and not re.match(r"\s*\{|.*\n", path):
        return {**table, key: str(folder / Path(path).expanduser())}
    return table


def _nested(given: Mapping[str, _Given]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, entry in given.items():
        section, _, key = name.rpartition(".")
        table = values.setdefault(section, {}) if section else values
        if isinstance(table, dict):
            table[key] = entry.value
    return values


def _complaints(
    error: ValidationError, given: Mapping[str, _Given], file: SettingsFile | None
) -> Iterator[str]:
    """One sentence for each setting that the validator refused, in the validator's order."""
    refused: dict[Key, None] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        path = tuple(str(part) for part in detail["loc"])
        refused[path if path[0] in TABLES else path[: 2 if path[0] in _SECTIONS else 1]] = None
    for path in refused:
        name = path[0] if path[0] in TABLES else ".".join(path)
        if name not in given:
            continue  # a default that depends on a refused setting
        field, entry = _KNOWN[name], given[name]
        value = "the value" if is_secret(field) or name in TABLES else repr(shown(entry.value))
        source = file.place(path) if name in TABLES and file is not None else entry.source
        yield f"{dotted(path)}: {value} (from {source}) is not allowed; it has to be {allowed(field)}"


def _unknown(name: str) -> str:
    """A sentence on a name that means nothing, with the one that was probably meant."""
    section, _, last = name.rpartition(".")
    by_last_part = {path.rpartition(".")[2]: path for path in reversed(_KNOWN)}
    near = (
        [by_last_part[last]]
        if last in by_last_part
        else difflib.get_close_matches(name, [*_KNOWN, *(() if section else _TOP)], n=1, cutoff=0.75)
        or [by_last_part[key] for key in difflib.get_close_matches(last, by_last_part, n=1, cutoff=0.75)]
    )
    if near:
        return f"unknown setting {name!r}; did you mean {near[0]!r}?"
    known = [path for path in _KNOWN if path.startswith(f"{section}.")] if section in _SECTIONS else []
    return f"unknown setting {name!r}; known here: {', '.join(known or _TOP)}"


def _table_sources(settings: Settings, file: SettingsFile | None) -> dict[str, str]:
    if file is None:
        return {}
    return {
        dotted((name, title, key)): file.place((name, title, key))
        for name in TABLES
        for title, table in getattr(settings, name).items()
        for key in table
    }
