"""A value that follows a JSON Schema, for models that do not think."""

from __future__ import annotations

from collections.abc import Mapping

_EMPTY: dict[object, object] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "null": None,
}
_DEEPEST = 20


def sample_of(schema: object, depth: int = 0) -> object:
    """The emptiest value that the schema's types, constants and required parts allow.

    Bounds, patterns and references are not looked at, so a demanding schema may still refuse it.
    """
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    if "const" in schema:
        return schema["const"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties")
        fields = properties if isinstance(properties, Mapping) else {}
        return {str(name): sample_of(field, depth + 1) for name, field in fields.items()}
    return _EMPTY.get(kind)
