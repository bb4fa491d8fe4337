"""A conversation with a workflow: its runs, and the state between them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from weft.sessions import transcript
from weft.sessions.executor_run import ExecutorRun
from weft.sessions.history import history_context, history_pairs, last
from weft.sessions.message import Message, now
from weft.sessions.origin import Origin
from weft.sessions.plain import Convert, JsonObject, plain, plain_object
from weft.sessions.workflow_run import WorkflowRunOutput

log = logging.getLogger(__name__)


@dataclass
class WorkflowChatInteraction:
    """What went into a run and what came out of it, as they are kept."""

    input: object
    output: object


@dataclass
class WorkflowSession:
    """One conversation with one workflow.

    A plain record that can be changed freely. Nothing is stored until it is given to a store.
    """

    session_id: str
    user_id: str | None = None
    """Who talks to the workflow; a stored session belongs to them."""
    workflow_id: str | None = None
    workflow_name: str | None = None
    runs: list[WorkflowRunOutput] = None  # type: ignore[assignment]  # `None` becomes an empty list
    """In the order in which they were added. A given list is kept, not copied; dicts in it become runs."""
    session_data: JsonObject = None  # type: ignore[assignment]  # `None` becomes an empty dict
    """``session_name``, ``session_state``, ``session_metrics``, ``images``, ``videos``, ``audio``, or any."""
    workflow_data: JsonObject = None  # type: ignore[assignment]  # as above
    """What the workflow is: ``workflow_id``, ``name``, ``steps``."""
    metadata: JsonObject = None  # type: ignore[assignment]  # as above
    created_at: int = None  # type: ignore[assignment]  # `None` becomes now
    """Unix seconds."""
    updated_at: int = None  # type: ignore[assignment]  # as above
    """Unix seconds; storing the session sets it, nothing else does."""
    _origin: Origin | None = field(default=None, init=False, repr=False, compare=False)
    """What a store knows of it, so that it can tell what has changed."""
    _as_it_was: Callable[[], WorkflowSession] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    """The same for a stored conversation: makes it once more."""

    def __post_init__(self) -> None:
        moment = now()
        for name, default in (
            ("runs", []),
            ("session_data", {}),
            ("workflow_data", {}),
            ("metadata", {}),
            ("created_at", moment),
            ("updated_at", moment),
        ):
            if getattr(self, name) is None:
                setattr(self, name, default)
        for place, run in enumerate(self.runs):
            if isinstance(run, Mapping):
                self.runs[place] = WorkflowRunOutput.from_dict(run)

    def upsert_run(self, run: WorkflowRunOutput) -> None:
        """Add a run, or put it in the place of the one with the same id."""
        self.runs = [] if cast("object", self.runs) is None else self.runs
        for place, present in enumerate(self.runs):
            if present.run_id == run.run_id:
                self.runs[place] = run
                return
        self.runs.append(run)

    def get_run(self, run_id: str | None) -> WorkflowRunOutput | None:
        """The run of that id; not looked for inside of other runs."""
        return next((run for run in self.runs or () if run.run_id == run_id), None)

    def get_workflow_history(self, num_runs: int | None = None) -> list[tuple[str, str]]:
        """Input and output of completed runs as texts, oldest first.

        Args:
            num_runs: Only the last so many completed runs; none for zero and less.
        """
        return history_pairs(self.runs or (), num_runs)

    def get_workflow_history_context(
        self, num_runs: int | None = None, *, escape: bool = False
    ) -> str | None:
        """The history as text to put directly in front of a step's message; `None` if there is none.

        Args:
            num_runs: As in `get_workflow_history`.
            escape: Keep texts of earlier runs from ending the block or beginning a run in it.
        """
        return history_context(self.get_workflow_history(num_runs), escape=escape)

    def get_messages(
        self,
        agent_id: str | None = None,
        team_id: str | None = None,
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: Collection[str] | None = None,
        skip_statuses: Collection[str] | None = None,
        skip_history_messages: bool = True,
        skip_member_messages: bool = True,
    ) -> list[Message]:
        """The messages of one agent, or of one team, oldest first; of system messages only the first.

        Args:
            agent_id: The agent, also one that is a member of a team.
            team_id: The team.
            last_n_runs: Only those of its last so many runs, counted after `skip_statuses`; none for zero and
                less.
            limit: At most so many, counted from the newest. A system message counts as one and comes first.
                Tool messages whose call was cut off are left out.
            skip_roles: Roles that are left out.
            skip_statuses: Runs of the agent or team in one of these states are left out; by default none.
            skip_history_messages: Leave out what was copied in from earlier runs.
            skip_member_messages: Leave out what the members of the team said.

        Returns:
            The very messages that the session holds.

        Raises:
            ValueError: Both ids were given, or none while there are runs.
        """
        if agent_id and team_id:
            raise ValueError("agent_id and team_id cannot be used together")
        if not self.runs:
            return []
        wanted = (last_n_runs, limit, skip_roles, skip_statuses, skip_history_messages)
        if agent_id:
            return transcript.get_messages_from_agent_runs(
                transcript.agent_runs(self.runs, agent_id), *wanted
            )
        if team_id:
            runs = transcript.team_runs(self.runs, team_id, with_members=not skip_member_messages)
            return transcript.get_messages_from_team_runs(team_id, runs, *wanted, skip_member_messages)
        raise ValueError("agent_id or team_id must be provided")

    def get_messages_from_agent_runs(
        self,
        runs: Sequence[ExecutorRun],
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: Collection[str] | None = None,
        skip_statuses: Collection[str] | None = None,
        skip_history_messages: bool = True,
    ) -> list[Message]:
        """The messages of given runs; see `get_messages` for the rest."""
        return transcript.get_messages_from_agent_runs(
            runs, last_n_runs, limit, skip_roles, skip_statuses, skip_history_messages
        )

    def get_messages_from_team_runs(
        self,
        team_id: str,
        runs: Sequence[ExecutorRun],
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: Collection[str] | None = None,
        skip_statuses: Collection[str] | None = None,
        skip_history_messages: bool = True,
        skip_member_messages: bool = True,
    ) -> list[Message]:
        """The messages of given runs, by default of the team's own alone; see `get_messages` for the rest."""
        return transcript.get_messages_from_team_runs(
            team_id,
            runs,
            last_n_runs,
            limit,
            skip_roles,
            skip_statuses,
            skip_history_messages,
            skip_member_messages,
        )

    def get_chat_history(self, last_n_runs: int | None = None) -> list[WorkflowChatInteraction]:
        """Input and output of runs that have both, whatever their state.

        Args:
            last_n_runs: Look at the last so many of all runs, so that fewer may be found; none for zero and
                less.
        """
        return [
            WorkflowChatInteraction(run.input, run.content)
            for run in last(self.runs or [], last_n_runs)
            if run.input and run.content
        ]

    def to_dict(self) -> JsonObject:
        """The session as plain data; `runs` is `None` when there are none.

        Raises:
            ValueError: A run cannot be made plain.
            TypeError: Data of the session cannot.
        """
        return {
            "session_id": self.session_id,
            "user_id": self.user_id,
            "workflow_id": self.workflow_id,
            "workflow_name": self.workflow_name,
            "runs": [_plain_run(run) for run in self.runs] if self.runs else None,
            "session_data": plain_object(self.session_data),
            "workflow_data": plain_object(self.workflow_data),
            "metadata": plain_object(self.metadata),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object] | None) -> WorkflowSession | None:
        """The session of plain data, which stays as it is; `None` when it has no `session_id`.

        Unknown fields are left out, and so is, with a warning, what is no run among the runs.
        """
        return cls.loaded(data, plain)

    @classmethod
    def loaded(cls, data: Mapping[str, object] | None, convert: Convert) -> WorkflowSession | None:
        """As `from_dict`; what lies in the data goes through `convert`."""
        if data is None or data.get("session_id") is None:
            log.warning("a workflow session without session_id cannot be read; it is left out")
            return None
        given = data.get("runs")
        details = {
            name: convert(value) if isinstance(value, Mapping) else None
            for name, value in (
                (name, data.get(name)) for name in ("session_data", "workflow_data", "metadata")
            )
        }
        plain_fields = ("session_id", "user_id", "workflow_id", "workflow_name", "created_at", "updated_at")
        fields: dict[str, object] = {name: data.get(name) for name in plain_fields}
        fields["runs"] = _load_runs(given, convert) if isinstance(given, Sequence) else None
        return cls(**fields, **details)  # type: ignore[arg-type]  # as plain as it was written


def _load_runs(items: Sequence[object], convert: Convert) -> list[WorkflowRunOutput]:
    runs = []
    for item in items:
        if isinstance(item, WorkflowRunOutput):
            runs.append(item)
        elif isinstance(item, Mapping):
            runs.append(WorkflowRunOutput.loaded(item, convert))
        else:
            log.warning("a %s among the runs of a session is no run; it is left out", type(item).__name__)
    return runs


def _plain_run(run: WorkflowRunOutput | JsonObject) -> JsonObject:
    """The run's plain form; one that somebody has put there as a dict is that already."""
    if isinstance(run, dict):
        return run
    try:
        return run.to_dict()
    except Exception as error:  # a run holds anything, and anything may fail to become plain
        raise ValueError(f"Serialization failed: {error}") from error
