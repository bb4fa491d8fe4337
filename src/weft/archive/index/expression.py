"""What a search asks for, as a tree; made by `parser`, turned into SQLite's own words by `matching`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from weft.archive.index.facet import Property

TextField = Literal["query", "answer", "name"]


@dataclass(frozen=True, slots=True)
class Text:
    """A word, a phrase, or the beginning of a word."""

    text: str
    is_prefix: bool = False
    field: TextField | None = None
    """Where it has to stand; none means anywhere."""


@dataclass(frozen=True, slots=True)
class Has:
    """A property with exactly this value."""

    name: Property
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be so."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    parts: tuple[Expression, ...]


Expression = Text | Has | Not | And | Or


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed search."""

    expression: Expression
    """`And` without parts means everything."""
    start: date | None = None
    end: date | None = None
    texts: tuple[Text, ...] = field(default=())
    """The words and phrases that a match contains, to be shown."""
