"""Paths to values: ``[node id, variable name, ...]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Selector: TypeAlias = tuple[str, ...]
"""At least two parts to name a value; further parts walk into it."""


def as_selector(value: object) -> Selector | None:
    """A selector from what a file holds, or ``None`` if it is not a list of at least two texts."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= 2:
        parts = tuple(value)
        if all(isinstance(part, str) and part for part in parts):
            return parts
    return None
