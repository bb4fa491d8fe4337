"""Environment and conversation variables as a file declares them.

Source: Dify app DSL, variable declarations.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Final, Literal, cast

import msgspec

from weft.errors import VariableError
from weft.graph.app_file import VariableDeclaration
from weft.graph.findings import Findings, kind_of_value
from weft.variables import Value, ValueType, coerce, matches

DeclarationKind = Literal["environment", "conversation"]

MAX_VARIABLE_BYTES: Final = 200 * 1024
"""Size of a value as JSON."""

_NUMBERS = ("number", "integer", "float")
_TYPES: dict[DeclarationKind, tuple[str, ...]] = {
    "environment": ("string", "secret", *_NUMBERS),
    "conversation": (
        "string",
        *_NUMBERS,
        "boolean",
        "object",
        "array[string]",
        "array[number]",
        "array[boolean]",
        "array[object]",
    ),
}
_IDS = uuid.UUID("5a1f4a3e-6d0c-5b7e-9c39-0f6f0c6a7d11")
"""Namespace of the ids of variables whose file gives none."""


def read_declarations(
    workflow: Mapping[str, object], kind: DeclarationKind, findings: Findings
) -> tuple[VariableDeclaration, ...]:
    """The variables of one kind; those that are wrong are left out and reported.

    Args:
        workflow: The file's ``workflow``.
        kind: Which list to read.
        findings: Where problems and warnings go.
    """
    path = f"workflow.{kind}_variables"
    items = workflow.get(f"{kind}_variables")
    if items is None:
        return ()
    if not isinstance(items, list):
        findings.error(
            "runtime_variables.invalid",
            path,
            f"{kind} variables must be a list, but are {kind_of_value(items)}",
            "export the app again",
        )
        return ()
    declared: dict[str, VariableDeclaration] = {}
    for index, item in enumerate(items):
        variable = _read(item, kind, f"{path}[{index}]", findings)
        if variable is None:
            continue
        if variable.name in declared:
            findings.warn(
                "runtime_variables.invalid_name",
                f"{path}[{index}].name",
                f"the {kind} variable {variable.name!r} is declared twice; the last declaration counts",
                "remove one of the two",
            )
            del declared[variable.name]
        declared[variable.name] = variable
    return _with_own_ids(declared.values(), kind)


def _with_own_ids(
    variables: Iterable[VariableDeclaration], kind: DeclarationKind
) -> tuple[VariableDeclaration, ...]:
    """The variables, each with an id that no other has: conversations store values by it."""
    ids: set[str] = set()
    result = []
    for variable in variables:
        own = replace(variable, id=_stable_id(kind, variable.name)) if variable.id in ids else variable
        ids.add(own.id)
        result.append(own)
    return tuple(result)


def _read(item: object, kind: DeclarationKind, path: str, findings: Findings) -> VariableDeclaration | None:
    if not isinstance(item, dict):
        findings.error(
            "runtime_variables.invalid_item",
            path,
            f"a {kind} variable must be a mapping, but is {kind_of_value(item)}",
            "remove it",
        )
        return None
    name = item.get("name")
    if not isinstance(name, str) or not name:
        findings.error(
            "runtime_variables.invalid_name",
            f"{path}.name",
            f"a {kind} variable has no name",
            "give it a name",
        )
    label = f"the {kind} variable {name!r}" if isinstance(name, str) and name else f"a {kind} variable"
    value_type = _read_type(item.get("value_type"), kind, label, path, findings)
    value = item.get("value")
    if value is None:
        findings.error(
            "runtime_variables.invalid_item",
            f"{path}.value",
            f"{label} has no value",
            "give it a value; the empty text and the empty list count as one",
        )
        return None
    if value_type is None:
        return None
    try:
        checked = _check_value(value, value_type, label)
    except VariableError as error:
        findings.error(
            "runtime_variables.invalid_item", f"{path}.value", str(error), "correct the value or the type"
        )
        return None
    if not isinstance(name, str) or not name:
        return None
    given_id, description = item.get("id"), item.get("description")
    return VariableDeclaration(
        id=given_id if isinstance(given_id, str) and given_id else _stable_id(kind, name),
        name=name,
        value_type=value_type,
        value=checked,
        description=description if isinstance(description, str) else "",
    )


def _read_type(
    given: object, kind: DeclarationKind, label: str, path: str, findings: Findings
) -> ValueType | None:
    if isinstance(given, str) and given in _TYPES[kind]:
        return "number" if given in _NUMBERS else cast(ValueType, given)
    shown = repr(given) if isinstance(given, str) else kind_of_value(given)
    what = "has no type" if given is None else f"is of the unsupported type {shown}"
    findings.error(
        "runtime_variables.invalid_item",
        f"{path}.value_type",
        f"{label} {what}",
        f"use one of: {', '.join(_TYPES[kind])}",
    )
    return None


def _check_value(value: object, value_type: ValueType, label: str) -> Value:
    """The value as its type has it.

    Raises:
        VariableError: It does not fit, or is too large.
    """
    if value_type == "number" and (not matches("number", value) or not isfinite(cast(float, value))):
        raise VariableError(f"{label} is declared as number, but its value is {kind_of_value(value)}")
    if value_type == "number":
        value = int(value) if isinstance(value, bool) else value
    try:
        checked = coerce(value_type, value, name=label)
        size = len(msgspec.json.encode(checked))
    except (VariableError, RecursionError) as error:
        raise VariableError(
            f"{label} is declared as {value_type}, but its value is {kind_of_value(value)} that does not fit"
        ) from error
    if size > MAX_VARIABLE_BYTES:
        raise VariableError(f"{label} is too large: {size} bytes, of which {MAX_VARIABLE_BYTES} are allowed")
    return checked


def _stable_id(kind: DeclarationKind, name: str) -> str:
    return str(uuid.uuid5(_IDS, f"{kind}.{name}"))
