"""JSON that people wrote around variables, and that therefore is not always JSON."""

from __future__ import annotations

import asyncio
import json

import json_repair

from weft.nodes.http_error import RequestBodyError

_MAX_REPAIRED_CHARS = 50_000
"""Mending takes up to 0.2 ms a character; what is longer has to be right."""


async def normalise_json(text: str) -> str:
    """The JSON that was meant, written compactly.

    Numbers stay numbers. What is no value at all, such as a bare UUID, becomes a text.

    Raises:
        RequestBodyError: Nobody can tell what was meant, or JSON cannot hold it.
    """
    try:
        value = _parse(text)
    except (ValueError, RecursionError):
        value = await _mend(text)
    try:
        compact = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        compact.encode()
    except (ValueError, RecursionError) as error:
        raise RequestBodyError(f"the body holds something that JSON cannot hold: {error}") from error
    return compact


async def _mend(text: str) -> object:
    if len(text) > _MAX_REPAIRED_CHARS:
        raise RequestBodyError(
            f"the body is no JSON, and with {len(text)} characters too long to be mended; correct it"
        )
    try:
        # In a thread, because everything else would wait for it.
        return _parse(await asyncio.to_thread(_repair, text))
    except (ValueError, RecursionError) as error:
        raise RequestBodyError(
            f"the body is no JSON: {error}; texts need quotes around them, also where a variable stands"
        ) from error


def _repair(text: str) -> str:
    return json_repair.repair_json(text, ensure_ascii=False, skip_json_loads=True)


def _parse(text: str) -> object:
    # Values with raw line breaks in them are common, because variables bring them.
    return json.loads(text, strict=False, parse_constant=_refuse)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")
