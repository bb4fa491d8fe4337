"""The number of a message's row grows with its instant, so that the newest come first without sorting.

Its words are kept under a number that falls: full-text search is quicker in rising order.
"""

from __future__ import annotations

MICROSECOND = 1_000_000
LAST = 1 << 58
"""A message's row and the row of its words are this together; after the year 9999."""
_SLOTS_BITS = 20


def first_row(at: int) -> int:
    """The lowest row number of a message of this instant.

    Args:
        at: Microseconds since 1970.
    """
    seconds, part = divmod(at, MICROSECOND)
    return (seconds << _SLOTS_BITS) + part


def last_row_of_second(row: int) -> int:
    """The highest row number of the second that a row number belongs to."""
    return row | ((1 << _SLOTS_BITS) - 1)
