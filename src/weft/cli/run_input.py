"""Inputs and files as the command line writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from weft.cli.failure import BadCallError
from weft.variables import remote_file


def parse_inputs(given: Iterable[str], known: Iterable[str]) -> dict[str, object]:
    """Values by name.

    Args:
        given: ``name=text`` or ``name:=JSON``.
        known: The inputs that the app has.

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
        if name in inputs:
            raise BadCallError(f"--input {name} is given twice; give it once")
        inputs[name] = value
    return inputs


def parse_attachments(given: Iterable[str]) -> list[dict[str, object]]:
    """Files of a message as the API writes them.

    Raises:
        BadCallError: One is not an address that a model service could fetch.
    """
    files: list[dict[str, object]] = []
    for item in given:
        if not item.startswith(("http://", "https://")):
            what = "a local file" if Path(item).exists() else "no address"
            raise BadCallError(
                f"--file {item}: this is {what}; only files at an http or https address are supported yet: "
                "put it where the model service can fetch it and give that address"
            )
        files.append({"type": remote_file(item).type, "transfer_method": "remote_url", "url": item})
    return files


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
