"""Documents that are plain text with a structure: JSON, YAML, CSV, properties, subtitles."""

from __future__ import annotations

import csv
import html
import json
import re
from itertools import groupby

import yaml

from weft.nodes.document_encoding import decode_text
from weft.nodes.document_error import TextExtractionError
from weft.nodes.document_table import markdown_table

_MAX_CELL_CHARS = 10 * 1024 * 1024
_ALIAS = re.compile(r"(?:^|[\s\[,{:-])\*[^\s*,\]}]+", re.MULTILINE)
_ALIASES = 100
"""References in a YAML file; each repeats a part, and parts that repeat parts grow without bound."""
_MAX_PAIRS = 10_000
"""Keys of one YAML mapping after others were merged into it, which can double it with every line."""
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_SEPARATOR = re.compile(r"(?<!\\)\s*[=:]\s*|(?<!\\)\s+")


def json_text(data: bytes) -> str:
    """JSON, indented anew.

    Raises:
        TextExtractionError: It is none.
    """
    try:
        return json.dumps(json.loads(decode_text(data)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise TextExtractionError(f"this is no JSON that can be read: {error}") from error


def yaml_text(data: bytes) -> str:
    """YAML, all documents of the file, written anew.

    Raises:
        TextExtractionError: It is none, or repeats too much of itself.
    """
    text = decode_text(data)
    if len(_ALIAS.findall(text)) > _ALIASES:
        raise TextExtractionError(f"this YAML refers to its own parts more than {_ALIASES} times")
    try:
        documents = list(yaml.load_all(text, _Loader))  # derived from the safe one
        return yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TextExtractionError(f"this is no YAML that can be read: {error}") from error


class _Loader(yaml.SafeLoader):
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MAX_PAIRS:
            raise yaml.YAMLError(f"a mapping has more than {_MAX_PAIRS} keys")


def csv_text(data: bytes) -> str:
    """Comma-separated values as a Markdown table.

    Raises:
        TextExtractionError: A cell is too long, or the quotes are not closed.
    """
    # A limit of the whole process; it only ever goes up.
    if csv.field_size_limit() < _MAX_CELL_CHARS:
        csv.field_size_limit(_MAX_CELL_CHARS)
    lines = decode_text(data).replace("\0", "").splitlines(keepends=True)
    try:
        return markdown_table([row for row in csv.reader(lines) if any(row)])
    except csv.Error as error:
        raise TextExtractionError(f"this CSV cannot be read: {error}") from error


def properties_text(data: bytes) -> str:
    """Java properties as lines ``key: value``; comments and empty lines stay."""
    return "\n".join(_property(line.strip()) for line in decode_text(data).splitlines())


def _property(line: str) -> str:
    if not line or line[0] in "#!":
        return line
    key, *value = _SEPARATOR.split(line, maxsplit=1)
    return f"{key}: {''.join(value)}"


def vtt_text(data: bytes) -> str:
    """Subtitles: a line for each time that somebody speaks, with the name where it is known."""
    said = []
    for block in re.split(r"\n[ \t]*\n", "\n".join(decode_text(data).splitlines())):
        lines = block.strip().split("\n")
        times = next((index for index, line in enumerate(lines) if "-->" in line), None)
        if times is None:  # a header, a note or a style
            continue
        text = "\n".join(lines[times + 1 :])
        voice = _VOICE.search(text)
        spoken = " ".join(html.unescape(_TAG.sub("", text)).split())
        if spoken:
            said.append((html.unescape(voice[1]).strip() if voice else "", spoken))
    turns = ((name, " ".join(text for _, text in turn)) for name, turn in groupby(said, lambda cue: cue[0]))
    return "\n".join(f'{name} "{text}"' if name else text for name, text in turns)
