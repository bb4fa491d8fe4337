"""Ids as names of files and folders: reversible, on every file system, and never out of the tree.

Lower-case letters, digits, ``-`` and ``_`` stay; every other byte of the UTF-8 form becomes ``%xx``.
Capitals are encoded as well, so two ids that differ in case differ on a file system that folds case;
dots and slashes are encoded, so no id is a path.
"""

from __future__ import annotations

import re

from weft.errors import InvalidRequestError

MAX_NAME_BYTES = 180
"""What an encoded id may take; 255 is what file systems allow, and prefix, time and suffix need the rest."""

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_PLAIN = re.compile(r"[a-z0-9_-]+")
# Year folders stand beside organisation folders; the others are devices on Windows.
_TAKEN = re.compile(r"[0-9]{4}|con|prn|aux|nul|com[0-9]|lpt[0-9]")
_ESCAPE = re.compile(r"%([0-9a-f]{2})")


def encode_name(id: str, field: str) -> str:
    """The name that stands for this id on disk.

    Raises:
        InvalidRequestError: The id is empty, too long, or not text that UTF-8 can hold.
    """
    if _PLAIN.fullmatch(id) and len(id) <= MAX_NAME_BYTES and not _TAKEN.fullmatch(id):
        return id
    try:
        raw = id.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refused(field, "holds half a surrogate pair") from error
    name = "".join(chr(byte) if byte in _SAFE else f"%{byte:02x}" for byte in raw)
    if _TAKEN.fullmatch(name):
        name = f"%{raw[0]:02x}{name[1:]}"
    if not name:
        raise _refused(field, "is empty")
    if len(name) > MAX_NAME_BYTES:
        raise _refused(field, f"takes {len(name)} bytes as a file name, more than {MAX_NAME_BYTES}")
    return name


def decode_name(name: str) -> str | None:
    """The id that `encode_name` turned into this name; none when it made no such name."""
    try:
        raw = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name).encode("latin-1")
        id = raw.decode("utf-8")
        return id if encode_name(id, "name") == name else None
    except (UnicodeError, InvalidRequestError):
        return None


def _refused(field: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field} {why}; no file can be named after it", {field: why})
