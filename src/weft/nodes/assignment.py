"""What an assigner does to variables, all of it or nothing."""

from __future__ import annotations

import msgspec

from weft.errors import NodeFailedError
from weft.events import VariableUpdated
from weft.nodes.context import Context
from weft.variables import MISSING, Missing, Selector, Value, ValueType

_READ_ONLY = frozenset({"sys", "env", "rag"})
_MAX_BYTES_PER_CHAR = 6
"""Of a character in JSON: ``\\u0000``."""


class VariableOperatorNodeError(NodeFailedError):
    """A variable cannot be assigned."""


class VariableNotFoundError(VariableOperatorNodeError):
    """An assignment names a variable that there is not."""


class Assignment:
    """Changes of one node execution, on top of the pool until they are published.

    What is read through an assignment includes the changes that were made through it.
    """

    __slots__ = ("_changed", "_context", "_scratch", "_types")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scratch = context.pool.overlay()
        self._types: dict[Selector, ValueType] = {}
        self._changed: dict[Selector, None] = {}

    def find(self, selector: Selector) -> Value | Missing:
        """The present value at that path."""
        return self._scratch.find(selector)

    def target(self, selector: Selector) -> tuple[ValueType, Value]:
        """The type and the present value of a variable that is to be changed.

        Raises:
            VariableNotFoundError: There is no such variable, or no node may write it.
        """
        value = self._scratch.find(selector) if len(selector) == 2 else MISSING
        if value is MISSING:
            raise VariableNotFoundError(
                f"variable {'.'.join(selector)!r} was not found; only variables that exist can be assigned"
            )
        if selector[0] in _READ_ONLY:
            raise VariableNotFoundError(
                f"variable {'.'.join(selector)!r} is read-only; assign a conversation or a loop variable"
            )
        kind = self._types.get(selector)
        if kind is None:
            kind = self._types[selector] = self._scratch.type_of(selector)
        return kind, value

    def set(self, selector: Selector, value: Value) -> None:
        """Change a variable that `target` has found."""
        self._scratch.set(selector[0], selector[1], value)
        self._changed[selector] = None

    def publish(self, *, by_name: bool) -> None:
        """Write the changes into the pool, into the node's record, and say so.

        Args:
            by_name: Whether the record has each new value under its variable's name, too.

        Raises:
            VariableOperatorNodeError: A value is too large; then nothing was written.
        """
        context = self._context
        changes = [
            VariableUpdated(
                selector=selector,
                value=self._scratch.get(selector),
                value_type=self._types[selector],
                node_id=context.node_id,
            )
            for selector in self._changed
        ]
        for change in changes:
            if change.selector[0] == "conversation":
                _check_size(change, context.services.limits.max_variable_bytes)
        if by_name:
            context.process_data.update({change.selector[1]: change.value for change in changes})
        context.process_data["__updated_variables"] = [_record(change) for change in changes]
        for change in changes:
            context.pool.assign(change.selector, change.value)
            context.emit(change)


def _record(change: VariableUpdated) -> Value:
    return {
        "name": change.selector[1],
        "selector": list(change.selector),
        "value_type": change.value_type,
        "new_value": change.value,
    }


def _check_size(change: VariableUpdated, limit: int) -> None:
    value = change.value
    if value is None or isinstance(value, int | float):
        return
    if isinstance(value, str) and len(value) * _MAX_BYTES_PER_CHAR + 2 <= limit:
        return
    size = len(msgspec.json.encode(value))
    if size > limit:
        raise VariableOperatorNodeError(
            f"the new value of {'.'.join(change.selector)!r} takes {size} bytes, but a conversation variable "
            f"may take {limit}; store less, or raise the setting 'max_variable_bytes'"
        )
