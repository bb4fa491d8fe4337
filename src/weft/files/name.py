"""Names of files as people see them, and what they say about a file."""

from __future__ import annotations

import re
from typing import Literal

Category = Literal["image", "video", "audio", "document"]
"""What decides how large an upload may be; everything that is none of the first three is a document."""

_EXTENSIONS: dict[str, Category] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "webp", "gif", "svg"), "image"),
    **dict.fromkeys(("mp4", "mov", "mpeg", "webm"), "video"),
    **dict.fromkeys(("mp3", "m4a", "wav", "amr", "mpga"), "audio"),
}
_MAX_CHARS = 200
# Control characters, and those that make a name read in another direction than it is written in.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def extension_of(name: str) -> str:
    """What follows the last dot, lower case, without the dot; empty when there is no dot."""
    _, dot, extension = name.rpartition(".")
    return extension.lower() if dot else ""


def category_of(name: str) -> Category:
    """The category that a name's extension stands for.

    Source: Dify service API, limits of uploads.
    """
    return _EXTENSIONS.get(extension_of(name), "document")


def clean_name(name: str) -> str:
    """A name that can be shown: one line, no control characters, at most 200 characters and the extension.

    Source: Dify service API, names of uploads: of a longer one the first piece is kept, and its extension.
    """
    name = _INVISIBLE.sub("", name).strip()
    if len(name) <= _MAX_CHARS:
        return name
    extension = extension_of(name)[:_MAX_CHARS]
    first = name.split(".", 1)[0][:_MAX_CHARS]
    return f"{first}.{extension}" if extension else first
