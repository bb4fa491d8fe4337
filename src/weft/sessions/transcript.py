"""Which messages of executor runs are wanted, and in what order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import dropwhile

from weft.sessions.executor_run import ExecutorRun, RunOutput, TeamRunOutput
from weft.sessions.history import last
from weft.sessions.message import Message
from weft.sessions.workflow_run import WorkflowRunOutput


def get_messages_from_agent_runs(
    runs: Sequence[ExecutorRun],
    last_n_runs: int | None = None,
    limit: int | None = None,
    skip_roles: Collection[str] | None = None,
    skip_statuses: Collection[str] | None = None,
    skip_history_messages: bool = True,
) -> list[Message]:
    """The messages of runs, oldest first; of system messages only the first.

    Args:
        runs: In the order of execution.
        last_n_runs: Only those of the last so many runs that `skip_statuses` leaves; none for zero and less.
        limit: At most so many, counted from the newest. A system message counts as one and comes first. Tool
            messages whose call was cut off are left out, so that there may be fewer.
        skip_roles: Roles that are left out.
        skip_statuses: Runs in one of these states are left out.
        skip_history_messages: Leave out what was copied in from earlier runs.

    Returns:
        The very messages that the runs hold.
    """
    if skip_statuses:
        runs = [run for run in runs if run.status not in skip_statuses]
    wanted = [
        message
        for run in last(runs, last_n_runs)
        for message in run.messages or ()
        if not (message.from_history and skip_history_messages)
        and not (skip_roles and message.role in skip_roles)
    ]
    system = next((message for message in wanted if message.role == "system"), None)
    if limit is None:
        return [message for message in wanted if message.role != "system" or message is system]
    first = [] if system is None else [system]
    rest = last([message for message in wanted if message.role != "system"], limit - len(first))
    return [*first, *dropwhile(lambda message: message.role == "tool", rest)]


def get_messages_from_team_runs(
    team_id: str,
    runs: Sequence[ExecutorRun],
    last_n_runs: int | None = None,
    limit: int | None = None,
    skip_roles: Collection[str] | None = None,
    skip_statuses: Collection[str] | None = None,
    skip_history_messages: bool = True,
    skip_member_messages: bool = True,
) -> list[Message]:
    """As `get_messages_from_agent_runs`, of the runs of one team.

    Args:
        team_id: The team.
        runs: In the order of execution.
        last_n_runs: See there.
        limit: See there.
        skip_roles: See there.
        skip_statuses: See there.
        skip_history_messages: See there.
        skip_member_messages: Look at the team's own runs only, else at all that are given.
    """
    if skip_member_messages:
        runs = [run for run in runs if isinstance(run, TeamRunOutput) and run.team_id == team_id]
    return get_messages_from_agent_runs(
        runs, last_n_runs, limit, skip_roles, skip_statuses, skip_history_messages
    )


def agent_runs(runs: Iterable[WorkflowRunOutput], agent_id: str) -> list[ExecutorRun]:
    """The runs of one agent inside of runs of a workflow; not those inside of nested workflows."""
    return [
        executed
        for run in runs
        for executed in run.step_executor_runs or ()
        if isinstance(executed, RunOutput) and executed.agent_id == agent_id
    ]


def team_runs(
    runs: Iterable[WorkflowRunOutput], team_id: str, *, with_members: bool = False
) -> list[ExecutorRun]:
    """The runs of one team inside of runs of a workflow, each followed by its members' if they are wanted."""
    found: list[ExecutorRun] = []
    for run in runs:
        executed = [item for item in run.step_executor_runs or () if isinstance(item, ExecutorRun)]
        for item in executed:
            if isinstance(item, TeamRunOutput) and item.team_id == team_id:
                found.append(item)
                if with_members:
                    found.extend(_members(item, executed))
    return found


def _members(team: TeamRunOutput, executed: Sequence[ExecutorRun]) -> Iterator[ExecutorRun]:
    """Runs of the team's members: those that stand next to it in the run, then those only it knows."""
    listed = {id(member) for member in team.member_responses}
    named = {member.run_id for member in team.member_responses if member.run_id is not None}
    told: list[ExecutorRun] = []
    for item in executed:
        belongs = id(item) in listed or item.run_id in named
        under = team.run_id is not None and item.parent_run_id == team.run_id
        if item is not team and (belongs or under):
            told.append(item)
            yield item
    seen = {id(item) for item in told}
    ids = {item.run_id for item in told if item.run_id is not None}
    for member in team.member_responses:
        if id(member) not in seen and (member.run_id is None or member.run_id not in ids):
            yield member
