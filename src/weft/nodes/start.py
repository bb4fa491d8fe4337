"""The start node: what an app asks for, and the check of what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import InvalidRequestError, NodeFailedError
from weft.graph import NodeKind, NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import File, Value

if TYPE_CHECKING:
    from jsonschema import Draft7Validator

InputKind = Literal[
    "text-input",
    "paragraph",
    "select",
    "number",
    "checkbox",
    "file",
    "file-list",
    "json_object",
    "external_data_tool",
]
MakeFile = Callable[[str, Mapping[str, object], "StartVariable"], File | None]
"""Turns what a request says about a file into a file record; gets the variable's name and declaration too."""

_TEXTS = ("text-input", "paragraph", "select")
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


class StartVariable(BaseModel):
    """One field of the form that an app shows before it runs."""

    model_config = ConfigDict(extra="allow")

    variable: str
    label: str = ""
    type: InputKind = "text-input"
    required: bool = False
    default: Any = None
    max_length: int | None = None
    """Characters of a text, or files of a list; nothing and zero mean no limit."""
    options: list[str] = Field(default_factory=list)
    allowed_file_types: list[str] = Field(default_factory=list)
    allowed_file_extensions: list[str] = Field(default_factory=list)
    allowed_file_upload_methods: list[str] = Field(default_factory=list)
    json_schema: dict[str, Any] | None = None

    @field_validator("options", "allowed_file_types", "allowed_file_extensions", mode="before")
    @classmethod
    def _no_list(cls, value: object) -> object:
        return value or []

    @field_validator("allowed_file_upload_methods", mode="before")
    @classmethod
    def _no_methods(cls, value: object) -> object:
        return value or []

    @field_validator("required", mode="before")
    @classmethod
    def _not_required(cls, value: object) -> object:
        return bool(value)

    @field_validator("label", mode="before")
    @classmethod
    def _label(cls, value: object) -> object:
        return value if isinstance(value, str) else ""

    @field_validator("max_length", mode="before")
    @classmethod
    def _length(cls, value: object) -> object:
        return value or None

    @field_validator("json_schema", mode="before")
    @classmethod
    def _schema(cls, value: object) -> object:
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = json.loads(value)
            except ValueError as error:
                raise ValueError(f"json_schema is not valid JSON: {error}") from error
        return value or None

    def accept(self, given: Any, make_file: MakeFile) -> Value:
        """The value for the pool from what a request holds.

        Raises:
            InvalidRequestError: It does not fit the declaration.
        """
        if given is None and self.required:
            raise self._refuse(f"{self.variable} is required in input form")
        value: Any = self.default if given is None else given
        if value is None or (value == "" and self.type in ("file", "file-list") and not self.required):
            return None
        match self.type:
            case "text-input" | "paragraph" | "select":
                return self._text(value)
            case "number":
                return self._number(value)
            case "checkbox":
                return _checkbox(self._plain(value))
            case "file":
                return self._file(value, make_file)
            case "file-list":
                return self._files(value, make_file)
            case "json_object":
                if value and not isinstance(value, dict):
                    raise self._refuse(f"{self.variable} in input form must be a dict")
                return value  # type: ignore[no-any-return]  # decoded JSON
            case _:
                return self._plain(value)

    def _plain(self, value: Any) -> Value:
        """A value that may be anything but an object or a list with objects in it."""
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict) for item in items):
            raise self._refuse(f"Invalid input type for {[self.variable]}")
        return value.replace("\x00", "") if isinstance(value, str) else value

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise self._refuse(f"(type '{self.type}') {self.variable} in input form must be a string")
        text = value.replace("\x00", "")
        if self.type == "select":
            if text not in self.options:
                raise self._refuse(
                    f"{self.variable} in input form must be one of the following: {self.options}"
                )
        elif self.max_length and len(text) > self.max_length:
            raise self._refuse(
                f"{self.variable} in input form must be less than {self.max_length} characters"
            )
        return text

    def _number(self, value: object) -> int | float | None:
        if isinstance(value, int | float):
            return value
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                return float(value) if "." in value else int(value)
            except ValueError:
                pass
        raise self._refuse(f"{self.variable} in input form must be a valid number")

    def _file(self, value: object, make_file: MakeFile) -> File | None:
        if not isinstance(value, dict):
            raise self._refuse(f"{self.variable} in input form must be a file")
        return make_file(self.variable, value, self)

    def _files(self, value: object, make_file: MakeFile) -> list[Value]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._refuse(f"{self.variable} in input form must be a list of files")
        if self.max_length and len(value) > self.max_length:
            raise self._refuse(f"{self.variable} in input form must be less than {self.max_length} files")
        files = (make_file(self.variable, item, self) for item in value)
        return [file for file in files if file is not None]

    def _refuse(self, message: str) -> InvalidRequestError:
        return InvalidRequestError(message, {f"inputs.{self.variable}": message})


class StartConfig(NodeConfig):
    """The fields that the app asks for."""

    variables: list[StartVariable] = Field(default_factory=list)


class StartNode(Node[StartConfig]):
    """Begins a run: its outputs are the accepted inputs and the system variables."""

    config_type: ClassVar[type[NodeConfig]] = StartConfig
    kind: ClassVar[NodeKind] = "root"
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Compile the schemas of JSON inputs."""
        self._schemas = {
            variable.variable: _schema_of(variable.json_schema)
            for variable in self.config.variables
            if variable.type == "json_object" and variable.json_schema
        }

    def accept(self, inputs: Mapping[str, object], make_file: MakeFile) -> dict[str, Value]:
        """The declared inputs out of those given; undeclared ones are dropped.

        Raises:
            InvalidRequestError: The first field that does not fit.
        """
        return {
            variable.variable: variable.accept(inputs.get(variable.variable), make_file)
            for variable in self.config.variables
        }

    async def run(self, context: Context) -> NodeResult:
        """Show the inputs and the system variables.

        Raises:
            NodeFailedError: A JSON input does not match its schema.
        """
        outputs: dict[str, Value] = dict(context.pool.all(self.id))
        for name, schema in self._schemas.items():
            self._check(name, schema, outputs.get(name))
        for name, value in context.pool.all("sys").items():
            outputs[f"sys.{name}"] = value
        context.inputs = outputs
        return NodeResult(outputs)

    def _check(self, name: str, schema: Draft7Validator, value: Value) -> None:
        if not value:
            return
        error = next(schema.iter_errors(value), None)
        if error is not None:
            raise NodeFailedError(
                f"JSON object for {name!r} does not match its schema: {error.message}", node_id=self.id
            )


def _schema_of(schema: dict[str, Any]) -> Draft7Validator:
    from jsonschema import Draft7Validator, SchemaError  # slow to import, and few apps ask for JSON
    from referencing import Registry

    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"json_schema is no JSON Schema: {error.message}") from error
    return Draft7Validator(schema, registry=Registry())  # an empty registry fetches no address


def _checkbox(value: object) -> Value:
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return value  # type: ignore[return-value]  # decoded JSON
