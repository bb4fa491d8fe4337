"""JSON in what a model says: bare, fenced, in the middle of prose, and not always well-formed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

import json_repair

from weft.nodes.reasoning import split_reasoning
from weft.variables import Value

_FENCE = re.compile(r"```[ \t]*(?:json|JSON)?[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)
_BEGIN = re.compile(r"[{\[]")
_JSONLIKE = re.compile(r"""["'\w]\s*[:,]""")
_MAX_BEGINNINGS = 100
"""Brackets at which JSON is looked for."""
_MAX_REPAIRED_CHARS = 20_000
"""Mending takes some 10 µs a character while everything else waits; what is longer is not tried."""


def find_json_object(text: str) -> dict[str, Value] | None:
    """The first JSON object in a reply, or the only one in a list; otherwise as `find_json`."""
    for value in _candidates(text):
        inner = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(inner, dict):
            return inner
    return None


def find_json(text: str) -> dict[str, Value] | list[Value] | None:
    """The first JSON object or list in a reply, its thoughts left aside; broken JSON is mended at last."""
    return next(_candidates(text), None)


def _candidates(text: str) -> Iterator[dict[str, Value] | list[Value]]:
    answer = split_reasoning(text)[0]
    sources = [*(match.group(1) for match in _FENCE.finditer(answer)), answer]
    for source in sources:
        yield from _decoded(source)
    for source in sources:
        begin = _BEGIN.search(source)
        # What has neither a colon nor a comma is a word in brackets rather than broken JSON.
        if begin is not None and len(source) <= _MAX_REPAIRED_CHARS and _JSONLIKE.search(source, begin.end()):
            yield from _mended(source[begin.start() :])


def _decoded(text: str) -> Iterator[dict[str, Value] | list[Value]]:
    """Every well-formed value in a text, outermost ones only."""
    place = 0
    for _ in range(_MAX_BEGINNINGS):
        begin = _BEGIN.search(text, place)
        if begin is None:
            return
        try:
            value, place = _DECODER.raw_decode(text, begin.start())
            yield clean(value)  # type: ignore[misc]  # it begins with a bracket, so it is an object or a list
        except (ValueError, RecursionError):
            place = begin.end()


def _mended(text: str) -> Iterator[dict[str, Value] | list[Value]]:
    try:
        value = clean(json_repair.loads(text, skip_json_loads=True))
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict | list) and value:
        yield value


def clean(value: object) -> Value:
    """The value without what JSON cannot hold: halves of surrogate pairs, NaN and infinities."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(clean(str(key))): clean(item) for key, item in value.items()}
        case list():
            return [clean(item) for item in value]
        case None | bool() | int():
            return value
        case _:
            return str(value)


# Models write raw line breaks into texts, which strict JSON forbids.
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda name: None)
