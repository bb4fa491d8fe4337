"""Operators of templates, each bounded by what the meter allows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import TemplateRuntimeError, Undefined
from markupsafe import Markup

from weft.nodes.jinja.meter import CONTAINERS, MAX_INTEGER_BITS, TEXTS, Meter, bounded, require_key

# A template's values have any type, and each operator refuses those that it cannot work on.
Binary = Callable[[Meter, Any, Any], Any]

_SCALARS = frozenset({int, float, bool, type(None)})
_MAX_WIDTH: Final = 10_000
_NAIVE_SEARCH: Final = 4_000_000
"""Where Python's search turns from comparing everywhere to a linear method: product of both lengths."""
_PERCENT = re.compile(r"%(\([^()]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?[hlL]?(.?)", re.DOTALL)
_DIGITS = re.compile(r"\d+")


def _add(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter.copy_text(left, right)
        if type(left) is Markup or type(right) is Markup:
            meter.read(len(left) + len(right), 6)
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        meter.copy_items(len(left) + len(right))
    return bounded(left + right)


def _multiply(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MAX_INTEGER_BITS + 2:
            bounded(1 << MAX_INTEGER_BITS)
        return bounded(left * right)
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(sequence, str | list | tuple):
            if isinstance(sequence, str):
                meter.read(len(sequence), times)
            else:
                meter.copy_items(len(sequence) * times)
    return left * right


def _power(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        if left.bit_length() * right > 2 * MAX_INTEGER_BITS and abs(left) > 1:
            bounded(1 << MAX_INTEGER_BITS)
        return bounded(left**right)
    return left**right


def _modulo(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return format_percent(meter, left, right)
    return left % right


BINARY: Mapping[str, Binary] = {
    "+": _add,
    "-": lambda meter, left, right: bounded(left - right),
    "*": _multiply,
    "/": lambda meter, left, right: left / right,
    "//": lambda meter, left, right: left // right,
    "%": _modulo,
    "**": _power,
}


def format_percent(meter: Meter, text: str, values: Any) -> str:
    """``text % values``.

    Raises:
        TemplateRuntimeError: A field is wide enough to be meant to hurt, or takes its width from a value.
    """
    fields = 0
    for field in _PERCENT.finditer(text):
        fields += 1
        if not field[4] or field[4] not in "diouxXeEfFgGcrsa%":
            raise ValueError("the text has a '%' that begins no valid field")
        for width in field.group(2, 3):
            if width:
                check_width(meter, width)
    meter.read(len(text))
    meter.spend(fields + meter.weigh(values) * fields)
    formatted: str = text % values
    return formatted


def check_width(meter: Meter, width: str) -> None:
    """Spend what it takes to fill a field up to a width that a format gives.

    Raises:
        TemplateRuntimeError: No sane text has a field as wide as that.
    """
    if len(width) > 5 or not width.isdecimal() or int(width) > _MAX_WIDTH:
        raise TemplateRuntimeError(f"a field of a format may be {_MAX_WIDTH} characters wide at the most")
    meter.read(int(width))


def check_format_spec(meter: Meter, spec: str) -> None:
    """As `check_width`, for what stands behind the colon in ``{:...}``."""
    for width in _DIGITS.findall(spec):
        check_width(meter, width)


def search(meter: Meter, text: str, part: str, *, backwards: bool = False) -> None:
    """Spend what it takes to look for a part in a text."""
    product = len(text) * len(part)
    if len(part) > 1 and (backwards or product < _NAIVE_SEARCH):
        meter.spend(product // 1024)
    meter.read(len(text) + len(part))


def cut(meter: Meter, value: Any, part: slice) -> Any:
    """``value[part]``."""
    if isinstance(value, str | list | tuple):
        count = len(range(*part.indices(len(value))))
        if isinstance(value, str):
            meter.read(count)
        else:
            meter.copy_items(count)
    elif not isinstance(value, range | Undefined):
        raise TypeError(f"a {type(value).__name__} cannot be sliced")
    return value[part]


def compare(meter: Meter, left: Any, name: str, right: Any) -> bool:
    """A comparison by the name that the syntax tree has for it, such as ``lteq``."""
    if type(left) not in _SCALARS or type(right) not in _SCALARS:
        if name in ("in", "notin"):
            _check_membership(meter, left, right)
        elif type(left) in CONTAINERS and type(right) in CONTAINERS:
            meter.weigh(left)
        elif type(left) in TEXTS and type(right) in TEXTS:
            meter.read(min(len(left), len(right)))
        elif isinstance(left, tuple) or isinstance(right, tuple):
            meter.weigh(left)
            meter.weigh(right)
    result: bool = COMPARISONS[name](left, right)
    return result


def _check_membership(meter: Meter, left: Any, right: Any) -> None:
    if isinstance(right, str):
        if isinstance(left, str):
            search(meter, right, left)
    elif isinstance(right, list | tuple):
        if isinstance(left, list | tuple | dict):
            meter.weigh(right)
            meter.weigh(left)
        elif isinstance(left, str):
            meter.read(len(left), len(right))
        meter.spend(len(right) // 16)
    elif isinstance(right, dict):
        require_key(left)
    elif isinstance(right, range):
        meter.spend(len(right) // 16)
    elif not isinstance(right, Undefined):
        raise TypeError(f"nothing can be in a {type(right).__name__}")


COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}
