"""From JSON Schema, as APIs and servers describe what they take, to the parameters of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from weft.tools.parameter import ParameterType, ToolParameter
from weft.variables import Value

_TYPES: dict[str, ParameterType] = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}


_MAX_DEPTH = 12
"""References inside one another."""
_NO_MATTER = frozenset(
    {"example", "examples", "xml", "externalDocs", "discriminator", "$defs", "definitions"}
)


class References:
    """Finds what ``$ref`` means.

    Args:
        document: What references that begin with ``#/`` lead into.
    """

    def __init__(self, document: Mapping[str, object]) -> None:
        self._document = document

    def resolve(self, given: object) -> object:
        """What a reference leads to, or the thing itself.

        Raises:
            ValueError: It leads nowhere, out of the document, or round in a circle.
        """
        for _ in range(_MAX_DEPTH):
            if not isinstance(given, dict) or not isinstance(given.get("$ref"), str):
                return given
            given = self._follow(given["$ref"])
        raise ValueError("references lead round in a circle")

    def expand(self, given: object, around: tuple[str, ...] = ()) -> object:
        """A schema with everything that it refers to in place; what holds itself ends as anything.

        Args:
            given: The schema, or a part of it.
            around: References that led here.

        Raises:
            ValueError: A reference leads nowhere, or out of the document.
        """
        while isinstance(given, dict) and isinstance(given.get("$ref"), str):
            reference = given["$ref"]
            if reference in around or len(around) > _MAX_DEPTH:
                return {}
            given, around = self._follow(reference), (*around, reference)
        if isinstance(given, list):
            return [self.expand(item, around) for item in given]
        return self.expand_object(given, around) if isinstance(given, dict) else given

    def expand_object(self, given: Mapping[str, object], around: tuple[str, ...] = ()) -> dict[str, object]:
        """The same for a schema that is no reference itself."""
        expanded: dict[str, object] = {}
        for key, value in given.items():
            if key == "properties" and isinstance(value, dict):  # these have names of their own choice
                expanded[key] = {name: self.expand(inner, around) for name, inner in value.items()}
            elif key not in _NO_MATTER:
                expanded[key] = self.expand(value, around) if isinstance(value, dict | list) else value
        return _merged(expanded) if isinstance(expanded.get("allOf"), list) else expanded

    def _follow(self, reference: str) -> object:
        if not reference.startswith("#/"):
            raise ValueError(f"the reference {reference!r} leads elsewhere; put what it means here")
        found: object = self._document
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is None:
            raise ValueError(f"the reference {reference!r} leads nowhere")
        return found


def _merged(schema: dict[str, object]) -> dict[str, object]:
    """One object out of several that all apply."""
    parts = [part for part in as_list(schema.pop("allOf")) if isinstance(part, dict)]
    merged: dict[str, object] = {}
    for part in (*parts, schema):
        properties = {**as_mapping(merged.get("properties")), **as_mapping(part.get("properties"))}
        required = [*as_list(merged.get("required")), *as_list(part.get("required"))]
        merged.update(part)
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = required
    return merged


def as_mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def parameter_of(
    name: str, schema: Mapping[str, object], *, required: bool, description: str = ""
) -> ToolParameter:
    """A parameter for one property.

    Args:
        name: The property's.
        schema: What it may be; all references are resolved.
        required: Whether there must be one.
        description: Counts before the schema's own.
    """
    options = schema.get("enum")
    default = schema.get("default")
    said = schema.get("description")
    return ToolParameter(
        name=name,
        type=type_of(schema),
        required=required,
        description=description or (said if isinstance(said, str) else ""),
        default=cast("Value", default),
        options=tuple(item for item in options if isinstance(item, str)) if isinstance(options, list) else (),
        schema=dict(schema),
    )


def parameters_of(schema: Mapping[str, object]) -> list[ToolParameter]:
    """A parameter for each property of an object."""
    needed = as_list(schema.get("required"))
    return [
        parameter_of(str(name), as_mapping(inner), required=name in needed)
        for name, inner in as_mapping(schema.get("properties")).items()
    ]


def type_of(schema: Mapping[str, object]) -> ParameterType:
    """The type of what a schema describes; ``any`` where it leaves that open."""
    given = schema.get("type")
    if isinstance(given, list):  # a type, or null
        named = [kind for kind in given if kind != "null"]
        given = named[0] if len(named) == 1 else None
    if isinstance(given, str):
        return _TYPES.get(given, "any")
    for word in ("anyOf", "oneOf"):
        kinds = _alternatives(schema.get(word))
        if len(kinds) == 1:
            return kinds.pop()
    return "object" if "properties" in schema else "any"


def _alternatives(value: object) -> set[ParameterType]:
    choices = value if isinstance(value, list) else []
    return {
        type_of(choice) for choice in choices if isinstance(choice, dict) and choice.get("type") != "null"
    }
