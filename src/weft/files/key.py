"""What a file is called in a store: something made of its id, so that no name can lead anywhere else."""

from __future__ import annotations

import re

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def file_key(file_id: str) -> str:
    """The key of a file, e.g. ``a7/0197…a7``; the first part keeps folders small.

    Raises:
        ValueError: The id is no lower-case, hyphenated UUID.
    """
    if _ID.fullmatch(file_id) is None:
        raise ValueError(f"{file_id!r} is not the id of a file")
    return f"{file_id[-2:]}/{file_id}"
