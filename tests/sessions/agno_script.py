# mypy: ignore-errors
"""For a Python that has Agno, which is never that of the tests: ``write``, ``read`` or ``add`` and a place.

Agno itself writes sessions, reads what is there as JSON lines, or goes on with the session ``s1``.
"""

import json
import sys

from agno.db.base import SessionType
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunStatus
from agno.run.team import TeamRunOutput
from agno.run.workflow import WorkflowRunOutput
from agno.session.agent import AgentSession
from agno.session.workflow import WorkflowSession
from agno.workflow.types import StepOutput, StepRequirement

DONE = RunStatus.completed


def open_db(place):
    if "://" in place:
        from agno.db.postgres import PostgresDb

        return PostgresDb(db_url=place.replace("postgresql://", "postgresql+psycopg://"))
    from agno.db.sqlite import SqliteDb

    return SqliteDb(db_file=place)


def messages(*pairs):
    return [
        Message(id=f"m{number}", role=role, content=content, created_at=100)
        for number, (role, content) in enumerate(pairs)
    ]


def first_run():
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    said = messages(("system", "Be kind."), ("user", "Hi"), ("assistant", None), ("assistant", "Grüße"))
    said[2].tool_calls = [call]
    said.insert(3, Message(id="t", role="tool", content="noon", tool_call_id="c1", created_at=100))
    common = {"parent_run_id": "r1", "status": DONE, "created_at": 101}
    writer = RunOutput(run_id="a1", agent_id="writer", messages=said, content="Grüße", **common)
    member = RunOutput(run_id="b1", agent_id="helper", messages=messages(("user", "help?")), **common)
    team = TeamRunOutput(
        run_id="t1",
        team_id="desk",
        messages=messages(("user", "Hi"), ("assistant", "Both")),
        member_responses=[member],
        **common,
    )
    inner = WorkflowRunOutput(run_id="n1", workflow_name="Inner", input="in", content="out", **common)
    step = StepOutput(step_name="In", content="y")
    return WorkflowRunOutput(
        run_id="r1",
        input="Hi",
        content="Grüße",
        workflow_id="w1",
        workflow_name="Greeter",
        status=DONE,
        created_at=100,
        metadata={"k": [1, None]},
        step_results=[StepOutput(step_name="Write", step_id="st1", content={"a": 1}, steps=[step])],
        step_executor_runs=[writer, team, member, inner],
    )


def sessions():
    waits = StepRequirement(step_id="st2", step_name="Ask", step_index=1, requires_confirmation=True)
    paused = WorkflowRunOutput(
        run_id="r2",
        input={"q": "x"},
        workflow_name="Greeter",
        status=RunStatus.paused,
        created_at=110,
        step_requirements=[waits],
        paused_step_index=1,
    )
    failed = WorkflowRunOutput(
        run_id="r3",
        input="Bye",
        content="boom",
        workflow_name="Greeter",
        status=RunStatus.error,
        created_at=111,
    )
    yield WorkflowSession(
        session_id="s1",
        user_id="ada",
        workflow_id="w1",
        runs=[first_run(), paused, failed],
        session_data={"session_name": "Grüße", "session_state": {"n": 1}},
        workflow_data={"workflow_id": "w1", "name": "Greeter"},
        metadata={"x": 1},
        created_at=100,
        updated_at=100,
    )
    yield WorkflowSession(session_id="s2", workflow_id="w1", created_at=200, updated_at=200)
    run = RunOutput(run_id="x1", agent_id="writer", content="x", status=DONE, created_at=1)
    yield AgentSession(session_id="of an agent", agent_id="writer", runs=[run], created_at=1)


def keep(db, session, runs):
    db.upsert_session(session)
    if hasattr(db, "upsert_run"):  # Agno 3
        for place, run in runs:
            db.upsert_run(run, session_id=session.session_id, user_id=session.user_id, run_index=place)


def write(db):
    for session in sessions():
        keep(db, session, list(enumerate(session.runs or [])))


def add(db):
    session = db.get_session("s1", SessionType.WORKFLOW)
    run = WorkflowRunOutput(run_id="r9", input="Later", content="Yes", status=DONE, created_at=300)
    session.upsert_run(run)
    session.session_data["session_state"]["n"] += 1
    keep(db, session, [(None, run)])


def read(db):
    for session in db.get_sessions(session_type=SessionType.WORKFLOW, sort_by="created_at", sort_order="asc"):
        told = {
            "session": session.to_dict(),
            "history": session.get_workflow_history(),
            "writer": [message.content for message in session.get_messages(agent_id="writer")],
            "desk": [message.content for message in session.get_messages(team_id="desk")],
            "chat": [[turn.input, turn.output] for turn in session.get_chat_history()],
        }
        sys.stdout.write(json.dumps(told, default=str) + "\n")


if __name__ == "__main__":
    {"write": write, "add": add, "read": read}[sys.argv[1]](open_db(sys.argv[2]))
