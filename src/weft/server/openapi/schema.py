"""JSON schemas of types as they are on the wire: requests as they are read, answers as they are written."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from weft.server.openapi.operation import Schema
from weft.wire import RetrieverResource, SparseModel, StreamEventBase, WireModel, console

Mode = Literal["validation", "serialization"]
Key = tuple[Hashable, Mode]

REF: Final = "#/components/schemas/{model}"
_PRICE: Final[Schema] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?$"}
_COMMON_OF_EVENTS: Final = frozenset(
    {"conversation_id", "message_id", "created_at", "task_id", "workflow_run_id"}
)
"""A workflow app's events have no conversation, and some events name no run."""
_SOMETIMES: Final[Mapping[type[WireModel], frozenset[str]]] = {
    console.ChatMessage: frozenset({"from_account_name", "from_end_user_session_id"}),
    console.LoginAnswer: frozenset({"code", "message"}),
    console.NodeExecutionMetadata: frozenset(console.NodeExecutionMetadata.model_fields),
    console.TokenCosts: frozenset({"currency", "total_price"}),
    console.WorkflowRun: frozenset(
        {
            "conversation_id",
            "created_by_account",
            "error",
            "message_id",
            "retry_index",
            "triggered_from",
        }
    ),
    console.WorkflowVersionPage: frozenset({"total"}),
    RetrieverResource: frozenset({"created_at", "id", "message_id"}),
}
"""Keys that only some answers have: one model stands for what several operations tell of the same thing."""
_PAGE = re.compile(r"(?:Cursor)?Page_(\w+?)_$")
_ROWS = re.compile(r"Statistics_(\w+?)_$")


def schemas_of(types: Mapping[Key, Any]) -> tuple[dict[Key, Schema], dict[str, Schema]]:
    """Schemas of types, and the components that they refer to by `REF`.

    Args:
        types: Anything that pydantic describes, by any key and whether it is read or written.
    """
    adapters: list[tuple[Hashable, Mode, TypeAdapter[Any]]] = [
        (key, mode, TypeAdapter(kind)) for (key, mode), kind in types.items()
    ]
    made, rest = TypeAdapter.json_schemas(adapters, ref_template=REF, schema_generator=_Generator)
    components: dict[str, Schema] = rest.get("$defs", {})
    names = {name: _plain(name) for name in components}
    if len(set(names.values())) != len(names):
        raise ValueError(f"two components are called the same: {sorted(names.values())}")
    renamed = {REF.format(model=old): REF.format(model=new) for old, new in names.items()}
    found = {key: _with_names(schema, renamed) for key, schema in made.items()}
    return found, {names[name]: _with_names(schema, renamed) for name, schema in components.items()}


def _plain(name: str) -> str:
    name = _PAGE.sub(r"\1Page", name)
    return _ROWS.sub(r"\1Statistics", name)


def _with_names(value: Any, renamed: Mapping[str, str]) -> Any:
    match value:
        case str():
            return renamed.get(value, value)
        case dict():
            return {key: _with_names(item, renamed) for key, item in value.items() if key != "title"}
        case list():
            return [_with_names(item, renamed) for item in value]
        case _:
            return value


class _Generator(GenerateJsonSchema):
    """Tells of answers which keys are always there, which pydantic cannot know of models of ours."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        kind = schema["cls"]
        if self.mode == "validation" or "required" not in made:
            return made
        optional: set[str] = set()
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        if issubclass(kind, SparseModel):
            optional = {name for name, field in fields.items() if not field.is_required()} - kind.always
        elif issubclass(kind, console.SparseConsoleModel):
            optional = {name for name, field in fields.items() if not field.is_required()}
        elif issubclass(kind, StreamEventBase):
            optional = set(_COMMON_OF_EVENTS)
        if issubclass(kind, console.WorkflowDraft):
            # A draft is kept as it was written, also when it is no graph.
            made["properties"]["graph"]["anyOf"].append({"type": "object"})
        for base in kind.__mro__:
            optional |= _SOMETIMES.get(base, frozenset())
        made["required"] = [name for name in made["required"] if name not in optional]
        return made

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization":
            return not field.get("serialization_exclude")
        return super().field_is_required(field, total)

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        # A model that leaves keys out writes the others as they are.
        return None if schema["type"] == "function-wrap" else super().ser_schema(schema)

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return dict(_PRICE) if self.mode == "serialization" else super().decimal_schema(schema)
