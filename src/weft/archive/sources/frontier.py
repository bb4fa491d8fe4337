"""How far a list that begins with its newest change has been read, so that a killed walk goes on.

Such a list grows at its front. A walk that was broken off leaves a gap between the rows that it reached and
those of earlier walks; the next walk reads the new front, and then fills the gaps.
"""

from __future__ import annotations

import msgspec

DAY = 86_400.0


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of the list that is still to be read."""

    low: int | None
    """Rows that changed before it are known; none reads to the end of the list."""
    after: str = ""
    """Where to go on, in the source's own words; empty for the front of the list."""


class Frontier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a cursor of such a list says."""

    top: int | None = None
    """The newest change that the latest walk found at its beginning."""
    gaps: tuple[Gap, ...] = ()
    full_began: float | None = None
    """When the present walk over the whole list began, in Unix seconds."""
    full_at: float | None = None
    """When the latest walk over the whole list that came to its end had begun."""

    def begin(self, now: float, overlap: int, full_days: float) -> Frontier:
        """The gaps of the walk that begins now.

        Args:
            now: Unix seconds.
            overlap: How far before `top` rows are looked at again, as what was written late may be there.
            full_days: Days after which the whole list is read again.
        """
        if self.top is None or (self.full_began is None and now - (self.full_at or 0.0) >= full_days * DAY):
            return msgspec.structs.replace(self, gaps=(Gap(None),), full_began=now)
        return msgspec.structs.replace(self, gaps=(Gap(self.top - overlap), *self.gaps))

    def at(self, top: int | None) -> Frontier:
        """The same, when the front of the list has been seen."""
        if top is None:
            return self
        return msgspec.structs.replace(self, top=top if self.top is None else max(self.top, top))

    def held_at(self, at: int) -> Frontier:
        """The same, with a top no later than this: what is there has not come to its end yet."""
        return msgspec.structs.replace(self, top=at if self.top is None else min(self.top, at))

    def moved(self, after: str) -> Frontier:
        """The same, when the first gap has been read up to there."""
        first, *others = self.gaps
        return msgspec.structs.replace(self, gaps=(Gap(first.low, after), *others))

    def filled(self) -> Frontier:
        """The same, when the first gap has been read to its end."""
        left = self.gaps[1:]
        if left or self.full_began is None:
            return msgspec.structs.replace(self, gaps=left)
        return msgspec.structs.replace(self, gaps=(), full_began=None, full_at=self.full_began)

    def dump(self) -> str:
        """As the text of a cursor."""
        return msgspec.json.encode(self).decode()


def load_frontier(cursor: str) -> Frontier:
    """The frontier in a cursor; a new one where there is none, or one that cannot be read."""
    try:
        return msgspec.json.decode(cursor, type=Frontier) if cursor else Frontier()
    except (msgspec.DecodeError, ValueError):
        return Frontier()  # beginning anew loses nothing
