"""How a human-input node is configured: its text, its fields, its actions, and how long it waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from weft.nodes.config import NodeConfig, SelectorField
from weft.variables import MISSING, Selector, Value, VariablePool

TIMEOUT = "__timeout"
"""The way out of a node that nobody answered in time."""

FieldType = Literal["text_input", "paragraph", "select", "file", "file-list"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class FieldDefault(_Part):
    """What stands in a field at first."""

    type: Literal["constant", "variable"] = "constant"
    selector: SelectorField = ()
    value: object = ""

    @field_validator("selector", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []

    @property
    def source(self) -> Selector | Value:
        """The variable to read, or the value itself."""
        if self.type == "variable":
            return self.selector
        return self.value  # type: ignore[return-value]  # what a file holds is plain data


class OptionSource(_Part):
    """Where the choices of a field come from."""

    type: Literal["constant", "variable"] = "constant"
    selector: SelectorField = ()
    value: list[str] = Field(default_factory=list)

    @field_validator("selector", "value", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []


class FormField(_Part):
    """One field; its value becomes an output of the node."""

    type: FieldType = "text_input"
    output_variable_name: str = Field(min_length=1)
    default: FieldDefault | None = None
    option_source: OptionSource | None = None
    allowed_file_types: list[str] | None = None
    allowed_file_extensions: list[str] | None = None
    allowed_file_upload_methods: list[str] | None = None
    number_limits: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _early(cls, data: object) -> object:
        """Early files wrote `placeholder` for the default, and the type with a hyphen."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "default" not in data and isinstance(data.get("placeholder"), dict):
            data["default"] = data["placeholder"]
        if data.get("type") == "text-input":
            data["type"] = "text_input"
        return data

    @property
    def reads(self) -> Sequence[Selector]:
        """The variables that it shows."""
        sources = (self.default, self.option_source)
        return [
            source.selector
            for source in sources
            if source is not None and source.type == "variable" and len(source.selector) >= 2
        ]

    def shown(self, pool: VariablePool) -> dict[str, Value]:
        """The field as the form shows it, with its choices looked up."""
        shown: dict[str, Value] = self.model_dump(
            mode="json", exclude_none=True, exclude={"default", "option_source"}
        )
        shown["default"] = None if self.default is None else self.default.model_dump(mode="json")
        source = self.option_source
        if source is not None:
            found = pool.find(source.selector) if source.type == "variable" else MISSING
            options = [str(item) for item in found] if isinstance(found, list) else list(source.value)
            shown["option_source"] = {**source.model_dump(mode="json"), "value": list(options)}
        return shown


class UserAction(_Part):
    """One button of the form, which is one way out of the node."""

    id: str = Field(min_length=1, max_length=20, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    title: str = Field(default="", max_length=100)
    button_style: Literal["primary", "default", "accent", "ghost"] = "default"


class DeliveryMethod(_Part):
    """How a form reaches a person."""

    type: str = "webapp"
    enabled: bool = True


class HumanInputConfig(NodeConfig):
    """What is asked, how it can be answered, and for how long."""

    delivery_methods: list[DeliveryMethod] = Field(default_factory=list)
    form_content: str = ""
    """Markdown with variables, and ``{{#$output.name#}}`` where a field goes."""
    inputs: list[FormField] = Field(default_factory=list)
    user_actions: list[UserAction] = Field(default_factory=list)
    timeout: int = Field(default=36, ge=1, le=1_000_000)
    timeout_unit: Literal["hour", "day"] = "hour"

    @field_validator("delivery_methods", "inputs", "user_actions", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []

    @field_validator("form_content", mode="before")
    @classmethod
    def _text_content(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("inputs")
    @classmethod
    def _different_names(cls, value: list[FormField]) -> list[FormField]:
        _refuse_twins("field", [field.output_variable_name for field in value])
        return value

    @field_validator("user_actions")
    @classmethod
    def _different_ids(cls, value: list[UserAction]) -> list[UserAction]:
        _refuse_twins("action", [action.id for action in value])
        return value

    @property
    def patience(self) -> timedelta:
        """How long the form can be answered."""
        return timedelta(**{f"{self.timeout_unit}s": self.timeout})

    @property
    def in_web_app(self) -> bool:
        """Whether the form is shown where the conversation goes on."""
        return any(method.type == "webapp" and method.enabled for method in self.delivery_methods)

    @property
    def by_token(self) -> bool:
        """Whether callers get a token to answer with: not where the form only goes out in other ways."""
        return self.in_web_app or not any(method.enabled for method in self.delivery_methods)


def _refuse_twins(what: str, names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"the {what} name {twins[0]!r} stands there twice")
