"""A file that is there only once it is whole."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self


class PartFile:
    """Bytes go to a neighbour named ``.part``, which takes the file's name when the context ends well.

    Args:
        path: Where the file shall be; one that is there already is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._part = f"{self._path}.part"
        self._file = open(self._part, "wb")  # noqa: SIM115  # closed when the context ends

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            os.remove(self._part)

    def write(self, piece: bytes) -> int:
        """Add bytes; returns how many."""
        return self._file.write(piece)
