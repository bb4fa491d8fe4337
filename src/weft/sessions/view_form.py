"""Forms that people fill in, as what the steps of a run require."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.sessions.plain import JsonObject, plain, plain_object
from weft.sessions.requirement import StepRequirement
from weft.sessions.status import RunStatus
from weft.sessions.step import StepOutput
from weft.sessions.workflow_run import WorkflowRunOutput
from weft.store import Form

_TYPES = {"file": "dict", "file-list": "list"}
"""Types of values by types of fields; all others are text."""


def show_forms(run: WorkflowRunOutput, forms: Sequence[Form]) -> None:
    """Say what a run waits for and has waited for, and where it stands if it is paused."""
    steps = [step for step in run.step_results if isinstance(step, StepOutput)]
    if forms:
        run.step_requirements = [_requirement(form, steps) for form in forms]
    if run.status == RunStatus.paused:
        place = next((place for place, step in enumerate(steps) if _is_paused(step)), None)
        if place is not None:
            run.paused_step_index, run.paused_step_name = place, steps[place].step_name
        if forms:
            run.pause_kind = "step"


def _is_paused(step: StepOutput) -> bool:
    return step.is_paused or any(_is_paused(inner) for inner in step.steps or ())


def _requirement(form: Form, steps: Sequence[StepOutput]) -> StepRequirement:
    """A form: fields are input of the user, and its actions are choices.

    One whose time is over requires nothing any more.
    """
    is_open = form.status == "waiting"
    submitted = form.submitted or {}
    asked = form.status != "expired"
    return StepRequirement(
        step_id=form.node_id,
        step_name=form.node_title,
        step_index=next((place for place, step in enumerate(steps) if step.step_id == form.node_id), None),
        step_type="Step",
        requires_user_input=asked and bool(form.inputs),
        user_input_message=form.content if is_open else form.rendered_content or form.content,
        user_input_schema=[_field(field, form, submitted) for field in form.inputs] or None,
        user_input=None if is_open or not asked else plain_object(submitted),
        requires_route_selection=asked and bool(form.actions),
        available_choices=[str(action.get("id")) for action in form.actions] or None,
        selected_choices=None if form.action_id is None else [form.action_id],
        extra={
            "form_id": form.id,
            "form_status": form.status,
            "actions": plain(form.actions),
            "created_at": int(form.created_at.timestamp() // 1),
            "expires_at": int(form.expires_at.timestamp() // 1),
        },
    )


def _field(field: Mapping[str, object], form: Form, submitted: Mapping[str, object]) -> JsonObject:
    name = str(field.get("output_variable_name"))
    source = field.get("option_source")
    options = source.get("value") if isinstance(source, Mapping) else None
    found: JsonObject = {
        "name": name,
        "field_type": _TYPES.get(str(field.get("type")), "str"),
        "required": True,
        "allowed_values": plain(options),
        "form_type": field.get("type"),
        "default": plain(form.resolved_defaults.get(name)),
    }
    held: JsonObject = {key: value for key, value in found.items() if value is not None}
    return {**held, "value": plain(submitted.get(name))}
