"""The provider ``maths``: the value of an expression.

The expression is read as a tree and walked; nothing of it is ever run. Only numbers, operators and the
functions below mean anything, and no number grows beyond some thousand digits.

Source: Dify built-in tools, provider ``maths``; as there, what cannot be computed is told as text.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, TextTool, ToolProvider
from weft.variables import Value

Number: TypeAlias = int | float | bool

_MAX_CHARS = 2000
_MAX_BITS = 10_000
"""Of a whole number; Python itself writes out some 14,000."""
_MAX_FACTORIAL = 1000
_MAX_DIGITS = 300

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    **{
        name: getattr(math, name)
        for name in (
            *("sqrt", "exp", "expm1", "log", "log10", "log1p", "log2"),
            *("sin", "cos", "tan", "sinh", "cosh", "tanh", "degrees", "radians"),
            *("floor", "ceil", "trunc", "hypot", "gcd"),
        )
    },
    **{f"arc{name}": getattr(math, f"a{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": getattr(math, f"a{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": math.atan2,
    "atan2": math.atan2,
    "abs": abs,
    "min": min,
    "max": max,
    "round": lambda number, digits=0: _round(number, digits),
    "where": lambda condition, one, other: one if condition else other,
}


def open_maths(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""
    return FixedTools(
        [
            TextTool(
                "maths",
                "eval_expression",
                "A tool for evaluating a math expression.",
                [ToolParameter(name="expression", required=True, description="Math expression")],
                _eval_expression,
            )
        ]
    )


async def _eval_expression(arguments: Mapping[str, Value], caller: Caller) -> str:
    expression = str(arguments["expression"]).strip()
    if not expression:
        return "Invalid expression"
    try:
        result = evaluate(expression)
    except ValueError as error:
        return f"Invalid expression: {expression}, error: {error}"
    return f'The result of the expression "{expression}" is {result}'


def evaluate(expression: str) -> Number:
    """The value of an expression.

    Raises:
        ValueError: It is none, names something unknown, has no value, or grows too large.
    """
    if len(expression) > _MAX_CHARS:
        raise ValueError(f"it has {len(expression)} characters; at most {_MAX_CHARS} are read")
    try:
        return _value(ast.parse(expression, mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"it cannot be read: {error.msg}") from error
    except ZeroDivisionError as error:
        raise ValueError("division by zero") from error
    except OverflowError as error:
        raise ValueError("the number becomes too large") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error
    except TypeError as error:
        raise ValueError(str(error)) from error


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(op, _value(left), _value(right))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compare(_value(left), ops, [_value(other) for other in others])
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test) else orelse)
        case ast.Call(func=function, args=args, keywords=[]):
            return _call(_function_name(function), [_value(arg) for arg in args])
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is no number, operator or known function")


def _binary(op: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        # What these make of small numbers may not fit into any memory, so it is foreseen.
        if isinstance(op, ast.LShift) and right > _MAX_BITS:
            raise ValueError("the number becomes too large")
        if isinstance(op, ast.Pow) and abs(left) > 1 and (left.bit_length() - 1) * right > _MAX_BITS:
            raise ValueError("the number becomes too large")
    return _bounded(_BINARY[type(op)](left, right))


def _compare(left: Number, ops: Sequence[ast.cmpop], others: Sequence[Number]) -> bool:
    for op, right in zip(ops, others, strict=True):
        if type(op) not in _COMPARE:
            raise ValueError("numbers can be compared by <, <=, ==, !=, >= and > only")
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _function_name(function: ast.expr) -> str:
    """The name of a function, with or without the module that models like to write before it."""
    match function:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="math" | "np" | "numpy"), attr=name):
            return name
        case _:
            return ast.unparse(function)


def _call(name: str, arguments: list[Number]) -> Number:
    if name == "pow" and len(arguments) == 2:
        return _binary(ast.Pow(), *arguments)
    if name == "factorial" and len(arguments) == 1:
        if not 0 <= arguments[0] <= _MAX_FACTORIAL or arguments[0] != int(arguments[0]):
            raise ValueError(f"factorials are known of whole numbers from 0 to {_MAX_FACTORIAL}")
        return math.factorial(int(arguments[0]))
    if name not in _FUNCTIONS:
        raise ValueError(f"there is no function {name!r}; known: {', '.join(sorted(_FUNCTIONS))}")
    return _bounded(_FUNCTIONS[name](*arguments))


def _round(number: Number, digits: Number) -> Number:
    if not -_MAX_DIGITS <= digits <= _MAX_DIGITS:
        raise ValueError(f"numbers are rounded to at most {_MAX_DIGITS} digits")
    return round(number, int(digits)) if digits else round(number)


def _bounded(number: object) -> Number:
    if isinstance(number, int):
        if number.bit_length() > _MAX_BITS:
            raise ValueError("the number becomes too large")
        return number
    if isinstance(number, float):
        return number
    raise ValueError("the result is no real number")
