"""What a template may spend, counted before it is spent.

A step stands for about a microsecond. Everything that a template can make long (a loop, a copy, a comparison
of nested lists) asks here first, so that any template ends soon, by itself or with an error.
"""

from __future__ import annotations

from typing import Final, NoReturn

from jinja2 import TemplateRuntimeError
from jinja2.utils import Namespace
from markupsafe import Markup

MAX_STEPS: Final = 1_000_000
MAX_INTEGER_BITS: Final = 4096
_MAX_INTEGER: Final = 1 << MAX_INTEGER_BITS

_NODES_PER_STEP: Final = 2
_CHARS_READ_PER_STEP: Final = 128
_CHARS_COPIED_PER_STEP: Final = 512
_WIDE_CHARS_COPIED_PER_STEP: Final = 128
_ITEMS_COPIED_PER_STEP: Final = 32

TEXTS = frozenset({str, Markup})
CONTAINERS = frozenset({list, tuple, dict})


class Meter:
    """The steps that one rendering has left."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps away.

        Raises:
            TemplateRuntimeError: There are not so many left.
        """
        self._left -= steps
        if self._left < 0:
            _refuse()

    def read(self, chars: int, times: int = 1) -> None:
        """Spend what it takes to work through that much text, or to make it."""
        if times < 0 or chars < 0:
            return
        self.spend(chars * times // _CHARS_READ_PER_STEP)

    def copy_text(self, *texts: str) -> None:
        """Spend what it takes to copy these texts into one."""
        size = sum(map(len, texts))
        if size > _WIDE_CHARS_COPIED_PER_STEP:
            narrow = all(map(str.isascii, texts))
            self.spend(size // (_CHARS_COPIED_PER_STEP if narrow else _WIDE_CHARS_COPIED_PER_STEP))

    def copy_items(self, count: int) -> None:
        """Spend what it takes to make a list of that many items."""
        self.spend(max(0, count) // _ITEMS_COPIED_PER_STEP)

    def weigh(self, value: object) -> int:
        """Spend what it takes to read through a value, all that is nested in it included.

        What stands in it twice is read twice: a few lines of a template can nest lists so that their text
        would fill every disk.

        Returns:
            The steps that were spent.
        """
        kind = type(value)
        if kind in TEXTS:
            steps = len(value) // _CHARS_READ_PER_STEP  # type: ignore[arg-type]  # a text has a length
        elif kind in CONTAINERS or isinstance(value, tuple | range | Namespace):
            steps = self._weigh_nested(value)
        else:
            return 0
        self.spend(steps)
        return steps

    def _weigh_nested(self, value: object) -> int:
        nodes = chars = 0
        most = self._left * _NODES_PER_STEP
        stack = [value]
        while stack:
            item = stack.pop()
            kind = type(item)
            if kind in TEXTS:
                chars += len(item)  # type: ignore[arg-type]  # a text has a length
                continue
            if kind is dict:
                nodes += 2 * len(item)  # type: ignore[arg-type]
                stack.extend(item)  # type: ignore[arg-type]
                stack.extend(item.values())  # type: ignore[attr-defined]
            elif isinstance(item, list | tuple):
                nodes += len(item)
                stack.extend(item)
            elif isinstance(item, range):
                nodes += len(item)
            elif isinstance(item, Namespace):
                nodes += 1
                stack.append(object.__getattribute__(item, "_Namespace__attrs"))
            if nodes > most:
                _refuse()
        return nodes // _NODES_PER_STEP + chars // _CHARS_READ_PER_STEP + 1


def bounded(number: object) -> object:
    """The same number.

    Raises:
        TemplateRuntimeError: It is an integer with more digits than any template needs.
    """
    if type(number) is int and not -_MAX_INTEGER < number < _MAX_INTEGER:
        raise TemplateRuntimeError("a number has more than a thousand digits")
    return number


def require_name(value: object) -> str:
    """The name of a filter, test or attribute; anything else could not be looked up safely.

    Raises:
        TemplateRuntimeError: It is no text, or too long for a name.
    """
    if not isinstance(value, str) or len(value) > 1000:
        raise TemplateRuntimeError("a name must be a short text")
    return value


def require_key(value: object) -> object:
    """The same value, if it may be a key of an object.

    Python reads a nested tuple to the bottom to hash it, and does not survive a deep one.

    Raises:
        TemplateRuntimeError: It is a tuple.
    """
    if isinstance(value, tuple):
        raise TemplateRuntimeError("a tuple cannot be used as a key; use a text")
    return value


def _refuse() -> NoReturn:
    raise TemplateRuntimeError(
        "the template does too much; loop over fewer items, nest fewer lists, or make shorter texts"
    )
