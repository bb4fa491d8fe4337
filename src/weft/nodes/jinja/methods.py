"""The methods of values that a template may call, and what each may cost.

Whatever is not listed here does not exist for templates: no attribute of a value leads out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import SandboxedFormatter
from jinja2.utils import Cycler, Joiner
from markupsafe import EscapeFormatter, Markup

from weft.nodes.jinja.meter import Meter, require_key
from weft.nodes.jinja.operators import check_format_spec, search

# Bound methods and their arguments have any type.
Rule = Callable[[Environment, Meter, Any, Sequence[Any], Mapping[str, Any]], Any]
"""Calls a bound method on a template's behalf."""

_TAB: Final = 8


def _call(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    for value in (method.__self__, *args, *named.values()):
        meter.weigh(value)
    return method(*args, **named)


def _call_escaping(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """Of a text that is marked as safe: what is put into it becomes longer."""
    for value in args:
        meter.spend(8 * meter.weigh(value))
    return _call(environment, meter, method, args, named)


def _search(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    return _search_either_way(environment, meter, method, args, named, backwards=False)


def _search_backwards(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    return _search_either_way(environment, meter, method, args, named, backwards=True)


def _search_either_way(
    environment: Environment,
    meter: Meter,
    method: Any,
    args: Sequence[Any],
    named: Mapping[str, Any],
    *,
    backwards: bool,
) -> Any:
    for part in _parts(args[0] if args else named.get("sep")):
        search(meter, method.__self__, part, backwards=backwards)
    meter.copy_items(len(method.__self__))
    return _call(environment, meter, method, args, named)


def _parts(value: Any) -> Sequence[str]:
    return [part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, str)]


def _strip(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    for chars in args:
        if isinstance(chars, str):
            meter.read(len(method.__self__), len(chars))
    return _call(environment, meter, method, args, named)


def _fill(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    for width in args:
        if isinstance(width, int):
            meter.read(width)
    return _call(environment, meter, method, args, named)


def _expand_tabs(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    size = args[0] if args else named.get("tabsize", _TAB)
    if isinstance(size, int):
        meter.read(method.__self__.count("\t"), size)
    return _call(environment, meter, method, args, named)


def _replace(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    check_replace(meter, method.__self__, *args[:2])
    return _call_escaping(environment, meter, method, args, named)


def check_replace(meter: Meter, text: str, old: object = None, new: object = None) -> None:
    """Spend what it takes to replace a part of a text everywhere."""
    if isinstance(old, str) and isinstance(new, str):
        search(meter, text, old)
        meter.read(text.count(old), len(new))


def _join(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    if args and hasattr(args[0], "__len__"):
        meter.read(len(method.__self__), len(args[0]))
    return _call_escaping(environment, meter, method, args, named)


def _format(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    return _formatter(environment, meter, method.__self__).format_values(method.__self__, args, named)


def _format_map(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    if len(args) != 1 or not isinstance(args[0], dict):
        raise TypeError("format_map() takes one object")
    return _formatter(environment, meter, method.__self__).format_values(method.__self__, (), args[0])


class _Formatter(SandboxedFormatter):
    """Formats through the environment's own look-ups, and counts."""

    def __init__(self, environment: Environment, meter: Meter, **kwargs: Any) -> None:
        super().__init__(environment, **kwargs)
        self._meter = meter

    def format_values(self, text: str, args: Sequence[Any], named: Mapping[str, Any]) -> str:
        self._meter.read(len(text))
        return type(text)(self.vformat(text, args, named))

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self._meter.spend(4)
        value, key = super().get_field(field_name, args, kwargs)
        self._meter.weigh(value)
        return value, key

    def format_field(self, value: Any, format_spec: str) -> Any:
        check_format_spec(self._meter, format_spec)
        return super().format_field(value, format_spec)


class _EscapingFormatter(_Formatter, EscapeFormatter):
    pass


def _formatter(environment: Environment, meter: Meter, text: str) -> _Formatter:
    if isinstance(text, Markup):
        return _EscapingFormatter(environment, meter, escape=text.escape)
    return _Formatter(environment, meter)


def _listed(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """A list instead of a view: views hash what they are compared with."""
    meter.copy_items(4 * len(method.__self__))
    return list(method(*args, **named))


def _look_up(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    for key in args:
        require_key(key)
    return method(*args, **named)


def _copy(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    meter.copy_items(len(method.__self__))
    return method(*args, **named)


def _plain(
    environment: Environment, meter: Meter, method: Any, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    for value in args:
        meter.weigh(value)
    return method(*args, **named)


_OF_TEXTS: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            "capitalize", "casefold", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
            "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "lower", "removeprefix",
            "removesuffix", "swapcase", "title", "upper",
        ),
        _call,
    ),
    **dict.fromkeys(("count", "endswith", "find", "index", "partition", "split"), _search),
    **dict.fromkeys(("splitlines", "startswith"), _search),
    **dict.fromkeys(("rfind", "rindex", "rpartition", "rsplit"), _search_backwards),
    **dict.fromkeys(("lstrip", "rstrip", "strip"), _strip),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _fill),
    "expandtabs": _expand_tabs,
    "format": _format,
    "format_map": _format_map,
    "join": _join,
    "replace": _replace,
}  # fmt: skip
_OF_SEQUENCES: Mapping[str, Rule] = {"count": _call, "index": _call}

METHODS: Mapping[type, Mapping[str, Rule]] = {
    str: _OF_TEXTS,
    Markup: _OF_TEXTS,
    dict: {"copy": _copy, "get": _look_up, "items": _listed, "keys": _listed, "values": _listed},
    list: {**_OF_SEQUENCES, "copy": _copy},
    tuple: _OF_SEQUENCES,
    float: {"is_integer": _plain},
    LoopContext: {"changed": _plain, "cycle": _plain},
    Cycler: {"next": _plain, "reset": _plain},
}
"""By the exact type of the value, then by name."""

ATTRIBUTES: Mapping[type, frozenset[str]] = {
    LoopContext: frozenset(
        {
            "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem",
            "revindex", "revindex0",
        }
    ),
    Macro: frozenset({"arguments", "caller", "catch_kwargs", "catch_varargs", "name"}),
    Cycler: frozenset({"current"}),
    Joiner: frozenset(),
}  # fmt: skip
"""What can be read and is no method, likewise."""
