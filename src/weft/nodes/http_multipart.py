"""Forms with files, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PLACEHOLDER = "__multipart_placeholder__"
"""Name of the empty part that stands in where a form has no files.

Source: Dify workflow engine, HTTP request node.
"""
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form."""

    name: str
    content: bytes
    filename: str | None = None
    """``None`` for a text."""
    mime_type: str = "application/octet-stream"

    @property
    def shown(self) -> str:
        """The content for the record."""
        if self.filename is None:
            return self.content.decode(errors="replace")
        return f"<file {self.filename!r}, type {self.mime_type}, {len(self.content)} bytes>"

    def head(self) -> str:
        """The lines before the content."""
        line = f'Content-Disposition: form-data; name="{self.name.translate(_ESCAPES)}"'
        if self.filename is None:
            return f"{line}\r\n\r\n"
        filename = self.filename.translate(_ESCAPES)
        mime_type = "".join(self.mime_type.split()) or "application/octet-stream"
        return f'{line}; filename="{filename}"\r\nContent-Type: {mime_type}\r\n\r\n'


def encode_parts(parts: Sequence[Part], boundary: str) -> bytes:
    """The body of a ``multipart/form-data`` request.

    Source: RFC 7578; names escaped as the HTML standard says.
    """
    pieces: list[bytes] = []
    for part in [*parts, *_stand_in(parts)]:
        head = f"--{boundary}\r\n{part.head()}"
        pieces += [head.encode(errors="replace"), part.content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces)


def show_parts(parts: Sequence[Part], boundary: str) -> str:
    """The same for the record, with files named instead of shown."""
    shown = "".join(f"--{boundary}\r\n{part.head()}{part.shown}\r\n" for part in parts)
    return f"{shown}--{boundary}--\r\n"


def _stand_in(parts: Sequence[Part]) -> list[Part]:
    return [] if any(part.filename is not None for part in parts) else [Part(PLACEHOLDER, b"", "")]
