"""A node type that tells haiku from other texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from weft.errors import NodeFailedError
from weft.graph import NodeKind
from weft.nodes import Context, Node, NodeConfig, NodeResult
from weft.variables import MISSING, Selector, Value, render_text

_VOWELS = re.compile(r"[aeiouy]+", re.IGNORECASE)


class HaikuConfig(NodeConfig):
    """Which text to look at, and what a haiku is."""

    source: tuple[str, ...] = Field(min_length=2)
    pattern: tuple[int, ...] = (5, 7, 5)
    """Syllables of each line."""


class HaikuNode(Node[HaikuConfig]):
    """Leaves by `yes` or `no`.

    Outputs `is_haiku` and `syllables`, the count of each line.
    """

    config_type: ClassVar[type[NodeConfig]] = HaikuConfig
    kind: ClassVar[NodeKind] = "branch"
    instant: ClassVar[bool] = True

    def reads(self) -> Sequence[Selector]:
        """The text."""
        return (self.config.source,)

    def handles(self) -> Sequence[str]:
        """Both ways out."""
        return ("yes", "no")

    async def run(self, context: Context) -> NodeResult:
        """Count."""
        value = context.pool.find(self.config.source)
        if value is MISSING:
            raise NodeFailedError(
                f"{'.'.join(self.config.source)!r} has no value, so there is nothing to count"
            )
        text = render_text(value)
        context.inputs = {"text": text}
        syllables = [_syllables(line) for line in re.split(r"\s*[\n/]\s*", text.strip())]
        is_haiku = syllables == list(self.config.pattern)
        counted: list[Value] = [*syllables]
        return NodeResult({"is_haiku": is_haiku, "syllables": counted}, handle="yes" if is_haiku else "no")


def _syllables(line: str) -> int:
    """Groups of vowels; a silent e at the end of a word does not count."""
    counts = (
        len(_VOWELS.findall(word)) - (word.endswith("e") and not word.endswith("le"))
        for word in re.findall(r"[a-z]+", line.lower())
    )
    return sum(max(1, count) for count in counts)
