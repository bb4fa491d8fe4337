"""New links to the files of a run that has waited: those that it began with are good for minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from weft.nodes import FileUser, KeptFiles, is_kept
from weft.variables import File, thaw_all


async def sign_again(saved: Mapping[str, Any], kept: KeptFiles, run: FileUser) -> None:
    """Give every file in the saved state of a run a link that is good from now on, in place.

    Args:
        saved: What `Engine.save` gave.
        kept: Where the files are.
        run: The run, which may have them.
    """
    records = list(_records(saved))
    if not records:
        return
    files = [msgspec.convert(thaw_all(record), File) for record in records]
    links = {file.related_id: file.url for file in await kept.renew(files, run) if is_kept(file)}
    for record, file in zip(records, files, strict=True):
        if is_kept(file) and file.related_id in links:
            record["url"] = links[file.related_id]


def _records(value: object) -> Iterator[dict[str, Any]]:
    """The files in frozen values, however deep."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case {"$file": dict(record)}:
                yield record
            case dict(inner):
                waiting.extend(inner.values())
            case list(inner):
                waiting.extend(inner)
