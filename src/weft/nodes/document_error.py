"""Why no text was got out of a document."""

from __future__ import annotations

from weft.errors import NodeFailedError


class FileDownloadError(NodeFailedError):
    """The bytes of the file could not be had."""


class UnsupportedFileTypeError(NodeFailedError):
    """Nothing here reads files of that kind."""


class TextExtractionError(NodeFailedError):
    """The file is not what its name says, is damaged, protected, or too large inside."""
