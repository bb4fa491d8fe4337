"""Finding places in JSON by a path such as ``$.orders[0].items[*].name``.

A subset of JSONPath: names, ``['names']``, indices (also from the end), slices, unions, ``*`` and ``..``.
There are no filters and no scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from weft.variables import Value

_MAX_MATCHES = 10_000
_NAME = re.compile(r"[^\s.\[\]*'\"()?@$,:]+")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_INDEX = re.compile(r"-?\d{1,18}")
_EVERYTHING = re.compile(r" *\* *\]")
_SLICE = re.compile(r"(-?\d{1,18})?:(-?\d{1,18})?(?::(-?\d{1,18})?)?")

Key: TypeAlias = str | int


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere in a value."""

    parent: dict[str, Value] | list[Value] | None
    """``None`` for the outermost."""
    key: Key
    value: Value

    def replace(self, value: Value) -> None:
        """Put something else there."""
        if isinstance(self.parent, dict):
            self.parent[str(self.key)] = value
        elif self.parent is not None:
            self.parent[int(self.key)] = value


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path."""

    wanted: tuple[Key | slice, ...]
    """Names, indices and slices; empty for everything."""
    deep: bool = False
    """At any depth below."""

    def take(self, place: Place) -> Iterator[Place]:
        """The places that it leads to from one."""
        for start in _below(place) if self.deep else (place,):
            yield from self._children(start)

    def _children(self, place: Place) -> Iterator[Place]:
        value = place.value
        if isinstance(value, dict):
            keys: Sequence[Key] = (
                [key for key in self.wanted if isinstance(key, str) and key in value]
                if self.wanted
                else list(value)
            )
            for key in keys:
                yield Place(value, key, value[str(key)])
        elif isinstance(value, list):
            for index in self._indices(len(value)):
                yield Place(value, index, value[index])

    def _indices(self, length: int) -> Iterator[int]:
        if not self.wanted:
            yield from range(length)
        for key in self.wanted:
            if isinstance(key, slice):
                yield from range(*key.indices(length))
            elif isinstance(key, int) and -length <= key < length:
                yield key % length


class JsonPath:
    """A path, taken apart once.

    Raises:
        ValueError: The text is no path, or uses what is not understood here.
    """

    def __init__(self, text: str) -> None:
        self.steps: tuple[Step, ...] = tuple(_steps(text.strip()))

    def find(self, value: Value) -> list[Place]:
        """All places that the path leads to.

        Raises:
            ValueError: There are too many.
        """
        places = [Place(None, "", value)]
        for step in self.steps:
            following: list[Place] = []
            for place in places:
                for found in step.take(place):
                    following.append(found)
                    if len(following) > _MAX_MATCHES:
                        raise ValueError(f"the path finds more than {_MAX_MATCHES} places; make it narrower")
            places = following
        return places


def _below(place: Place) -> Iterator[Place]:
    stack = [place]
    while stack:
        current = stack.pop()
        yield current
        children = list(Step(())._children(current))
        stack.extend(reversed(children))


def _steps(text: str) -> Iterator[Step]:
    at = 1 if text.startswith("$") else 0
    if at == 0 and text and not text.startswith(("[", ".")):
        text = f".{text}"
    while at < len(text):
        deep = text.startswith("..", at)
        if deep:
            at += 2
        elif text[at] == ".":
            at += 1
        if text.startswith("[", at):
            end, wanted = _brackets(text, at + 1)
        elif text.startswith("*", at):
            end, wanted = at + 1, ()
        else:
            name = _NAME.match(text, at)
            if name is None:
                raise _unreadable(text, at)
            end, wanted = name.end(), (name[0],)
        yield Step(wanted, deep)
        at = end


def _brackets(text: str, at: int) -> tuple[int, tuple[Key | slice, ...]]:
    """Read what stands between brackets; returns the place after them."""
    everything = _EVERYTHING.match(text, at)
    if everything is not None:
        return everything.end(), ()
    wanted: list[Key | slice] = []
    while True:
        key, at = _key(text, _skip_spaces(text, at))
        wanted.append(key)
        at = _skip_spaces(text, at)
        if text.startswith("]", at):
            return at + 1, tuple(wanted)
        if not text.startswith(",", at):
            raise _unreadable(text, at)
        at += 1


def _key(text: str, at: int) -> tuple[Key | slice, int]:
    if match := _QUOTED.match(text, at):
        return re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2]), match.end()
    if match := _SLICE.match(text, at):
        start, stop, step = (None if part is None else int(part) for part in match.groups())
        if step == 0:
            raise ValueError(f"the path {text!r} has a slice that never moves on")
        return slice(start, stop, step), match.end()
    if match := _INDEX.match(text, at):
        return int(match[0]), match.end()
    raise _unreadable(text, at)


def _unreadable(text: str, at: int) -> ValueError:
    return ValueError(f"the path {text!r} cannot be read at character {at + 1}; filters are not understood")


def _skip_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at
