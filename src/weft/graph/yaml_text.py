"""YAML as exports have it, and nothing that a stranger could hide in it."""

from __future__ import annotations

import codecs
from typing import Final

import yaml

from weft.errors import GraphError, Problem
from weft.graph.yaml_builder import Refused, ValueBuilder

MAX_BYTES: Final = 10_000_000
"""Size of a file; Dify's own limit for imports."""


def parse_yaml(text: str | bytes, *, source: str = "") -> tuple[object, list[Problem]]:
    """The value that a YAML document holds, and warnings about how it is written.

    Args:
        text: The document; bytes are UTF-8, or UTF-16 with a byte order mark.
        source: What to call it in messages, such as a file name.

    Returns:
        Plain data: ``None``, ``bool``, ``int``, ``float``, ``str``, lists, and mappings whose keys are texts.
        An empty document is ``None``. Aliases give the same object again.

    Raises:
        GraphError: It cannot be read; one problem with the place where reading ended.
    """
    name = source or "the file"
    decoded = _decode(text, name)
    builder = ValueBuilder(decoded)
    try:
        value = builder.build()
    except Refused as refused:
        raise _failure(
            refused.code, f"{name} {refused.what}", refused.fix, _place(refused.line, refused.column)
        ) from refused
    except yaml.YAMLError as error:
        raise _syntax_failure(name, decoded, error) from error
    except (ValueError, OverflowError) as error:  # escapes that are no character; only the parser in Python
        raise _failure(
            "parse.invalid_yaml", f"{name} is not valid YAML: {error}", "correct the escape sequence"
        ) from error
    return value, builder.findings.warnings


def _decode(text: str | bytes, name: str) -> str:
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    if isinstance(text, str):
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise _failure(
                "parse.invalid_yaml",
                f"{name} is not valid text: character {error.start} is half of a surrogate pair",
                "read the file as UTF-8",
            ) from error
        if size > MAX_BYTES:
            raise _too_large(name)
        return text.removeprefix("\ufeff")
    is_utf16 = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return text.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _failure(
            "parse.invalid_yaml",
            f"{name} is not valid UTF-8 (byte {error.start})",
            "save it as UTF-8",
        ) from error


def _syntax_failure(name: str, text: str, error: yaml.YAMLError) -> GraphError:
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    fix = "correct the file there; exporting the app again gives a valid one"
    if mark is not None:
        line = "".join(text.split("\n")[mark.line : mark.line + 1])
        if "\t" in line[: len(line) - len(line.lstrip())]:
            fix = "use spaces instead of tabs for indentation"
    return _failure(
        "parse.invalid_yaml",
        f"{name} is not valid YAML: {f'{context}, ' if context else ''}{what}",
        fix,
        "" if mark is None else _place(mark.line, mark.column),
    )


def _too_large(name: str) -> GraphError:
    return _failure(
        "parse.too_large", f"{name} is larger than {MAX_BYTES // 1_000_000} MB", "split the app into several"
    )


def _place(line: int, column: int) -> str:
    return f"line {line + 1}, column {column + 1}"


def _failure(code: str, message: str, fix: str, path: str = "") -> GraphError:
    return GraphError([Problem(code=code, message=message, path=path, fix=fix)])
