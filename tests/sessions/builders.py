"""Sessions in few words, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from weft.sessions import (
    AnyRun,
    ExecutorRun,
    Message,
    RunOutput,
    RunStatus,
    TeamRunOutput,
    WorkflowRunOutput,
    WorkflowSession,
)

DONE = RunStatus.completed
ERROR = RunStatus.error
_ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool", "D": "developer"}


def said(text: str) -> Message:
    """A message of that content; its first letter is the role, and ``h:`` before it marks history."""
    content = text.removeprefix("h:")
    return Message(role=_ROLES.get(content[0], "user"), content=content, from_history=content != text)


def messages(texts: str) -> list[Message]:
    """Messages of those contents, separated by blanks."""
    return [said(text) for text in texts.split()]


def agent(
    agent_id: str, texts: str = "", status: RunStatus | str = DONE, run_id: str | None = None
) -> RunOutput:
    """The run of an agent."""
    return RunOutput(agent_id=agent_id, messages=messages(texts), status=status, run_id=run_id)


def team(team_id: str, texts: str = "", status: RunStatus | str = DONE) -> TeamRunOutput:
    """The run of a team."""
    return TeamRunOutput(team_id=team_id, messages=messages(texts), status=status, run_id=f"run of {team_id}")


def run(
    run_id: str | None = None,
    input: object = "in",
    content: object = "out",
    status: RunStatus | str = DONE,
    executed: Sequence[AnyRun] | None = None,
) -> WorkflowRunOutput:
    """A run of the workflow."""
    return WorkflowRunOutput(
        input,
        content,
        run_id=run_id,
        status=status,
        step_executor_runs=None if executed is None else [*executed],
    )


def session(*runs: WorkflowRunOutput) -> WorkflowSession:
    """A session of those runs."""
    return WorkflowSession("s", runs=[*runs])


def working(*executed: AnyRun) -> WorkflowSession:
    """A session of one run in which these happened."""
    return session(run("r", executed=executed))


def contents(found: Sequence[Message]) -> str:
    """What messages say, separated by blanks."""
    return " ".join(str(message.content) for message in found)


def ids(holder: WorkflowSession) -> list[str | None]:
    """Ids of runs."""
    return [item.run_id for item in holder.runs]


def one_of_each_status() -> list[WorkflowRunOutput]:
    """A run in every state, named after it."""
    return [run(status.name, status.name, f"{status.name} out", status) for status in RunStatus]


def executed_in_each_status() -> list[ExecutorRun]:
    """A run of the agent ``a1`` in every state."""
    return [agent("a1", status.name, status) for status in RunStatus]
