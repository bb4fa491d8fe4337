"""The functions that every template knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2.utils import Cycler, Joiner, Namespace

from weft.nodes.jinja.meter import Meter, require_key

_MAX_RANGE: Final = 1_000_000


class Function:
    """A function of ours: the only kind that a template can call besides macros and listed methods."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __repr__(self) -> str:
        return f"<function {self.call.__name__.strip('_')}>"


def _range(meter: Meter, *bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise OverflowError(f"a range may have {_MAX_RANGE} numbers at the most")
    return numbers


def _dict(meter: Meter, *pairs: Any, **named: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for source in pairs:
        meter.copy_items(4 * len(source))
        for key, value in source.items() if isinstance(source, dict) else source:
            made[require_key(key)] = value
    return {**made, **named}


def _namespace(meter: Meter, *pairs: Any, **named: Any) -> Namespace:
    return Namespace(_dict(meter, *pairs, **named))


def _cycler(meter: Meter, *items: Any) -> Cycler:
    return Cycler(*items)


def _joiner(meter: Meter, sep: str = ", ") -> Joiner:
    return Joiner(sep)


FUNCTIONS: Mapping[str, Function] = {
    "range": Function(_range),
    "dict": Function(_dict),
    "namespace": Function(_namespace),
    "cycler": Function(_cycler),
    "joiner": Function(_joiner),
}
