"""A workflow of three steps in plain Python, whose session is kept and told to the next run.

The steps here are functions that need no network; put a call of a model in `answer` and nothing else changes.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from weft.sessions import (
    Message,
    RunOutput,
    RunStatus,
    SessionStore,
    StepOutput,
    WorkflowRunOutput,
    WorkflowSession,
    open_session_store,
)

T = TypeVar("T")

PRICES = {"oolong": 12, "matcha": 30}


def find_tea(question: str, history: str) -> str:
    """The tea that is spoken of: in the question, or else the last one in the history."""
    words = f"{history}\n{question}".lower().replace("?", " ").split()
    return next((word for word in reversed(words) if word in PRICES), "")


def look_up(tea: str) -> dict[str, object]:
    """What is known of a tea."""
    return {"tea": tea, "price": PRICES.get(tea)}


def answer(prompt: str, facts: dict[str, object]) -> str:
    """What a model would say."""
    if facts["price"] is None:
        return "Which tea do you mean?"
    return f"The {facts['tea']} costs {facts['price']} euros."


def run_workflow(session: WorkflowSession, question: str) -> WorkflowRunOutput:
    """One run: three steps, the last of which is told of earlier runs."""
    run = WorkflowRunOutput(
        question,
        run_id=str(uuid.uuid4()),
        session_id=session.session_id,
        user_id=session.user_id,
        workflow_id=session.workflow_id,
        workflow_name=session.workflow_name,
        status=RunStatus.running,
    )
    session.upsert_run(run)
    try:
        _steps(session, run, question)
    except Exception as error:  # whatever a step does, the session tells of it
        run.status, run.content = RunStatus.error, f"Workflow execution failed: {error}"
    return run


def _steps(session: WorkflowSession, run: WorkflowRunOutput, question: str) -> None:
    history = session.get_workflow_history_context(num_runs=3, escape=True) or ""
    tea = _step(run, "Find the tea", lambda: find_tea(question, history))
    facts = _step(run, "Look it up", lambda: look_up(tea))
    prompt = history + question  # the context ends with a newline: the message follows it directly
    said = _step(run, "Answer", lambda: answer(prompt, facts), run_id=f"{run.run_id}-answer")
    agent = RunOutput(
        run_id=f"{run.run_id}-answer",
        agent_id="answer",
        parent_run_id=run.run_id,
        messages=[Message(role="user", content=prompt), Message(role="assistant", content=said)],
        status=RunStatus.completed,
    )
    run.step_executor_runs = [agent]
    run.content, run.status = said, RunStatus.completed
    session.session_data["session_state"] = {"last_tea": tea}


def _step(run: WorkflowRunOutput, name: str, do: Callable[[], T], run_id: str | None = None) -> T:
    """Do a step and note what came of it."""
    try:
        made = do()
    except Exception as error:
        run.step_results.append(StepOutput(step_name=name, success=False, error=str(error)))
        raise
    run.step_results.append(StepOutput(step_name=name, content=made, step_run_id=run_id))
    return made


def ask(store: SessionStore, question: str) -> str:
    """One turn of the conversation: read, run, store."""
    session = store.get_session("tea-talk", user_id="ada", last_n_runs=10) or WorkflowSession(
        "tea-talk", user_id="ada", workflow_id="tea", workflow_name="Tea prices"
    )
    run = run_workflow(session, question)
    store.upsert_session(session)
    return run.get_content_as_string()


def main(path: Path) -> None:
    with open_session_store(path) as store:
        print(ask(store, "What is the oolong?"))
    with open_session_store(path) as store:  # another process, another day
        print(ask(store, "And for two of it?"))
        print(store.get_workflow_history_context("tea-talk", num_runs=1))

        session = store.get_session("tea-talk")
        assert session is not None
        assert [run.status for run in session.runs] == ["COMPLETED", "COMPLETED"]
        assert session.session_data["session_state"] == {"last_tea": "oolong"}
        prompt, _ = session.get_messages(agent_id="answer", last_n_runs=1)
        assert prompt.get_content_string().startswith("<workflow_history_context>\n[Workflow Run-1]\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder) / "sessions.db")
