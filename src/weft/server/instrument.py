"""Numbers that are counted while the server works, and their text for Prometheus.

Everything runs on one event loop, so nothing is locked and an observation is a look into a dictionary. Of
what comes from outside, such as the ids of apps, only so many are told apart.

Source: Prometheus text exposition format, version 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

Labels: TypeAlias = tuple[str, ...]
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_MAX_SERIES: Final = 2000
_OTHER: Final = "other"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Instrument(Protocol):
    """Something whose numbers can be told."""

    def lines(self) -> Iterator[str]:
        """Its part of the text, without line ends."""
        ...


class Counter:
    """A number that grows, for each combination of labels.

    Args:
        name: With the unit, ending in ``_total``.
        help: What is counted.
        labels: Names of the labels.
        max_series: Combinations that are told apart; further ones are counted together as ``other``.
    """

    def __init__(self, name: str, help: str, labels: Labels = (), *, max_series: int = _MAX_SERIES) -> None:
        self._head = _head(name, help, "counter")
        self._name = name
        self._labels = labels
        self._max_series = max_series
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count."""
        values = self._values
        if labels not in values and len(values) >= self._max_series:
            labels = (_OTHER,) * len(labels)
        values[labels] = values.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """Its part of the text."""
        yield from self._head
        for labels, value in self._values.items():
            yield _sample(self._name, zip(self._labels, labels, strict=True), value)


class Histogram:
    """How often something had which size, for each combination of labels.

    Args:
        name: With the unit.
        help: What is measured.
        bounds: Upper ends of the ranges in which sizes are counted, rising.
        labels: Names of the labels.
        max_series: As of a counter.
    """

    def __init__(
        self,
        name: str,
        help: str,
        bounds: Sequence[float],
        labels: Labels = (),
        *,
        max_series: int = _MAX_SERIES,
    ) -> None:
        self._head = _head(name, help, "histogram")
        self._name = name
        self._bounds = tuple(bounds)
        self._labels = labels
        self._max_series = max_series
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, labels: Labels, size: float) -> None:
        """Count a size."""
        counts = self._counts.get(labels)
        if counts is None:
            if len(self._counts) >= self._max_series:
                labels = (_OTHER,) * len(labels)
            counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
            self._sums.setdefault(labels, 0.0)
        counts[bisect_left(self._bounds, size)] += 1
        self._sums[labels] += size

    def lines(self) -> Iterator[str]:
        """Its part of the text."""
        yield from self._head
        for labels, counts in self._counts.items():
            named = list(zip(self._labels, labels, strict=True))
            yield from histogram_lines(self._name, named, self._bounds, counts, self._sums[labels])


def gauge(name: str, help: str, values: Mapping[Labels, float] | float, labels: Labels = ()) -> Iterator[str]:
    """The lines of a number that rises and falls, as it is now.

    Args:
        name: With the unit.
        help: What it is.
        values: The number, or one for each combination of labels.
        labels: Names of the labels.
    """
    return told(name, help, values, labels, kind="gauge")


def told(
    name: str,
    help: str,
    values: Mapping[Labels, float] | float,
    labels: Labels = (),
    *,
    kind: Literal["gauge", "counter"],
) -> Iterator[str]:
    """The lines of numbers that somebody else counts."""
    yield from _head(name, help, kind)
    for key, value in (values if isinstance(values, Mapping) else {(): values}).items():
        yield _sample(name, zip(labels, key, strict=True), value)


def histogram(
    name: str, help: str, bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[str]:
    """The lines of sizes that somebody else counts."""
    yield from _head(name, help, "histogram")
    yield from histogram_lines(name, [], bounds, counts, total)


def histogram_lines(
    name: str, labels: list[tuple[str, str]], bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[str]:
    """The samples of one series: counts up to each bound, their sum and their number."""
    number = 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        number += count
        yield _sample(f"{name}_bucket", [*labels, ("le", bound)], number)
    yield _sample(f"{name}_sum", labels, total)
    yield _sample(f"{name}_count", labels, number)


def render(parts: Iterable[Iterable[str]]) -> bytes:
    """The whole text."""
    return ("\n".join(line for part in parts for line in part) + "\n").encode()


def _head(name: str, help: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {help}", f"# TYPE {name} {kind}"


def _sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    shown = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels)
    return f"{name}{{{shown}}} {value}" if shown else f"{name} {value}"
