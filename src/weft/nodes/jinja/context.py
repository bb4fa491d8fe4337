"""What compiled templates ask of the rendering that they are part of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.utils import Joiner

from weft.nodes.jinja.functions import Function
from weft.nodes.jinja.meter import TEXTS, Meter, require_key
from weft.nodes.jinja.methods import METHODS
from weft.nodes.jinja.operators import compare, cut

_SHORT = 256


class MeteredContext(Context):
    """A context with the meter of its rendering."""

    meter: Meter

    def derived(self, locals: dict[str, Any] | None = None) -> MeteredContext:
        """A context for a block, which spends from the same meter."""
        context = super().derived(locals)
        assert isinstance(context, MeteredContext)
        context.meter = self.meter
        return context

    def tick(self, steps: int) -> bool:
        """Spend steps; true, so that it can stand in front of a condition."""
        self.meter.spend(steps)
        return True

    def show(self, value: Any) -> str:
        """The text of a value."""
        kind = type(value)
        if kind in TEXTS:
            if len(value) > _SHORT:
                self.meter.copy_text(value)
            return value  # type: ignore[no-any-return]  # it is a text
        self.meter.weigh(value)
        return str(value)

    def join(self, values: Sequence[Any]) -> str:
        """The texts of values in one, as ``~`` makes it."""
        texts = [value if type(value) in TEXTS else self.show(value) for value in values]
        self.meter.copy_text(*texts)
        return "".join(texts)

    def compare(self, left: Any, name: str, right: Any) -> bool:
        """A comparison, by the name that the syntax tree has for its operator."""
        return compare(self.meter, left, name, right)

    def compare_chain(self, left: Any, *steps: tuple[str, Callable[[], Any]]) -> bool:
        """A chain such as ``a < b < c``, which stops at the first that does not hold."""
        for name, make_right in steps:
            right = make_right()
            if not compare(self.meter, left, name, right):
                return False
            left = right
        return True

    def cut(self, value: Any, part: slice) -> Any:
        """A slice of a value."""
        return cut(self.meter, value, part)

    def key(self, value: Any) -> Any:
        """The value, if it may be a key."""
        return require_key(value)

    def invoke(self, target: Any, /, *args: Any, **named: Any) -> Any:
        """Call what a template may call.

        Raises:
            SecurityError: This is nothing that it may call.
        """
        meter = self.meter
        meter.spend(2 + len(args) // 16)
        kind = type(target)
        if kind is BuiltinMethodType or kind is MethodType:
            owner = type(target.__self__)
            rule = METHODS.get(owner, {}).get(target.__name__)
            if rule is not None:
                return rule(self.environment, meter, target, args, named)
        elif kind is Function:
            return target.call(meter, *args, **named)
        elif kind is Macro:
            return target(self.eval_ctx, *args, **named)
        elif kind is LoopContext or kind is Joiner or isinstance(target, Undefined):
            return target(*args, **named)
        raise SecurityError(f"a {kind.__name__} cannot be called")
