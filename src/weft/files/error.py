"""What can go wrong with the bytes of files.

::

    StoreError
      FileStoreError        the store of files could not be read or written
        FileMissingError    there are no bytes under that id
        FileTooLargeError   there is more to keep than was allowed; nothing is kept
"""

from __future__ import annotations

from weft.errors import StoreError


class FileStoreError(StoreError):
    """The store of files could not be read or written."""


class FileMissingError(FileStoreError):
    """No bytes are kept under that id."""

    def __init__(self, file_id: str) -> None:
        self.file_id = file_id
        super().__init__(f"the bytes of file {file_id} are not in the store of files")


class FileTooLargeError(FileStoreError):
    """There is more than may be kept, so nothing is."""

    def __init__(self, file_id: str, max_bytes: int) -> None:
        self.file_id = file_id
        self.max_bytes = max_bytes
        super().__init__(f"file {file_id} has more than {max_bytes} bytes")
