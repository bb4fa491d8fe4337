from __future__ import annotations

import pytest

from tests.sessions.builders import (
    ERROR,
    agent,
    contents,
    executed_in_each_status,
    run,
    session,
    team,
    working,
)
from weft.sessions import (
    RunOutput,
    RunStatus,
    TeamRunOutput,
    WorkflowRunOutput,
    WorkflowSession,
    get_messages_from_team_runs,
)


@pytest.mark.requirement("sessions-44", "sessions-45", "sessions-46", "sessions-47")
def test_one_of_the_ids_is_needed_as_soon_as_there_are_runs() -> None:
    assert session().get_messages() == []
    with pytest.raises(ValueError, match=r"^agent_id and team_id cannot be used together$"):
        session().get_messages(agent_id="a", team_id="b")
    for given in ({}, {"agent_id": ""}):
        with pytest.raises(ValueError, match=r"^agent_id or team_id must be provided$"):
            session(run("1")).get_messages(**given)  # type: ignore[arg-type]  # an id or nothing


@pytest.mark.requirement("sessions-48", "sessions-49", "sessions-50")
def test_messages_are_those_of_the_one_who_is_asked_about() -> None:
    assert contents(working(team("t1", "u")).get_messages(agent_id="", team_id="t1")) == "u"
    assert working(agent("a1", "u")).get_messages(agent_id="zz") == []
    assert session(run("1")).get_messages(agent_id="a1") == []


def state_b() -> WorkflowSession:
    return session(
        run("1", executed=[agent("a1", "sys1 u1 a1")]),
        run("2", executed=[agent("a1", "sys2 u2 a2"), team("t1", "tu")]),
    )


@pytest.mark.requirement("sessions-51", "sessions-52", "sessions-53", "sessions-54", "sessions-55")
@pytest.mark.requirement("sessions-56", "sessions-57", "sessions-58", "sessions-59", "sessions-60")
@pytest.mark.requirement("sessions-61", "sessions-62", "sessions-63")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "sys1 u1 a1 u2 a2"),
        ({"agent_id": None, "team_id": "t1"}, "tu"),
        ({"limit": 99}, "sys1 u1 a1 u2 a2"),
        ({"limit": 5}, "sys1 u1 a1 u2 a2"),
        ({"limit": 4}, "sys1 a1 u2 a2"),
        ({"limit": 3}, "sys1 u2 a2"),
        ({"limit": 2}, "sys1 a2"),
        ({"limit": 1}, "sys1"),
        ({"limit": 0}, "sys1"),
        ({"limit": -1}, "sys1"),
        ({"last_n_runs": 1}, "sys2 u2 a2"),
        ({"last_n_runs": 1, "limit": 2}, "sys2 a2"),
        ({"last_n_runs": 1, "limit": 100}, "sys2 u2 a2"),
        ({"last_n_runs": 0}, ""),
        ({"last_n_runs": -1, "limit": 3}, ""),
        ({"skip_roles": ["system"], "limit": 1}, "a2"),
        ({"skip_roles": ["user", "assistant"]}, "sys1"),
    ],
)
def test_the_system_message_counts_and_stays(wanted: dict[str, object], expected: str) -> None:
    found = state_b().get_messages(**{"agent_id": "a1", **wanted})  # type: ignore[arg-type]  # as each case needs
    assert contents(found) == expected


@pytest.mark.requirement("sessions-64", "sessions-65", "sessions-66", "sessions-67", "sessions-68")
@pytest.mark.parametrize(
    ("texts", "limit", "expected"),
    [
        ("u1 a1", 0, ""),
        ("u1 a1", -1, ""),
        ("u1 a1", 1, "a1"),
        ("u1 sys a1", None, "u1 sys a1"),
        ("u1 sys a1", 9, "sys u1 a1"),
        ("D1 u D2", 1, "D2"),
    ],
)
def test_a_limit_without_a_system_message_or_with_one_in_the_middle(
    texts: str, limit: int | None, expected: str
) -> None:
    assert contents(working(agent("a1", texts)).get_messages(agent_id="a1", limit=limit)) == expected


@pytest.mark.requirement("sessions-69", "sessions-70", "sessions-71")
def test_the_last_runs_are_runs_of_the_agent() -> None:
    both = working(agent("a1", "ux", run_id="same"), agent("a1", "uy", run_id="same"))
    assert contents(both.get_messages(agent_id="a1", last_n_runs=1)) == "uy"
    assert contents(both.get_messages(agent_id="a1")) == "ux uy"
    silent = session(run("1", executed=[agent("a1", "u1")]), run("2", executed=[RunOutput(agent_id="a1")]))
    assert silent.get_messages(agent_id="a1", last_n_runs=1) == []


STATE_C = "u1 acall t1 t2 a1 u2 a2"


@pytest.mark.requirement("sessions-72", "sessions-73", "sessions-74", "sessions-75", "sessions-76")
@pytest.mark.requirement("sessions-77", "sessions-78", "sessions-79", "sessions-80", "sessions-81")
@pytest.mark.parametrize(
    ("texts", "limit", "expected"),
    [
        (STATE_C, 7, STATE_C),
        (STATE_C, 6, "acall t1 t2 a1 u2 a2"),
        (STATE_C, 5, "a1 u2 a2"),
        (STATE_C, 4, "a1 u2 a2"),
        (f"t0 {STATE_C}", None, f"t0 {STATE_C}"),
        (f"t0 {STATE_C}", 99, STATE_C),
        (f"sys {STATE_C}", 7, "sys acall t1 t2 a1 u2 a2"),
        (f"sys {STATE_C}", 6, "sys a1 u2 a2"),
        (f"sys {STATE_C}", 5, "sys a1 u2 a2"),
        ("u1 acall t1 t2", 2, ""),
    ],
)
def test_results_of_tools_are_not_told_without_their_call(
    texts: str, limit: int | None, expected: str
) -> None:
    assert contents(working(agent("a1", texts)).get_messages(agent_id="a1", limit=limit)) == expected


@pytest.mark.requirement("sessions-82", "sessions-83", "sessions-84")
def test_copies_of_earlier_messages_are_told_only_when_asked_for() -> None:
    remembering = session(
        run("1", executed=[agent("a1", "u1 a1")]), run("2", executed=[agent("a1", "h:u1 h:a1 u2 a2")])
    )
    assert contents(remembering.get_messages(agent_id="a1")) == "u1 a1 u2 a2"
    copied = remembering.get_messages(agent_id="a1", skip_history_messages=False)
    assert contents(copied) == "u1 a1 u1 a1 u2 a2"
    changed = working(agent("a1", "h:sOLD sNEW u1"))
    assert contents(changed.get_messages(agent_id="a1")) == "sNEW u1"
    assert contents(changed.get_messages(agent_id="a1", skip_history_messages=False)) == "sOLD u1"


ALL = "pending running completed paused cancelled error regenerated"


@pytest.mark.requirement("sessions-85", "sessions-86", "sessions-87", "sessions-88", "sessions-90")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ALL),
        ({"skip_statuses": []}, ALL),
        ({"skip_statuses": [ERROR, RunStatus.cancelled]}, "pending running completed paused regenerated"),
        ({"skip_statuses": ["ERROR"]}, ALL.replace(" error", "")),
        ({"skip_statuses": [RunStatus.regenerated, ERROR], "last_n_runs": 2}, "paused cancelled"),
    ],
)
def test_states_are_skipped_before_runs_are_counted(wanted: dict[str, object], expected: str) -> None:
    holder = working(*(item for item in executed_in_each_status() if isinstance(item, RunOutput)))
    assert contents(holder.get_messages(agent_id="a1", **wanted)) == expected  # type: ignore[arg-type]


@pytest.mark.requirement("sessions-89", "sessions-97")
def test_the_state_of_the_workflow_does_not_matter_and_messages_are_the_sessions_own() -> None:
    holder = session(run("1", status=ERROR, executed=[agent("a1", "u1")]))
    (found,) = holder.get_messages(agent_id="a1", skip_statuses=[ERROR])
    found.content = "changed"
    assert contents(holder.get_messages(agent_id="a1")) == "changed"


def with_member(*, listed: bool, beside: bool) -> WorkflowSession:
    """A team whose member is known by standing in its list, beside it in the run, or both."""
    leader, member = team("t1", "uteam"), agent("m1", "umem", run_id="member")
    member.parent_run_id = leader.run_id if not listed else "r"
    leader.member_responses = [member] if listed else []
    return working(leader, *([member] if beside else []), agent("stranger", "uother"))


@pytest.mark.requirement("sessions-91", "sessions-92", "sessions-93")
@pytest.mark.parametrize(("listed", "beside"), [(True, True), (False, True), (True, False)])
def test_members_of_a_team_are_told_when_asked_for(listed: bool, beside: bool) -> None:
    holder = with_member(listed=listed, beside=beside)
    assert contents(holder.get_messages(agent_id="m1")) == ("umem" if beside else "")
    assert contents(holder.get_messages(team_id="t1")) == "uteam"
    assert contents(holder.get_messages(team_id="t1", skip_member_messages=False)) == "uteam umem"
    loaded = WorkflowSession.from_dict(holder.to_dict())
    assert loaded is not None
    assert contents(loaded.get_messages(team_id="t1", skip_member_messages=False)) == "uteam umem"


@pytest.mark.requirement("sessions-94")
def test_given_runs_are_narrowed_to_the_team_unless_members_are_asked_for() -> None:
    runs = [team("t1", "u1"), team("sub", "u2")]
    assert contents(get_messages_from_team_runs("t1", runs)) == "u1"
    assert contents(get_messages_from_team_runs("t1", runs, skip_member_messages=False)) == "u1 u2"


@pytest.mark.requirement("sessions-95", "sessions-96")
def test_agents_of_nested_workflows_and_the_deciding_agent_are_not_found() -> None:
    nested = WorkflowRunOutput(run_id="n", step_executor_runs=[agent("a1", "u1")])
    outer = run("1", executed=[nested])
    outer.workflow_agent_run = agent("decider", "u1")
    holder = session(outer)
    assert holder.get_messages(agent_id="a1") == []
    assert holder.get_messages(agent_id="decider") == []


def test_a_team_that_is_a_member_is_told_from_its_leaders_list_alone() -> None:
    leader = team("t1", "uteam")
    leader.member_responses = [TeamRunOutput(team_id="sub", messages=team("sub", "usub").messages)]
    found = working(leader).get_messages(team_id="t1", skip_member_messages=False)
    assert contents(found) == "uteam usub"
