"""The one environment that all templates are compiled in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from weft.nodes.jinja.code import MeteredCode
from weft.nodes.jinja.context import MeteredContext
from weft.nodes.jinja.filters import FILTERS
from weft.nodes.jinja.functions import FUNCTIONS
from weft.nodes.jinja.meter import require_key
from weft.nodes.jinja.methods import ATTRIBUTES, METHODS
from weft.nodes.jinja.operators import BINARY
from weft.nodes.jinja.tests import TESTS

_MAX_TOKENS: Final = 30_000
_SUBSCRIPTED = (str, list, tuple, range)


class _ShortTemplates(Extension):
    """Refuses templates that would take seconds to compile."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Pass the tokens on, up to a number."""
        for number, token in enumerate(stream):
            if number > _MAX_TOKENS:
                raise TemplateSyntaxError(f"the template has more than {_MAX_TOKENS} parts", token.lineno)
            yield token


class MeteredEnvironment(ImmutableSandboxedEnvironment):
    """Compiles to code that counts its steps, and knows no attribute but those that are listed."""

    code_generator_class = MeteredCode
    context_class = MeteredContext
    intercepted_binops = frozenset(BINARY)

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False, extensions=[_ShortTemplates])
        self.globals = dict(FUNCTIONS)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing may be called but by `MeteredContext.invoke`."""
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator."""
        assert isinstance(context, MeteredContext)
        return BINARY[operator](context.meter, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What a value has under that name; an object's methods go before its keys."""
        kind = type(obj)
        if attribute in METHODS.get(kind, ()) or attribute in ATTRIBUTES.get(kind, ()):
            return getattr(obj, attribute)
        if kind is dict:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, Namespace) and not attribute.startswith("_"):
            return getattr(obj, attribute, self.undefined(obj=obj, name=attribute))
        if isinstance(obj, tuple) and attribute in ("grouper", "list"):
            return getattr(obj, attribute, self.undefined(obj=obj, name=attribute))
        if isinstance(obj, Undefined):
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """What stands in a value at that place."""
        require_key(argument)
        if isinstance(obj, Undefined):
            return obj[argument]
        try:
            if isinstance(obj, dict):
                return obj[argument]
            if isinstance(obj, _SUBSCRIPTED) and not isinstance(argument, str):
                return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)
