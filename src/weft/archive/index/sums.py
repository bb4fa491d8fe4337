"""Sums as they come from the index, brought together to figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from weft.archive.index.figures import Figures, make_latency
from weft.archive.index.message_row import COST_PARTS, to_decimal
from weft.archive.index.rollup import SUMS

_COUNTS = len(SUMS) - 2
"""Costs, in whole units and parts of one, come last."""


@dataclass(slots=True)
class Sums:
    """What was added up so far."""

    counts: list[int] = field(default_factory=lambda: [0] * _COUNTS)
    costs: dict[int, int] = field(default_factory=dict)
    """In parts of a unit, by the number of the currency's name."""

    def figures(self, users: int, classes: Mapping[int, int], currencies: Mapping[int, str]) -> Figures:
        """The figures of these sums."""
        messages, conversations, message_tokens, answer_tokens, errors, likes, dislikes = self.counts
        cost = {currencies.get(number, ""): to_decimal(0, parts) for number, parts in self.costs.items()}
        return Figures(
            messages=messages,
            conversations=conversations,
            users=users,
            message_tokens=message_tokens,
            answer_tokens=answer_tokens,
            errors=errors,
            likes=likes,
            dislikes=dislikes,
            cost={currency: cost[currency] for currency in sorted(cost) if currency},
            latency=make_latency(classes),
        )


def add_rows(found: dict[int, Sums], rows: Iterable[Sequence[int]]) -> None:
    """Add rows of key, currency and sums to what was found before."""
    for key, currency, *numbers in rows:
        sums = found.get(key)
        if sums is None:
            sums = found[key] = Sums(numbers[:_COUNTS])
        else:
            sums.counts = [old + new for old, new in zip(sums.counts, numbers, strict=False)]
        parts = numbers[-2] * COST_PARTS + numbers[-1]
        sums.costs[currency] = sums.costs.get(currency, 0) + parts
