"""Attached files in transcripts: what they are called beside the export, and how they are linked to."""

from __future__ import annotations

import re
from urllib.parse import quote

from weft.archive.attachment import Attachment

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}$")


def file_name(one: Attachment) -> str:
    """The name beside the export: the SHA-256 and the extension, so that no name from outside is a path."""
    found = _EXTENSION.search(one.name)
    return "" if one.ref is None else one.ref.sha256 + (found[0].lower() if found else "")


def link_to(one: Attachment, folder: str) -> str:
    """The address of a file beside the export, or nothing when it is not there."""
    return f"{folder}/{quote(file_name(one))}" if folder and one.ref is not None else ""


def side_of(one: Attachment) -> str:
    """Whose it is: ``user`` or ``assistant``."""
    return "assistant" if one.record.get("belongs_to") == "assistant" else "user"


def why(one: Attachment) -> str:
    """Why there is no file to link to, in brackets; nothing when there is one, elsewhere."""
    reason = (one.note or {}).get("reason")
    return f" ({reason})" if isinstance(reason, str) else ""
