"""Walking a list whose newest change comes first, by the gaps of a `Frontier`."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

from msgspec.structs import replace

from weft.archive.sources.frontier import Frontier, Gap

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Row]):
    """Some rows of the list that follow each other."""

    rows: Sequence[Row]
    changed: Sequence[int | None]
    """When each of them changed last, in the list's own unit; none where the server does not say."""
    after: str = ""
    """Where to go on after them."""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class NumberedPage(Generic[Row]):
    """A page of a list whose pages have numbers."""

    rows: Sequence[Row]
    total: int | None
    """Rows of all pages, where the server counts them."""
    has_more: bool
    is_behind: bool = False
    """Rows were taken out meanwhile, so that some may have slipped past the reader, who has stepped back, or
    does so now, and is not yet where it was."""


async def iter_newest_first(
    frontier: Frontier, read: Callable[[str], AsyncGenerator[Stretch[Row], None]]
) -> AsyncIterator[tuple[list[Row], Frontier]]:
    """Fill all gaps; each part of the rows comes with what is known once they are durable.

    A row that changes while the list is read moves to its front, behind the reader's back. So the front is
    looked at once more in the end; what moves even then is younger than `Frontier.top`, where the next walk
    ends.

    Args:
        frontier: With its gaps, see `Frontier.begin`.
        read: Gives the list from a place on, the empty one for its front.
    """
    begun_at: int | None = None
    looked_again, pages = False, 0

    def filled(frontier: Frontier) -> Frontier:
        nonlocal looked_again
        frontier = frontier.filled()
        if frontier.gaps or pages < 2 or looked_again or begun_at is None:
            return frontier
        looked_again = True
        return replace(frontier, gaps=(Gap(begun_at),))

    while frontier.gaps:
        gap = frontier.gaps[0]
        is_first, is_filled = not gap.after, False
        async with aclosing(read(gap.after)) as stretches:
            async for stretch in stretches:
                pages += 1
                if is_first:
                    frontier = frontier.at(
                        max((at for at in stretch.changed if at is not None), default=None)
                    )
                    begun_at = frontier.top if begun_at is None else begun_at
                    is_first = False
                rows = [
                    row
                    for row, at in zip(stretch.rows, stretch.changed, strict=True)
                    if gap.low is None or at is None or at >= gap.low
                ]
                is_filled = stretch.is_last or len(rows) < len(stretch.rows)
                frontier = filled(frontier) if is_filled else frontier.moved(stretch.after)
                yield rows, frontier
                if is_filled:
                    break
        if not is_filled:  # the list came to its end without saying so
            frontier = filled(frontier)
            yield [], frontier


async def iter_numbered(
    get: Callable[[int], Awaitable[NumberedPage[Row]]], page_size: int
) -> AsyncGenerator[NumberedPage[Row], None]:
    """Pages by their numbers, none of whose rows is lost when others are taken out.

    Rows that are added or that move to the front push others to later pages, where they are met again. Rows
    that are taken out pull others to earlier pages; that shows in a smaller total, and the walk steps back.
    """
    number, total, reached = 1, None, 0
    while True:
        page = await get(number)
        gone = 0 if total is None or page.total is None else total - page.total
        total = page.total
        reached = max(reached, number) if gone > 0 else reached
        yield dataclasses.replace(page, is_behind=gone > 0 or number < reached)
        if gone > 0:
            number = max(number - ceil(gone / page_size), 1)
        elif page.has_more and page.rows:
            number += 1
        else:
            return
