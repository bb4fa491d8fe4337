"""What a session was when it was read from a store."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Origin:
    """A session as it was read."""

    fields: dict[str, str | None]
    """Column to text."""
    runs: dict[str, str] = field(default_factory=dict)
    """Key of a run to the digest of its text; only of runs that were read."""
