"""Conditions on variables, as if-else nodes and loops have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError
from weft.nodes.comparison import COMPARISONS, UNARY, Comparison, Operator
from weft.nodes.config import SelectorField
from weft.variables import MISSING, File, Selector, Value, VariablePool, compile_template

LogicalOperator = Literal["and", "or"]
ExpectedValue: TypeAlias = str | list[str] | bool | list[bool] | None
_Test: TypeAlias = Callable[[VariablePool, Value, "list[Value]"], bool]

_OF_FILES: frozenset[Operator] = frozenset({"contains", "not contains", "all of"})
_CANNOT_COMPARE = (TypeError, ValueError, ArithmeticError, RecursionError)


class FileCondition(BaseModel):
    """A comparison of one attribute of files."""

    model_config = ConfigDict(extra="ignore")

    key: str
    comparison_operator: Operator
    value: ExpectedValue = None


class FileConditions(BaseModel):
    """What files in a list must be like."""

    model_config = ConfigDict(extra="ignore")

    logical_operator: LogicalOperator = "and"
    conditions: list[FileCondition] = Field(default_factory=list)


class Condition(BaseModel):
    """A comparison of one variable with what the file says it should be."""

    model_config = ConfigDict(extra="ignore")

    variable_selector: SelectorField = ()
    comparison_operator: Operator
    value: ExpectedValue = None
    """A text may have variables in it."""
    sub_variable_condition: FileConditions | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@dataclass(slots=True)
class Evaluation:
    """What conditions came to, and how."""

    result: bool = False
    inputs: list[Value] = field(default_factory=list)
    """`actual_value`, `expected_value` and `comparison_operator` of each condition that compared a value."""
    results: list[Value] = field(default_factory=list)
    """Of each condition that was looked at; the rest did not matter any more."""


class ConditionList:
    """Conditions joined by one operator, taken apart once.

    Without any condition `and` holds and `or` does not.
    """

    __slots__ = ("_decisive", "_tests", "selectors")

    def __init__(self, conditions: Sequence[Condition], logical_operator: LogicalOperator = "and") -> None:
        self._decisive = logical_operator == "or"
        self._tests = tuple(
            (condition.variable_selector, condition.comparison_operator, _compile(condition))
            for condition in conditions
        )
        self.selectors: tuple[Selector, ...] = tuple(
            dict.fromkeys(
                selector
                for condition in conditions
                for selector in (condition.variable_selector, *_selectors_in(condition.value))
                if selector
            )
        )
        """Every variable that may be looked at."""

    def evaluate(self, pool: VariablePool, evaluation: Evaluation | None = None) -> Evaluation:
        """Look at the conditions in order, until the rest does not matter any more.

        Args:
            pool: Where the variables are.
            evaluation: To be filled in; what was found out before an error stays in it.

        Raises:
            NodeFailedError: A variable is missing, whatever is asked of it, or its value does not suit the
                operator.
        """
        found = Evaluation() if evaluation is None else evaluation
        for selector, operator, test in self._tests:
            actual = pool.find(selector)
            if actual is MISSING:
                raise NodeFailedError(
                    f"condition on {'.'.join(selector) or 'no variable'!r}: the variable was not found; "
                    "no node that ran has set it"
                )
            try:
                result = test(pool, actual, found.inputs)
            except _CANNOT_COMPARE as error:
                raise NodeFailedError(
                    f"condition on {'.'.join(selector)!r}: cannot apply {operator!r}: {error}"
                ) from error
            found.results.append(result)
            if result is self._decisive:
                found.result = result
                return found
        found.result = not self._decisive
        return found


def evaluate(
    conditions: Sequence[Condition], logical_operator: LogicalOperator, pool: VariablePool
) -> Evaluation:
    """Look at conditions that are needed only once.

    Raises:
        NodeFailedError: As `ConditionList.evaluate`.
    """
    return ConditionList(conditions, logical_operator).evaluate(pool)


def _compile(condition: Condition) -> _Test:
    test = _compile_value(condition)
    if condition.comparison_operator not in _OF_FILES:
        return test
    of_files = _compile_files(condition)
    has_file_conditions = condition.sub_variable_condition is not None
    selector = condition.variable_selector

    def test_either(pool: VariablePool, actual: Value, inputs: list[Value]) -> bool:
        if isinstance(actual, list) and (
            all(isinstance(item, File) for item in actual)
            if actual
            else has_file_conditions or _declared_as_files(pool, selector)
        ):
            return of_files(actual)
        return test(pool, actual, inputs)

    return test_either


def _compile_value(condition: Condition) -> _Test:
    operator = condition.comparison_operator
    compare = COMPARISONS[operator]
    if operator in ("exists", "not exists"):
        return lambda pool, actual, inputs: compare(actual, None)
    is_unary = operator in UNARY
    value = condition.value
    template = compile_template(value) if isinstance(value, str) else None
    constant: Value = template.text if template is not None else value  # type: ignore[assignment]  # a list of texts is a list of values
    if template is not None and not template.selectors:
        template = None

    def test(pool: VariablePool, actual: Value, inputs: list[Value]) -> bool:
        expected = constant if template is None else template.render(pool)
        if not is_unary and expected is not None and _holds_booleans(actual):
            expected = (
                [_boolean(item) for item in expected] if isinstance(expected, list) else _boolean(expected)
            )
        inputs.append({"actual_value": actual, "expected_value": expected, "comparison_operator": operator})
        return compare(actual, expected)

    return test


def _compile_files(condition: Condition) -> Callable[[list[Value]], bool]:
    files = condition.sub_variable_condition
    if files is None:
        return _refuse_files
    combine = all if files.logical_operator == "and" else any
    tests = [_compile_attribute(item) for item in files.conditions]
    return lambda actual: combine([test(actual) for test in tests])


def _refuse_files(actual: list[Value]) -> bool:
    raise ValueError("a list of files needs conditions on an attribute of the files")


def _compile_attribute(condition: FileCondition) -> Callable[[list[Value]], bool]:
    operator = condition.comparison_operator
    compare = COMPARISONS[operator]
    # The text of the operator decides, also for what negates in another way.
    combine = all if "not" in operator else any
    key = condition.key
    expected: Value = condition.value  # type: ignore[assignment]  # a list of texts is a list of values
    if key == "extension" and isinstance(expected, str) and expected:
        expected = "." + expected.removeprefix(".")
    wants_text = key == "extension" and operator not in UNARY

    def test(files: list[Value]) -> bool:
        if wants_text and not isinstance(expected, str):
            raise TypeError("an extension can only be compared with a text")
        return combine([_compare_attribute(compare, file, key, expected) for file in files])

    return test


def _compare_attribute(compare: Comparison, file: Value, key: str, expected: Value) -> bool:
    try:
        actual = file.attribute(key)  # type: ignore[union-attr]  # only called for files
    except KeyError:
        raise ValueError(f"files have no attribute {key!r}") from None
    if key == "extension" and isinstance(actual, str) and actual:
        actual = "." + actual.removeprefix(".")
    return compare(actual, expected)  # type: ignore[arg-type]  # attributes are texts and numbers


def _declared_as_files(pool: VariablePool, selector: Selector) -> bool:
    return len(selector) == 2 and pool.type_of(selector) == "array[file]"


def _holds_booleans(actual: Value) -> bool:
    if isinstance(actual, list):
        return bool(actual) and all(isinstance(item, bool) for item in actual)
    return isinstance(actual, bool)


def _boolean(value: Value) -> bool:
    """A boolean from how a file spells it: as JSON, also as a number."""
    decoded = msgspec.json.decode(value) if isinstance(value, str) else value
    if not isinstance(decoded, int):
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(decoded)


def _selectors_in(value: ExpectedValue) -> Sequence[Selector]:
    return compile_template(value).selectors if isinstance(value, str) else ()


__all__ = [
    "Condition",
    "ConditionList",
    "Evaluation",
    "FileCondition",
    "FileConditions",
    "LogicalOperator",
    "evaluate",
]
