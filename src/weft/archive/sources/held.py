"""What a list told of conversations that are about to be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

Row = TypeVar("Row")

MOST_ROWS = 5_000
"""A pull lists some 17 pages of an app before it has to have loaded what the first of them named."""


class HeldRows(Generic[Row]):
    """The rows that were given out last; older ones have to be looked for again.

    Args:
        most: Rows that are held.
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        self._rows: dict[tuple[str, str], Row] = {}

    def put(self, app_id: str, rows: Iterable[tuple[str, Row]]) -> None:
        """Hold rows of an app, by the ids of what they tell of."""
        for id, row in rows:
            self._rows.pop((app_id, id), None)
            self._rows[app_id, id] = row
        for key in list(islice(self._rows, max(len(self._rows) - self._most, 0))):
            del self._rows[key]

    def find(self, app_id: str, id: str) -> Row | None:
        """The newest row, or none."""
        return self._rows.get((app_id, id))
