"""What an export format is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from weft.archive.conversation import Conversation
from weft.archive.json_text import decode_object


class Totals(msgspec.Struct, kw_only=True):
    """What an export holds; for an export that was continued, from its very beginning."""

    conversations: int = 0
    """Conversations that were read; equal to the count of the query unless some are damaged."""
    messages: int = 0
    """Messages in them."""
    rows: int = 0
    """Rows, lines or objects that the format made of them."""
    skipped: int = 0
    """Conversations of which the format makes nothing, e.g. without an answer to learn from."""
    damaged: list[str] = msgspec.field(default_factory=list)
    """Files that could not be read, relative to the archive's root; they are not in the export."""
    complete: bool = False
    """Everything that matches is in the export."""


class Stored:
    """A conversation on its way out: its bytes, parsed only when a format asks for it."""

    __slots__ = ("_parsed", "data", "folder", "path")

    def __init__(self, data: bytes, path: str, folder: str = "") -> None:
        self.data = data
        self.path = path
        self.folder = folder
        """Where its attached files lie beside the export, as a link begins; empty when they do not."""
        self._parsed: Conversation | None = None

    @property
    def conversation(self) -> Conversation:
        """The conversation itself."""
        if self._parsed is None:
            self._parsed = Conversation(decode_object(self.data, self.path))
        return self._parsed


class Format(ABC):
    """Turns conversations into bytes, one after the other; an instance serves one export.

    What the three methods return, put together in order, is the file.
    """

    name: str
    suffix: str
    """Of files, with the dot."""
    media_type: str
    shows_files = False
    """Whether it links to attached files, which then are put beside it."""
    appendable = True
    """Whether a continued export can be appended to what was written before."""

    def begin(self) -> bytes:
        """What stands before the first conversation; not called when an export is continued."""
        return b""

    @abstractmethod
    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """The bytes of one conversation, and how many rows they are.

        Args:
            is_first: No row was written before this one.
        """

    def end(self, totals: Totals) -> bytes:
        """What stands after the last conversation, the totals among it where the format has room."""
        return b""
