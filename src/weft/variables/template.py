"""Texts with ``{{#node.variable#}}`` in them, taken apart once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from weft.variables.pool import MISSING, VariablePool
from weft.variables.render import render_markdown, render_text
from weft.variables.selector import Selector
from weft.variables.value import Value

_PLACEHOLDER = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}")


class Template:
    """A text in pieces: plain ones, and selectors of what stands between them.

    A placeholder whose variable does not exist reads as its bare path, without the braces.

    Source: Dify app DSL, variable templates.
    """

    __slots__ = ("parts", "selectors", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        pieces = _PLACEHOLDER.split(text)
        self.parts: tuple[str | Selector, ...] = tuple(
            tuple(piece.split(".")) if index % 2 else piece for index, piece in enumerate(pieces) if piece
        )
        self.selectors: tuple[Selector, ...] = tuple(
            dict.fromkeys(part for part in self.parts if not isinstance(part, str))
        )

    def render(self, pool: VariablePool, show: Callable[[Value], str] = render_text) -> str:
        """The text with values in place."""
        if not self.selectors:
            return self.text
        return "".join(
            part if isinstance(part, str) else _value_text(pool, part, show) for part in self.parts
        )

    def render_markdown(self, pool: VariablePool) -> str:
        """The text with values in place, as it reads in an answer."""
        return self.render(pool, render_markdown)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """The template of that text; equal texts share one."""
    return Template(text)


def _value_text(pool: VariablePool, selector: Selector, show: Callable[[Value], str]) -> str:
    value = pool.find(selector)
    return ".".join(selector) if value is MISSING else show(value)
