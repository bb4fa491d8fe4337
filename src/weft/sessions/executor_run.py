"""What an agent or a team of agents did inside a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from weft.sessions.message import Message, now
from weft.sessions.plain import (
    SCALARS,
    Convert,
    JsonObject,
    Part,
    Plain,
    field_names,
    held,
    known,
    objects,
    plain,
)
from weft.sessions.status import RunStatus, parse_status

_MESSAGES = ("messages", "additional_input", "reasoning_messages")


@dataclass(kw_only=True)
class ExecutorRun(Part):
    """What runs of agents and of teams have in common."""

    run_id: str | None = None
    session_id: str | None = None
    parent_run_id: str | None = None
    """The workflow run it was part of, or the team's run for a member."""
    workflow_id: str | None = None
    workflow_step_id: str | None = None
    user_id: str | None = None
    input: object = None
    content: object = None
    content_type: str = "str"
    messages: list[Message] | None = None
    additional_input: list[Message] | None = None
    model: str | None = None
    model_provider: str | None = None
    model_provider_data: JsonObject | None = None
    metrics: Plain | None = None
    tools: list[Plain] | None = None
    images: list[Plain] | None = None
    videos: list[Plain] | None = None
    audio: list[Plain] | None = None
    files: list[Plain] | None = None
    response_audio: Plain | None = None
    citations: Plain | None = None
    references: list[Plain] | None = None
    followups: list[str] | None = None
    reasoning_content: str | None = None
    reasoning_steps: list[Plain] | None = None
    reasoning_messages: list[Message] | None = None
    events: list[Plain] | None = None
    metadata: JsonObject | None = None
    session_state: JsonObject | None = None
    requirements: list[Plain] | None = None
    created_at: int = field(default_factory=now)
    """Unix seconds."""
    status: RunStatus | str = RunStatus.running
    last_checkpoint_at_message_index: int | None = None
    forked_from_run_id: str | None = None
    forked_from_message_index: int | None = None
    forked_from_session_id: str | None = None
    regenerated_from: str | None = None
    """The run whose answer this one's replaces."""

    _NESTED: ClassVar[tuple[str, ...]] = (*_MESSAGES, "status", "member_responses")

    @property
    def is_paused(self) -> bool:
        """It waits for somebody."""
        return self.status == RunStatus.paused

    @property
    def is_cancelled(self) -> bool:
        """Somebody stopped it."""
        return self.status == RunStatus.cancelled

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data, without what is absent."""
        return {name: value if type(value) in SCALARS else convert(value) for name, value in held(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """The run of plain data, which stays as it is; unknown fields are left out."""
        return cls.loaded(data, plain)

    @classmethod
    def loaded(cls, data: Mapping[str, object], convert: Convert) -> Self:
        """As `from_dict`; what lies in the data goes through `convert`."""
        fields = known(cls, data, without=cls._NESTED, convert=convert)
        if fields.get("created_at") is None:
            fields.pop("created_at", None)
        for name in _MESSAGES:
            if data.get(name) is not None:
                fields[name] = [Message.loaded(item, convert) for item in objects(data[name])]
        if "member_responses" in field_names(cls):
            fields["member_responses"] = [
                _load_member(item, convert) for item in objects(data.get("member_responses"))
            ]
        status = parse_status(data.get("status"), RunStatus.running)
        fields["status"] = status
        return cls.built(fields)


@dataclass(kw_only=True)
class RunOutput(ExecutorRun):
    """What one agent did."""

    agent_id: str | None = None
    agent_name: str | None = None


@dataclass(kw_only=True)
class TeamRunOutput(ExecutorRun):
    """What a team did; its members' runs are in `member_responses`."""

    team_id: str | None = None
    team_name: str | None = None
    member_responses: list[RunOutput | TeamRunOutput] = field(default_factory=list)


def is_team(data: Mapping[str, object]) -> bool:
    """Whether plain data is the run of a team."""
    return "team_id" in data or "team_name" in data


def is_agent(data: Mapping[str, object]) -> bool:
    """Whether plain data is the run of an agent, and says so."""
    return "agent_id" in data or "agent_name" in data


def _load_member(data: Mapping[str, object], convert: Convert) -> RunOutput | TeamRunOutput:
    return TeamRunOutput.loaded(data, convert) if is_team(data) else RunOutput.loaded(data, convert)
