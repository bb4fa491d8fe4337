"""One execution of a workflow."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from weft.sessions.executor_run import RunOutput, TeamRunOutput, is_agent, is_team
from weft.sessions.message import now
from weft.sessions.plain import SCALARS, Convert, JsonObject, Model, Part, Plain, held, known, objects, plain
from weft.sessions.requirement import ErrorRequirement, StepRequirement
from weft.sessions.status import RunStatus, parse_status
from weft.sessions.step import StepOutput

log = logging.getLogger(__name__)

_MAX_DEPTH = 10
"""Levels of workflows inside workflows that are read."""


@dataclass
class WorkflowRunOutput(Part):
    """What went into a run of a workflow, what came out of it, and what its steps did."""

    input: object = None
    """Text, a dict, a list, or a model."""
    content: object = None
    """The final output."""
    content_type: str = "str"
    workflow_id: str | None = None
    workflow_name: str | None = None
    run_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    """The run of the workflow that this one is a step of."""
    workflow_step_id: str | None = None
    images: list[Plain] | None = None
    videos: list[Plain] | None = None
    audio: list[Plain] | None = None
    files: list[Plain] | None = None
    response_audio: Plain | None = None
    step_results: list[StepOutput | list[StepOutput]] = field(default_factory=list)
    step_executor_runs: list[AnyRun] | None = None
    """Runs of agents, teams and workflows, in the order of execution; a team's members follow it."""
    workflow_agent_run: RunOutput | None = None
    """Of the agent that decides about the workflow, where it has one."""
    events: list[Plain] | None = None
    metrics: Plain | None = None
    """``{"steps": {name: {...}}, "duration": seconds}``."""
    metadata: JsonObject | None = None
    created_at: int = field(default_factory=now)
    """Unix seconds."""
    status: RunStatus | str = RunStatus.pending
    step_requirements: list[StepRequirement] | None = None
    error_requirements: list[ErrorRequirement] | None = None
    paused_step_index: int | None = None
    paused_step_name: str | None = None
    pause_kind: str | None = None
    """``step`` or ``executor``."""

    _NESTED: ClassVar[tuple[str, ...]] = (
        "step_results",
        "step_executor_runs",
        "workflow_agent_run",
        "step_requirements",
        "error_requirements",
        "status",
    )

    @property
    def is_paused(self) -> bool:
        """It waits for somebody."""
        return self.status == RunStatus.paused

    @property
    def is_cancelled(self) -> bool:
        """Somebody stopped it."""
        return self.status == RunStatus.cancelled

    @property
    def active_step_requirements(self) -> list[StepRequirement]:
        """Those that still wait."""
        return [item for item in self.step_requirements or () if not item.is_resolved]

    @property
    def active_error_requirements(self) -> list[ErrorRequirement]:
        """Those that still wait."""
        return [item for item in self.error_requirements or () if not item.is_resolved]

    @property
    def steps_requiring_confirmation(self) -> list[StepRequirement]:
        """Those that wait for a yes or no."""
        return [item for item in self.step_requirements or () if item.needs_confirmation]

    @property
    def steps_requiring_user_input(self) -> list[StepRequirement]:
        """Those that wait for values."""
        return [item for item in self.step_requirements or () if item.needs_user_input]

    @property
    def steps_requiring_route(self) -> list[StepRequirement]:
        """Those that wait for a choice."""
        return [item for item in self.step_requirements or () if item.needs_route_selection]

    @property
    def steps_requiring_output_review(self) -> list[StepRequirement]:
        """Those whose output waits to be looked at."""
        return [item for item in self.step_requirements or () if item.needs_output_review]

    @property
    def steps_requiring_executor_resolution(self) -> list[StepRequirement]:
        """Those whose agent or team waits."""
        return [item for item in self.step_requirements or () if item.needs_executor_resolution]

    @property
    def steps_with_errors(self) -> list[ErrorRequirement]:
        """Those that failed and wait for a decision."""
        return [item for item in self.error_requirements or () if item.needs_decision]

    def has_completed(self) -> bool:
        """Whether it came to its end, well or with an error."""
        return self.status in (RunStatus.completed, RunStatus.error)

    def get_content_as_string(self) -> str:
        """The content if it is text, else its JSON, non-ASCII letters kept."""
        if isinstance(self.content, str):
            return self.content
        if isinstance(self.content, Model):
            return self.content.model_dump_json(exclude_none=True)
        return json.dumps(plain(self.content), ensure_ascii=False)

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data, without what is absent; lists of steps are flattened."""
        found: JsonObject = {}
        for name, value in held(self):
            if type(value) in SCALARS:
                found[name] = value
            elif not value and name in ("step_results", "step_executor_runs"):
                continue
            elif name == "step_results":
                found[name] = [convert(step) for step in _flat(self.step_results)]
            elif name == "input" and isinstance(value, Model):
                found[name] = plain(value.model_dump(exclude_none=True))
            else:
                found[name] = convert(value)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WorkflowRunOutput:
        """The run of plain data, which stays as it is; unknown fields are left out.

        Workflows inside of workflows are read ten levels deep; what lies deeper is left out with a warning.
        """
        return cls.loaded(data, plain)

    @classmethod
    def loaded(cls, data: Mapping[str, object], convert: Convert) -> WorkflowRunOutput:
        """As `from_dict`; what lies in the data goes through `convert`."""
        return _load(data, convert, 0)


AnyRun: TypeAlias = RunOutput | TeamRunOutput | WorkflowRunOutput
"""What a step may have run."""


def _flat(steps: Iterable[StepOutput | list[StepOutput]]) -> Iterable[StepOutput]:
    for step in steps:
        if isinstance(step, list):
            yield from step
        else:
            yield step


def _load(data: Mapping[str, object], convert: Convert, depth: int) -> WorkflowRunOutput:
    fields = known(WorkflowRunOutput, data, without=WorkflowRunOutput._NESTED, convert=convert)
    if fields.get("created_at") is None:
        fields.pop("created_at", None)
    agent = data.get("workflow_agent_run")
    waiting = [*objects(data.get("step_requirements")), *objects(data.get("router_requirements"))]
    failed = objects(data.get("error_requirements"))
    executed = (_load_executed(item, convert, depth) for item in objects(data.get("step_executor_runs")))
    fields["step_results"] = [StepOutput.loaded(item, convert) for item in objects(data.get("step_results"))]
    fields["step_executor_runs"] = [run for run in executed if run is not None]
    if isinstance(agent, Mapping):
        fields["workflow_agent_run"] = RunOutput.loaded(agent, convert)
    if waiting or data.get("step_requirements") is not None:
        fields["step_requirements"] = [StepRequirement.from_dict(item) for item in waiting]
    if data.get("error_requirements") is not None:
        fields["error_requirements"] = [ErrorRequirement.from_dict(item) for item in failed]
    fields["status"] = parse_status(data.get("status"), RunStatus.pending)
    return WorkflowRunOutput.built(fields)


def _load_executed(data: Mapping[str, object], convert: Convert, depth: int) -> AnyRun | None:
    if is_team(data):
        return TeamRunOutput.loaded(data, convert)
    if is_agent(data) or not ("workflow_name" in data and "parent_run_id" in data):
        return RunOutput.loaded(data, convert)
    if depth < _MAX_DEPTH:
        return _load(data, convert, depth + 1)
    log.warning(
        "workflow %r is nested more than %d levels deep; it is left out",
        data.get("workflow_name"),
        _MAX_DEPTH,
    )
    return None
