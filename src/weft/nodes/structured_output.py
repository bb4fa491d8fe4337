"""Replies that follow a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from weft.errors import NodeFailedError
from weft.nodes.json_reply import find_json_object
from weft.providers import Message
from weft.variables import Value

_INSTRUCTION = (
    "Reply with one JSON object and nothing else: no explanation, no Markdown fence. "
    "The object must be valid against this JSON Schema:\n"
)


class StructuredOutput:
    """A schema, and what it takes to have a model's reply follow it.

    Raises:
        NodeFailedError: What is given is no JSON Schema.
    """

    def __init__(self, schema: Mapping[str, object]) -> None:
        self.schema = dict(schema)
        validator_class = validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            validator_class.check_schema(self.schema)
        except (jsonschema.SchemaError, RecursionError) as error:
            reason = error.message if isinstance(error, jsonschema.SchemaError) else "it is nested too deeply"
            raise _failed(f"the schema for structured output is no JSON Schema: {reason}") from error
        # An empty registry: a `$ref` to elsewhere must not make the server fetch it.
        self._validator: Validator = validator_class(self.schema, registry=Registry())

    def instruct(self, messages: list[Message]) -> list[Message]:
        """The prompt with the schema in it, for models that cannot be bound to one."""
        text = _INSTRUCTION + json.dumps(self.schema, ensure_ascii=False)
        if messages and messages[0].role == "system" and isinstance(messages[0].content, str):
            return [Message("system", f"{messages[0].content}\n\n{text}"), *messages[1:]]
        return [Message("system", text), *messages]

    def parse(self, reply: str) -> dict[str, Value]:
        """The object in a reply.

        Raises:
            NodeFailedError: There is none, or it does not follow the schema.
        """
        value = find_json_object(reply)
        if value is None:
            raise _failed("the model's reply holds no JSON object, but structured output is on")
        try:
            problem = next(self._validator.iter_errors(cast("Any", value)), None)
        except (Unresolvable, RecursionError) as error:
            raise _failed(
                f"the schema for structured output refers to what it does not hold: {error}"
            ) from error
        if problem is not None:
            raise _failed(
                f"the model's reply does not follow the schema at {problem.json_path}: {problem.message}"
            )
        return value


def _failed(message: str) -> NodeFailedError:
    return NodeFailedError(message, error_type="LLMNodeError")
