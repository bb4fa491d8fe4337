"""Inputs as the command line writes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from weft.cli.failure import BadCallError


def parse_inputs(
    given: Iterable[str], known: Iterable[str], lists: Collection[str] = ()
) -> dict[str, object]:
    """Values by name.

    Args:
        given: ``name=text`` or ``name:=JSON``.
        known: The inputs that the app has.
        lists: Those that may be given more than once; texts for them come as a list.

    Raises:
        BadCallError: One is neither, is given twice, or the app has no such input.
    """
    names = tuple(known)
    inputs: dict[str, object] = {}
    for item in given:
        name, value = _parse(item)
        if name not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise BadCallError(f"--input {name}: the app has no input of that name; {has}")
        if name in lists and isinstance(value, str):
            former = inputs.setdefault(name, [])
            if isinstance(former, list):
                former.append(value)
            continue
        if name in inputs:
            raise BadCallError(f"--input {name} is given twice; give it once")
        inputs[name] = value
    return inputs


def _parse(item: str) -> tuple[str, object]:
    head, equals, value = item.partition("=")
    name = head.removesuffix(":")
    if not equals or not name:
        raise BadCallError(f"--input {item}: write name=text, or name:=JSON for a value that is no text")
    if not head.endswith(":"):
        return name, value
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadCallError(f"--input {name}: what stands after := is not valid JSON: {error}") from error
