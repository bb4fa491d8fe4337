"""The filters of templates: Jinja's own, each of which asks the meter first.

They give lists where Jinja gives iterators, because chains of iterators cannot be weighed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import TemplateRuntimeError, Undefined, pass_context
from jinja2 import filters as jinja
from jinja2.exceptions import FilterArgumentError
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape, soft_str

from weft.nodes.jinja.context import MeteredContext
from weft.nodes.jinja.meter import MAX_INTEGER_BITS, bounded, require_name
from weft.nodes.jinja.methods import check_replace
from weft.nodes.jinja.operators import BINARY, format_percent

# What comes into a filter and what goes out of it has any type.
Filter = Callable[..., Any]

_MAX_PRECISION: Final = 100
_MAX_DIGITS: Final = math.ceil(MAX_INTEGER_BITS * math.log10(2))
_HASHABLE = str | int | float | None


def _weighed(apply: Filter, times: int = 1, *, of_environment: bool = False) -> Filter:
    """The filter, after everything that it is given was weighed, so many times."""

    @pass_context
    def weigh_and_apply(context: MeteredContext, *args: Any, **named: Any) -> Any:
        meter = context.meter
        for value in (*args, *named.values()):
            meter.spend((times - 1) * meter.weigh(value))
        return apply(context.environment, *args, **named) if of_environment else apply(*args, **named)

    return weigh_and_apply


def _per_item(apply: Filter, names: int = 1) -> Filter:
    """A filter that applies another one, or a test, to each item; so many first arguments are names."""

    @pass_context
    def apply_to_items(context: MeteredContext, value: Any, *args: Any, **named: Any) -> list[Any]:
        steps = 2 + sum(_check_name(name) for name in (*args[:names], named.get("attribute"))) // 8
        made = []
        for item in apply(context, _sized(value), *args, **named):
            context.meter.spend(steps)
            made.append(item)
        return made

    return apply_to_items


def _sorting(apply: Filter, *, of_environment: bool = True) -> Filter:
    """A filter that compares items with one another."""

    @pass_context
    def weigh_and_apply(context: MeteredContext, value: Any, *args: Any, **named: Any) -> Any:
        count = len(_sized(value))
        options = [option for option in (*args, *named.values()) if isinstance(option, str)]
        context.meter.spend(count * sum(map(_check_name, options)) // 8)
        context.meter.spend((context.meter.weigh(value) + count) * max(1, count.bit_length()))
        return (
            apply(context.environment, value, *args, **named)
            if of_environment
            else apply(value, *args, **named)
        )

    return weigh_and_apply


def _check_name(name: Any) -> int:
    """The length of what should name a filter, a test or an attribute, which may also be a position."""
    return 0 if name is None or isinstance(name, int) else len(require_name(name))


def _sized(value: Any) -> Any:
    """The value, if it is something to go through that has an end."""
    if isinstance(value, Undefined):
        iter(value)
    if not isinstance(value, str | list | tuple | dict | range):
        raise TypeError(f"a {type(value).__name__} has no items")
    return value


@pass_context
def _list(context: MeteredContext, value: Any) -> list[Any]:
    context.meter.copy_items(4 * len(_sized(value)))
    return list(value)


@pass_context
def _items(context: MeteredContext, value: Any) -> list[Any]:
    if isinstance(value, Undefined):
        return []
    if not isinstance(value, dict):
        raise TypeError("only an object has such items")
    context.meter.copy_items(4 * len(value))
    return list(value.items())


@pass_context
def _reverse(context: MeteredContext, value: Any) -> Any:
    if isinstance(value, str):
        context.meter.copy_text(value)
        return value[::-1]
    context.meter.copy_items(len(_sized(value)))
    return list(reversed(list(value)))


@pass_context
def _batch(context: MeteredContext, value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    context.meter.copy_items(4 * len(_sized(value)) + (linecount if fill_with is not None else 0))
    return list(jinja.do_batch(value, linecount, fill_with))


@pass_context
def _slice(context: MeteredContext, value: Any, slices: int, fill_with: Any = None) -> list[Any]:
    context.meter.spend(max(0, slices))
    context.meter.copy_items(4 * len(_sized(value)))
    return list(jinja.sync_do_slice(value, slices, fill_with))


@pass_context
def _unique(
    context: MeteredContext, value: Any, case_sensitive: bool = False, attribute: str | int | None = None
) -> list[Any]:
    _check_name(attribute)
    read = jinja.make_attrgetter(
        context.environment, attribute, postprocess=None if case_sensitive else jinja.ignore_case
    )
    seen = set()
    made = []
    for item in _sized(value):
        context.meter.spend(1)
        key = read(item)
        if not isinstance(key, _HASHABLE):
            raise TypeError(f"a {type(key).__name__} cannot be made unique; name an attribute of it")
        if key not in seen:
            seen.add(key)
            made.append(item)
    return made


@pass_context
def _sum(context: MeteredContext, value: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
    _check_name(attribute)
    read = jinja.make_attrgetter(context.environment, attribute)
    total = start
    for item in _sized(value):
        context.meter.spend(1)
        total = BINARY["+"](context.meter, total, read(item) if attribute is not None else item)
    return total


@pass_context
def _join(context: MeteredContext, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    d = context.show(d)
    context.meter.weigh(value)
    context.meter.read(len(d), len(_sized(value)))
    _check_name(attribute)
    joined: str = jinja.sync_do_join(context.eval_ctx, value, d, attribute)
    return joined


@pass_context
def _replace(context: MeteredContext, s: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = (context.show(value) for value in (s, old, new))
    check_replace(context.meter, text, old, new)
    return str(text).replace(str(old), str(new), -1 if count is None else count)


@pass_context
def _format(context: MeteredContext, value: Any, *args: Any, **named: Any) -> str:
    if args and named:
        raise FilterArgumentError("can't handle positional and keyword arguments at the same time")
    return format_percent(context.meter, soft_str(context.show(value)), named or args)


@pass_context
def _center(context: MeteredContext, value: Any, width: int = 80) -> str:
    context.meter.read(width)
    return soft_str(context.show(value)).center(width)


@pass_context
def _indent(
    context: MeteredContext, s: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    text = s if isinstance(s, str) else context.show(s)
    context.meter.read(len(text), 2)
    context.meter.read(len(width) if isinstance(width, str) else width, text.count("\n") + 1)
    context.meter.copy_items(4 * text.count("\n"))
    return jinja.do_indent(text, width, first, blank)


@pass_context
def _wordwrap(context: MeteredContext, s: Any, width: int = 79, *args: Any, **named: Any) -> str:
    text = context.show(s)
    for line in text.splitlines():
        context.meter.spend(len(line) * len(line) // 4096 + len(line) // 16)
    wrap = named.get("wrapstring", args[1] if len(args) > 1 else None)
    if isinstance(wrap, str):
        context.meter.read(len(wrap), len(text))
    return jinja.do_wordwrap(context.environment, text, width, *args, **named)


@pass_context
def _striptags(context: MeteredContext, value: Any) -> str:
    text = context.show(value)
    context.meter.read(len(text), 4)
    context.meter.spend((text.count("<") + 1) * len(text) // 4096)
    return jinja.do_striptags(text)


@pass_context
def _urlize(context: MeteredContext, value: Any, *args: Any, **named: Any) -> str:
    text = context.show(value)
    context.meter.spend(len(text) * len(text) // 256)
    for option in (*args, *named.values()):
        context.meter.spend(context.meter.weigh(option) * len(text))
    return jinja.do_urlize(context.eval_ctx, text, *args, **named)


@pass_context
def _trim(context: MeteredContext, value: Any, chars: str | None = None) -> str:
    text = soft_str(context.show(value))
    context.meter.read(len(text), len(chars) if chars is not None else 1)
    return text.strip(chars)


@pass_context
def _pprint(context: MeteredContext, value: Any) -> str:
    steps = context.meter.weigh(value)
    context.meter.spend(steps * steps + 100 * steps)
    return jinja.do_pprint(value)


@pass_context
def _tojson(context: MeteredContext, value: Any, indent: int | None = None) -> Markup:
    context.meter.weigh(value)
    context.meter.weigh(value)
    return htmlsafe_json_dumps(value, dumps=_dump_metered(context), sort_keys=True, indent=indent)


def _dump_metered(context: MeteredContext) -> Callable[..., str]:
    def dump(value: Any, *, sort_keys: bool, indent: int | None) -> str:
        if indent is None:
            return json.dumps(value, sort_keys=sort_keys)
        if not 0 <= indent <= _MAX_PRECISION:
            raise FilterArgumentError(f"tojson indents by {_MAX_PRECISION} characters at the most")
        pieces = []
        for piece in json.JSONEncoder(sort_keys=sort_keys, indent=indent).iterencode(value):
            context.meter.spend(1)
            context.meter.read(len(piece))
            pieces.append(piece)
        return "".join(pieces)

    return dump


@pass_context
def _xmlattr(context: MeteredContext, d: Any, autospace: bool = True) -> str:
    context.meter.spend(16 * context.meter.weigh(d))
    return jinja.do_xmlattr(context.eval_ctx, d, autospace)


@pass_context
def _attr(context: MeteredContext, value: Any, name: str) -> Any:
    return context.environment.getattr(value, require_name(name))


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if not -_MAX_PRECISION <= precision <= _MAX_PRECISION:
        raise FilterArgumentError(f"round knows {_MAX_PRECISION} places at the most")
    return jinja.do_round(value, precision, method)


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    if isinstance(value, str) and len(value) > 2 * _MAX_DIGITS:
        raise TemplateRuntimeError("a text is too long to be a number")
    return bounded(jinja.do_int(value, default, base))


def _abs(value: Any) -> Any:
    return abs(value)


def _length(value: Any) -> int:
    return len(value)


FILTERS: Mapping[str, Filter] = {
    "abs": _abs,
    "attr": _attr,
    "batch": _batch,
    "capitalize": _weighed(jinja.do_capitalize),
    "center": _center,
    "count": _length,
    "d": jinja.do_default,
    "default": jinja.do_default,
    "dictsort": _sorting(jinja.do_dictsort, of_environment=False),
    "e": _weighed(escape, 8),
    "escape": _weighed(escape, 8),
    "filesizeformat": _weighed(jinja.do_filesizeformat),
    "first": jinja.sync_do_first,
    "float": _weighed(jinja.do_float),
    "forceescape": _weighed(jinja.do_forceescape, 8),
    "format": _format,
    "groupby": _sorting(jinja.sync_do_groupby),
    "indent": _indent,
    "int": _weighed(_int),
    "items": _items,
    "join": _join,
    "last": jinja.do_last,
    "length": _length,
    "list": _list,
    "lower": _weighed(jinja.do_lower),
    "map": _per_item(jinja.sync_do_map),
    "max": _sorting(jinja.do_max),
    "min": _sorting(jinja.do_min),
    "pprint": _pprint,
    "random": jinja.do_random,
    "reject": _per_item(jinja.sync_do_reject),
    "rejectattr": _per_item(jinja.sync_do_rejectattr, names=2),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "safe": _weighed(jinja.do_mark_safe),
    "select": _per_item(jinja.sync_do_select),
    "selectattr": _per_item(jinja.sync_do_selectattr, names=2),
    "slice": _slice,
    "sort": _sorting(jinja.do_sort),
    "string": _weighed(soft_str),
    "striptags": _striptags,
    "sum": _sum,
    "title": _weighed(jinja.do_title, 32),
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _weighed(jinja.do_truncate, of_environment=True),
    "unique": _unique,
    "upper": _weighed(jinja.do_upper),
    "urlencode": _weighed(jinja.do_urlencode, 32),
    "urlize": _urlize,
    "wordcount": _weighed(jinja.do_wordcount, 16),
    "wordwrap": _wordwrap,
    "xmlattr": _xmlattr,
}
