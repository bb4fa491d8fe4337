"""What people have to decide before a paused run can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.sessions.plain import Convert, JsonObject, Part, field_names, known, objects, plain, plain_object


@dataclass(kw_only=True)
class StepRequirement(Part):
    """A step waits: for a yes, for values, for a choice, for a look at its output, or for its agent."""

    step_id: str
    step_name: str | None = None
    step_index: int | None = None
    step_type: str | None = None
    requires_confirmation: bool = False
    confirmation_message: str | None = None
    confirmed: bool | None = None
    requires_user_input: bool = False
    user_input_message: str | None = None
    user_input_schema: list[JsonObject] | None = None
    """Fields to fill in: ``{"name", "required", "value", ...}`` each."""
    user_input: JsonObject | None = None
    requires_route_selection: bool = False
    available_choices: list[str] | None = None
    allow_multiple_selections: bool = False
    selected_choices: list[str] | None = None
    requires_output_review: bool = False
    output_review_message: str | None = None
    requires_executor_input: bool = False
    executor_requirements: list[JsonObject] | None = None
    """What the step's agent or team waits for."""
    extra: JsonObject = field(default_factory=dict)
    """Fields of other makers, kept as they came."""

    @property
    def needs_confirmation(self) -> bool:
        """It waits for a yes or no."""
        return self.requires_confirmation and self.confirmed is None and not self.requires_output_review

    @property
    def needs_output_review(self) -> bool:
        """Its output waits to be looked at."""
        return self.requires_output_review and self.confirmed is None

    @property
    def needs_user_input(self) -> bool:
        """It waits for values."""
        if not self.requires_user_input:
            return False
        if self.user_input_schema:
            return any(
                item.get("required", True) and item.get("value") is None for item in self.user_input_schema
            )
        return not self.user_input

    @property
    def needs_route_selection(self) -> bool:
        """It waits for a choice."""
        return self.requires_route_selection and not self.selected_choices

    @property
    def needs_executor_resolution(self) -> bool:
        """Its agent or team waits for something."""
        return self.requires_executor_input and any(
            _is_open(item) for item in self.executor_requirements or ()
        )

    @property
    def is_resolved(self) -> bool:
        """It waits for nothing."""
        unconfirmed = self.requires_confirmation and self.confirmed is None
        return not (
            unconfirmed
            or self.needs_output_review
            or self.needs_user_input
            or self.needs_route_selection
            or self.needs_executor_resolution
        )

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data."""
        return _dump(self, self.extra, convert)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> StepRequirement:
        """The requirement of plain data, which stays as it is."""
        return cls(**_load(cls, data))  # type: ignore[arg-type]  # as plain as it was written


@dataclass(kw_only=True)
class ErrorRequirement(Part):
    """A step failed, and somebody has to say whether it is tried again or left out."""

    step_id: str
    step_name: str | None = None
    step_index: int | None = None
    error_message: str = ""
    error_type: str | None = None
    retry_count: int = 0
    decision: str | None = None
    """``retry`` or ``skip``."""
    extra: JsonObject = field(default_factory=dict)
    """Fields of other makers, kept as they came."""

    @property
    def needs_decision(self) -> bool:
        """Nobody has decided yet."""
        return self.decision is None

    @property
    def is_resolved(self) -> bool:
        """Somebody has decided."""
        return self.decision is not None

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data."""
        return _dump(self, self.extra, convert)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ErrorRequirement:
        """The requirement of plain data, which stays as it is."""
        return cls(**_load(cls, data))  # type: ignore[arg-type]  # as plain as it was written


def _dump(requirement: StepRequirement | ErrorRequirement, extra: JsonObject, convert: Convert) -> JsonObject:
    names = (name for name in field_names(type(requirement)) if name != "extra")
    return {**plain_object(extra), **{name: convert(getattr(requirement, name)) for name in names}}


def _load(record: type, data: Mapping[str, object]) -> dict[str, object]:
    extra = {str(key): plain(value) for key, value in data.items() if key not in field_names(record)}
    return {"step_id": "", **known(record, data, without=("extra",)), "extra": extra}


def _is_open(requirement: Mapping[str, object]) -> bool:
    """Whether a tool of an agent still waits: for a yes, for values, or for its result."""
    tool = requirement.get("tool_execution")
    if not isinstance(tool, Mapping):
        return requirement.get("confirmation") is None
    if tool.get("requires_confirmation") and tool.get("confirmed") is None:
        return requirement.get("confirmation") is None
    if tool.get("requires_user_input") and not tool.get("answered"):
        return any(item.get("value") is None for item in objects(tool.get("user_input_schema")))
    return bool(tool.get("external_execution_required")) and tool.get("result") is None
