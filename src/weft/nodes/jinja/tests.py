"""The tests of templates, as in ``x is defined``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from jinja2 import Environment, pass_context, pass_environment
from jinja2 import tests as jinja

from weft.nodes.jinja.context import MeteredContext
from weft.nodes.jinja.functions import Function

# What is tested has any type.
Test = Callable[..., Any]


def _comparing(name: str) -> Test:
    @pass_context
    def test(context: MeteredContext, left: Any, right: Any) -> bool:
        return context.compare(left, name, right)

    return test


def _of_text(check: Callable[[str], bool]) -> Test:
    @pass_context
    def test(context: MeteredContext, value: Any) -> bool:
        text = context.show(value)
        context.meter.read(len(text))
        return check(text)

    return test


def _of_number(check: Callable[..., bool]) -> Test:
    """A test that Python's ``%`` would make a format of, were it given a text."""

    def test(value: Any, *args: Any) -> bool:
        if not all(isinstance(number, int | float) for number in (value, *args)):
            raise TypeError("this test is for numbers")
        return check(value, *args)

    return test


@pass_environment
def _is_filter(environment: Environment, value: Any) -> bool:
    return isinstance(value, str) and value in environment.filters


@pass_environment
def _is_test(environment: Environment, value: Any) -> bool:
    return isinstance(value, str) and value in environment.tests


def _is_callable(value: Any) -> bool:
    return isinstance(value, Function) or callable(value)


_NAMES: Mapping[str, tuple[str, ...]] = {
    "eq": ("==", "eq", "equalto"),
    "ne": ("!=", "ne"),
    "gt": (">", "gt", "greaterthan"),
    "gteq": (">=", "ge"),
    "lt": ("<", "lt", "lessthan"),
    "lteq": ("<=", "le"),
    "in": ("in",),
}

_HARMLESS = (
    "boolean", "defined", "escaped", "false", "float", "integer", "iterable", "mapping", "none",
    "number", "sameas", "sequence", "string", "true", "undefined",
)  # fmt: skip

TESTS: Mapping[str, Test] = {
    **{name: cast(Test, jinja.TESTS[name]) for name in _HARMLESS},
    **{name: _comparing(operator) for operator, names in _NAMES.items() for name in names},
    "callable": _is_callable,
    "divisibleby": _of_number(jinja.test_divisibleby),
    "even": _of_number(jinja.test_even),
    "filter": _is_filter,
    "lower": _of_text(str.islower),
    "odd": _of_number(jinja.test_odd),
    "test": _is_test,
    "upper": _of_text(str.isupper),
}
