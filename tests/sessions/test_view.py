from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from tests.sessions.builders import contents
from tests.sessions.conversation import Talk
from tests.store.rows import START
from weft.sessions import (
    RunOutput,
    RunStatus,
    StepOutput,
    StepRequirement,
    TeamRunOutput,
    Turn,
    WorkflowChatInteraction,
    WorkflowRunOutput,
    WorkflowSession,
    session_of_run,
)
from weft.store import Message, MessageFile, NodeExecution, Run


@pytest.fixture
def talk() -> Talk:
    return Talk()


def three_turns(talk: Talk) -> Talk:
    talk.turn("one", "first")
    talk.turn("two", "", "failed")
    talk.turn("three", "third")
    return talk


def test_a_conversation_is_a_session(talk: Talk) -> None:
    talk.variables = [talk.rows.variable(talk.conversation, "notes", ["a"])]
    three_turns(talk)
    found = talk.session().to_dict()
    found.pop("runs")
    began = int(START.timestamp())
    assert found == {
        "session_id": talk.conversation.id,
        "user_id": "ada",
        "workflow_id": talk.app.id,
        "workflow_name": "Tea shop",
        "session_data": {
            "session_name": "Rain",
            "session_state": {"notes": ["a"]},
            "session_metrics": {
                "input_tokens": 15,
                "output_tokens": 21,
                "total_tokens": 36,
                "duration": 4.5,
                "cost_by_currency": {"USD": "0.003"},
                "cost": 0.003,
            },
        },
        "workflow_data": {
            "workflow_id": talk.app.id,
            "app_id": talk.app.id,
            "name": "Tea shop",
            "mode": "advanced-chat",
            "version": talk.workflow.version,
            "graph_hash": "hash of one",
            "nodes": [
                {"id": "llm", "title": "Ask", "type": "llm"},
                {"id": "few", "title": "Few", "type": "llm"},
            ],
        },
        "metadata": {
            "tags": ["weather", "日本"],
            "source": "api",
            "invoke_from": "service-api",
            "dialogue_count": 1,
            "status": "normal",
            "introduction": "Hello Köln",
            "inputs": {"city": "Köln"},
            "end_user": {
                "id": talk.user.id,
                "type": "service-api",
                "external_user_id": "ada",
                "name": None,
                "is_anonymous": False,
            },
        },
        "created_at": began,
        "updated_at": began,
    }


def test_a_turn_is_a_run(talk: Talk) -> None:
    stored = talk.turn("one", "first", "partial-succeeded", exceptions_count=2)
    (message,), (execution,) = talk.messages, talk.executions
    (run,) = talk.session().runs
    assert run.status is RunStatus.completed
    assert (run.run_id, run.input, run.content, run.workflow_id) == (
        stored.id,
        "one",
        "first",
        talk.workflow.id,
    )
    assert (run.session_id, run.user_id, run.created_at) == (
        talk.conversation.id,
        "ada",
        int(START.timestamp()),
    )
    metrics = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12, "cost": 0.001, "duration": 0.25}
    assert run.step_results == [
        StepOutput(
            step_name="Ask",
            step_id="llm",
            step_type="Step",
            executor_type="agent",
            executor_name="Ask",
            step_run_id=execution.id,
            content=dict(execution.outputs or {}),
            metrics=metrics,
        )
    ]
    named = {"step_name": "Ask", "executor_type": "agent", "executor_name": "Ask", "metrics": metrics}
    assert run.metrics == {"steps": {"Ask": named}, "duration": 1.5}
    assert run.metadata == {
        "message_id": message.id,
        "parent_message_id": None,
        "inputs": {"city": "Köln"},
        "retriever_resources": [],
        "run_status": "partial-succeeded",
        "version": stored.version,
        "task_id": stored.task_id,
        "log_id": stored.log_id,
        "exceptions_count": 2,
    }
    assert run.step_executor_runs is not None
    team, agent = run.step_executor_runs
    assert isinstance(team, TeamRunOutput)
    assert isinstance(agent, RunOutput)
    assert (team.team_id, team.parent_run_id, team.member_responses) == (talk.app.id, stored.id, [agent])
    assert (agent.agent_id, agent.agent_name, agent.run_id) == ("llm", "Ask", execution.id)
    assert (agent.parent_run_id, agent.workflow_step_id, agent.status) == (stored.id, "llm", "COMPLETED")
    assert (agent.model, agent.model_provider, agent.content) == ("gpt", "openai", "first")
    assert agent.messages is not None
    assert [(item.role, item.content, item.metrics) for item in agent.messages] == [
        ("system", "Be kind.", None),
        ("user", "one", None),
        ("assistant", "first", metrics),
    ]


@pytest.mark.parametrize(
    ("status", "answer", "expected", "content"),
    [
        ("scheduled", "", RunStatus.pending, None),
        ("running", "par", RunStatus.running, "par"),
        ("succeeded", "yes", RunStatus.completed, "yes"),
        ("partial-succeeded", "yes", RunStatus.completed, "yes"),
        ("failed", "", RunStatus.error, None),
        ("failed", "par", RunStatus.error, "par"),
        ("stopped", "par", RunStatus.cancelled, "par"),
        ("paused", "", RunStatus.paused, None),
    ],
)
def test_the_states_of_runs(
    talk: Talk, status: str, answer: str, expected: RunStatus, content: str | None
) -> None:
    talk.turn("q", answer, status)
    (run,) = talk.session().runs
    assert (run.status, run.content) == (expected, content)
    assert (run.metadata or {}).get("error") == ("boom" if status == "failed" else None)


def test_the_run_of_an_app_without_conversations_is_a_session(talk: Talk) -> None:
    talk.turn("one", "first")
    stored = replace(
        talk.runs[0],
        mode="workflow",
        message_id=None,
        conversation_id=None,
        inputs={"text": "Long.", "sys.user_id": "ada"},
        outputs={"summary": "Short."},
    )
    found = session_of_run(stored, talk.executions, app=talk.app, end_user=talk.user, workflow=talk.workflow)
    (run,) = found.runs
    assert (found.session_id, found.user_id, run.run_id) == (stored.id, "ada", stored.id)
    assert (run.input, run.content) == ({"text": "Long."}, {"summary": "Short."})
    transcript = contents(found.get_messages(team_id=talk.app.id))
    assert transcript == '{"text": "Long."} {"summary": "Short."}'
    named = session_of_run(stored, app=talk.app, session_id="mine")
    assert (named.session_id, named.runs[0].session_id, named.user_id) == ("mine", "mine", None)


# What sessions over conversations have to keep true


def test_the_chat_history_is_what_a_chat_client_shows_without_turns_that_have_no_answer(talk: Talk) -> None:
    shown = three_turns(talk).messages
    expected = [WorkflowChatInteraction(item.query, item.answer) for item in shown if item.answer]
    assert talk.session().get_chat_history() == expected


def test_the_context_is_that_of_the_last_turns_that_succeeded(talk: Talk) -> None:
    for number, status in enumerate(
        ["succeeded", "failed", "partial-succeeded", "succeeded", "stopped", "succeeded"]
    ):
        talk.turn(f"q{number}", f"a{number}", status)
    by_hand = WorkflowSession("by hand")
    for number in (2, 3, 5):
        by_hand.upsert_run(
            WorkflowRunOutput(f"q{number}", f"a{number}", run_id=str(number), status="COMPLETED")
        )
    assert talk.session().get_workflow_history_context(3) == by_hand.get_workflow_history_context(3)


def test_each_turn_is_in_a_models_messages_once_though_the_model_remembers(talk: Talk) -> None:
    for query in ("one", "two", "three"):
        talk.turn(query, f"to-{query}")
    found = talk.session().get_messages(agent_id="llm")
    assert contents(found) == "Be kind. one to-one two to-two three to-three"
    copied = talk.session().get_messages(agent_id="llm", last_n_runs=1, skip_history_messages=False)
    assert contents(copied) == "Be kind. one to-one two to-two three to-three"


def test_an_answer_that_was_made_anew_leaves_one_completed_and_one_regenerated_run(talk: Talk) -> None:
    talk.turn("one", "first")
    parent = talk.messages[0].id
    talk.turn("two", "second", parent=parent)
    talk.turn("two", "better", parent=parent)
    session = talk.session()
    assert [(run.content, run.status) for run in session.runs] == [
        ("first", RunStatus.completed),
        ("second", RunStatus.regenerated),
        ("better", RunStatus.completed),
    ]
    assert session.get_workflow_history() == [("one", "first"), ("two", "better")]


@pytest.mark.parametrize("parent", [None, "", "00000000-0000-0000-0000-000000000000"])
def test_callers_that_know_no_branches_replace_nothing(talk: Talk, parent: str | None) -> None:
    talk.turn("one", "first", parent=parent)
    talk.turn("two", "second", parent=parent)
    assert [run.status for run in talk.session().runs] == [RunStatus.completed] * 2


def test_rows_that_went_through_an_archive_give_the_same_session(talk: Talk) -> None:
    three_turns(talk)
    kinds: tuple[tuple[str, list[object], type], ...] = (
        ("messages", [*talk.messages], Message),
        ("runs", [*talk.runs], Run),
        ("node_executions", [*talk.executions], NodeExecution),
    )
    restored: dict[str, object] = {
        name: [msgspec.json.decode(msgspec.json.encode(row), type=kind) for row in reversed(rows)]
        for name, rows, kind in kinds
    }
    assert talk.session(**restored).to_dict() == talk.session().to_dict()


def test_a_conversation_from_elsewhere_has_its_histories(talk: Talk) -> None:
    three_turns(talk)
    messages = [replace(message, run_id=None) for message in talk.messages]
    session = talk.session(messages=messages, runs=[], node_executions=[], workflow=None)
    assert [run.run_id for run in session.runs] == [message.id for message in messages]
    assert session.get_workflow_history() == [("one", "first"), ("three", "third")]
    assert len(session.get_chat_history()) == 2
    assert contents(session.get_messages(team_id=talk.app.id)) == "one first two three third"
    assert session.session_data["session_metrics"] == {
        "input_tokens": 15,
        "output_tokens": 21,
        "total_tokens": 36,
        "duration": 4.5,
        "cost_by_currency": {"USD": "0.003"},
        "cost": 0.003,
    }


def test_the_transcript_of_the_app_and_everything_that_its_models_said(talk: Talk) -> None:
    talk.turn("one", "first")
    session = talk.session()
    assert contents(session.get_messages(team_id=talk.app.id)) == "one first"
    full = session.get_messages(team_id=talk.app.id, skip_member_messages=False)
    assert contents(full) == "one first Be kind. one first"


def test_a_session_over_a_conversation_is_read_and_written_as_plain_data(talk: Talk) -> None:
    data = three_turns(talk).session().to_dict()
    loaded = WorkflowSession.from_dict(json.loads(json.dumps(data)))
    assert loaded is not None
    assert loaded.to_dict() == data


# Steps and agents


def names(steps: list[StepOutput]) -> list[object]:
    """Titles, with those inside of containers in lists behind them."""
    found: list[object] = []
    for step in steps:
        found.append(f"{step.step_name}:{step.step_type}")
        if step.steps:
            found.append(names(step.steps))
    return found


def test_steps_inside_of_containers_stand_under_the_innermost(talk: Talk) -> None:
    run = talk.turn(executed=False)

    def did(index: int, name: str, node_type: str, **details: object) -> None:
        execution = talk.rows.execution(run, index)
        talk.executions.append(replace(execution, node_id=name, title=name, node_type=node_type, **details))

    did(1, "start", "start")
    did(2, "loop", "loop")
    did(3, "each", "iteration", loop_id="loop", loop_index=0)
    did(4, "ask", "llm", loop_id="loop", loop_index=0, iteration_id="each", iteration_index=0)
    did(5, "each", "iteration", loop_id="loop", loop_index=1)
    did(6, "ask", "llm", loop_id="loop", loop_index=1, iteration_id="each", iteration_index=0, status="retry")
    did(7, "ask", "llm", loop_id="loop", loop_index=1, iteration_id="each", iteration_index=0)
    did(8, "if", "if-else")
    did(9, "sort", "question-classifier")
    did(10, "lost", "code", loop_id="never seen")
    (found,) = talk.session().runs
    steps = [step for step in found.step_results if isinstance(step, StepOutput)]
    assert names(steps) == [
        "start:Step",
        "loop:Loop",
        ["each:Loop", ["ask:Step"], "each:Loop", ["ask:Step", "ask:Step"]],
        "if:Condition",
        "sort:Router",
        "lost:Step",
    ]
    agents = [item.agent_id for item in found.step_executor_runs or () if isinstance(item, RunOutput)]
    assert agents == ["ask", "ask", "sort"]
    metrics = found.metrics
    assert isinstance(metrics, dict)
    steps_used = metrics["steps"]
    assert isinstance(steps_used, dict)
    assert steps_used["ask"]["metrics"]["duration"] == 0.5


def test_examples_in_the_prompt_of_a_model_that_does_not_remember_are_no_history(talk: Talk) -> None:
    run = talk.turn("one", "first", executed=False)
    prompts = [{"role": role, "text": role[0]} for role in ("system", "user", "assistant", "user")]
    talk.execute(run, "", "first", node_id="few", process_data={"prompts": prompts})
    talk.execute(run, "", "first", node_id="llm", process_data={"prompts": prompts})
    session = talk.session()
    assert contents(session.get_messages(agent_id="few")) == "s u a u first"
    assert contents(session.get_messages(agent_id="llm")) == "s u first"


def test_marks_of_history_in_the_record_come_first(talk: Talk) -> None:
    run = talk.turn("one", "first", executed=False)
    prompts: list[dict[str, object]] = [
        {"role": "user", "text": "example"},
        {"role": "user", "text": "before", "from_history": True},
        {
            "role": "user",
            "text": "one",
            "files": [
                {"type": "image", "url": "https://example.com/a.png"},
                {"type": "document", "url": "x"},
            ],
        },
    ]
    talk.execute(run, "", "first", process_data={"prompts": prompts})
    found = talk.session().get_messages(agent_id="llm")
    assert contents(found) == "example one first"
    assert [message.images for message in found] == [None, [{"url": "https://example.com/a.png"}], None]


def test_an_agents_rounds_are_messages(talk: Talk) -> None:
    run = talk.turn("one", "In the garden.", executed=False)

    def line(
        id: str, parent: str | None, output: dict[str, object], error: str | None = None
    ) -> dict[str, object]:
        return {"id": id, "parent_id": parent, "label": id, "data": {"output": output}, "error": error}

    call: dict[str, object] = {
        "tool_call_name": "find",
        "tool_call_input": {"q": "Katze"},
        "tool_response": "nowhere",
    }
    log = [
        line("r1", None, {"llm_response": "Let me see."}),
        line("t1", "r1", {"output": "Let me see."}),
        line("c1", "r1", call, error="nowhere"),
        line("r2", None, {"llm_response": "In the garden."}),
        line("t2", "r2", {"output": "In the garden."}),
    ]
    sent = [
        {"role": "system", "text": "Help."},
        {"role": "user", "text": "one"},
        {"role": "assistant", "text": "Let me see."},
        {"role": "tool", "text": "nowhere"},
    ]
    used = {"prompt_tokens": 50, "completion_tokens": 6, "total_tokens": 56, "total_price": "0.1"}
    talk.execute(
        run,
        "",
        "",
        node_type="agent",
        status="succeeded",
        process_data={"prompts": sent, "usage": {"total_tokens": 1}},
        outputs={"text": "Let me see.\nIn the garden.", "usage": used},
        execution_metadata={"agent_log": log},
    )
    found = talk.session().get_messages(agent_id="llm")
    assert [(item.role, item.content, item.tool_call_id) for item in found] == [
        ("system", "Help.", None),
        ("user", "one", None),
        ("assistant", "Let me see.", None),
        ("tool", "nowhere", "c1"),
        ("assistant", "In the garden.", None),
    ]
    function = {"name": "find", "arguments": '{"q": "Katze"}'}
    assert found[2].tool_calls == [{"id": "c1", "type": "function", "function": function}]
    assert (found[3].tool_name, found[3].tool_args, found[3].tool_call_error) == (
        "find",
        {"q": "Katze"},
        True,
    )
    metrics = found[4].metrics
    assert isinstance(metrics, dict)
    assert metrics["total_tokens"] == 56


def test_classifiers_and_extractors_are_agents_too(talk: Talk) -> None:
    run = talk.turn("one", "first", executed=False)
    talk.execute(
        run, "one", "", node_id="sort", node_type="question-classifier", outputs={"class_name": "tea"}
    )
    noted = {"tool_call": [{"name": "extract", "arguments": '{"n": 1}'}]}
    outputs = {"n": 1, "__is_success": 1}
    talk.execute(
        run, "", "", node_id="pick", node_type="parameter-extractor", process_data=noted, outputs=outputs
    )
    session = talk.session()
    assert contents(session.get_messages(agent_id="sort")) == "Be kind. one tea"
    (picked,) = session.get_messages(agent_id="pick")
    assert picked.content == '{"n": 1}'
    function = {"name": "extract", "arguments": '{"n": 1}'}
    assert [call["function"] for call in picked.tool_calls or ()] == [function]


def test_a_node_without_record_is_an_agent_without_messages(talk: Talk) -> None:
    run = talk.turn("one", "first", executed=False)
    talk.execute(run, "", "", process_data=None, outputs=None, status="stopped")
    session = talk.session()
    assert session.get_messages(agent_id="llm") == []
    executed = session.runs[0].step_executor_runs or []
    assert [item.status for item in executed if isinstance(item, RunOutput)] == [RunStatus.cancelled]


def test_files_are_references_of_their_run_and_of_the_session(talk: Talk) -> None:
    talk.turn()
    talk.turn()
    image = MessageFile(
        "f1",
        talk.messages[0].id,
        "image",
        "remote_url",
        "user",
        START,
        url="https://example.com/a.png",
        name="a.png",
    )
    other = MessageFile(
        "f2", talk.messages[1].id, "document", "local_file", "assistant", START, upload_file_id="u"
    )
    talk.files = [image, other]
    session = talk.session()
    shown = {"id": "f1", "url": "https://example.com/a.png", "filename": "a.png", "belongs_to": "user"}
    assert session.runs[0].images == session.session_data["images"] == [shown]
    assert session.runs[1].files == [{"id": "f2", "upload_file_id": "u", "belongs_to": "assistant"}]
    assert (session.runs[0].files, session.runs[1].images) == (None, None)


def test_prices_are_added_up_by_currency(talk: Talk) -> None:
    talk.turn()
    talk.turn(currency="EUR")
    talk.runs[1] = replace(talk.runs[1], total_price=Decimal("0.10"))
    metrics = talk.session().session_data["session_metrics"]
    assert isinstance(metrics, dict)
    assert metrics["cost_by_currency"] == {"USD": "0.001", "EUR": "0.10"}
    assert "cost" not in metrics


def test_a_turn_is_known_by_its_run_and_its_message(talk: Talk) -> None:
    run = talk.turn()
    assert Turn(message=talk.messages[0], run=run).ids == (run.id, talk.messages[0].id)
    assert (Turn(message=replace(talk.messages[0], run_id=None)).ids, Turn().ids) == (
        (talk.messages[0].id,),
        (),
    )


# Forms, feedback and annotations


def test_a_run_that_waits_for_a_person_says_what_it_requires(talk: Talk) -> None:
    run = talk.turn("may I?", "Who? ", "paused", executed=False)
    talk.execute(run, "may I?", "think", node_id="first")
    form = talk.ask(run)
    (found,) = talk.session().runs
    assert (found.status, found.is_paused, found.pause_kind) == (RunStatus.paused, True, "step")
    assert (found.paused_step_index, found.paused_step_name) == (1, "Person")
    (required,) = found.active_step_requirements
    assert required == StepRequirement(
        step_id="person",
        step_name="Person",
        step_index=1,
        step_type="Step",
        requires_user_input=True,
        user_input_message="Who? {{#$output.name#}}",
        user_input_schema=[
            {
                "name": "name",
                "field_type": "str",
                "required": True,
                "form_type": "text_input",
                "default": "Ada",
                "value": None,
            },
            {
                "name": "level",
                "field_type": "str",
                "required": True,
                "allowed_values": ["a", "b"],
                "form_type": "select",
                "value": None,
            },
        ],
        requires_route_selection=True,
        available_choices=["yes", "no"],
        extra={
            "form_id": form.id,
            "form_status": "waiting",
            "actions": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
            "created_at": int(START.timestamp()),
            "expires_at": int(START.timestamp()) + 3600,
        },
    )
    assert found.steps_requiring_user_input == found.steps_requiring_route == [required]
    assert "token of" not in json.dumps(talk.session().to_dict())


def test_a_form_that_was_filled_in_or_is_over_requires_nothing_any_more(talk: Talk) -> None:
    run = talk.turn("may I?", "Who? Ada.", executed=False)
    talk.ask(run, status="expired")
    talk.ask(
        run,
        status="submitted",
        submitted={"name": "Ada", "level": "b"},
        action_id="yes",
        rendered_content="Who? Ada",
    )
    (found,) = talk.session().runs
    assert (found.status, found.pause_kind, found.paused_step_index) == (RunStatus.completed, None, None)
    assert found.active_step_requirements == []
    over, filled = found.step_requirements or []
    assert (over.requires_user_input, over.requires_route_selection, over.extra["form_status"]) == (
        False,
        False,
        "expired",
    )
    assert (filled.user_input, filled.selected_choices, filled.user_input_message) == (
        {"name": "Ada", "level": "b"},
        ["yes"],
        "Who? Ada",
    )
    assert [item["value"] for item in filled.user_input_schema or ()] == ["Ada", "b"]


def test_a_form_without_fields_requires_a_choice_alone(talk: Talk) -> None:
    run = talk.turn("may I?", "", "paused", executed=False)
    talk.ask(run, inputs=[])
    (required,) = talk.session().runs[0].active_step_requirements
    assert (required.needs_user_input, required.needs_route_selection) == (False, True)


def test_what_people_think_of_an_answer_is_in_the_metadata_of_its_run(talk: Talk) -> None:
    talk.turn("one", "first")
    talk.turn("two", "second")
    talk.turn("three", "third")
    first, second, _ = talk.messages
    liked = talk.judge(first, "like", content="Nice")
    talk.judge(first, "dislike", from_source="admin", end_user_id=None, account_id="boss")
    talk.judge(second, "like")
    note = talk.correct(second, "better")
    session = talk.session()
    told = [run.metadata or {} for run in session.runs]
    began = int(START.timestamp())
    feedback = told[0]["feedback"]
    assert isinstance(feedback, list)
    assert feedback[0] == {
        "id": liked.id,
        "rating": "like",
        "content": "Nice",
        "from_source": "user",
        "from_end_user_id": talk.user.id,
        "created_at": began,
        "updated_at": began + 5,
    }
    assert (feedback[1]["from_source"], feedback[1]["from_account_id"]) == ("admin", "boss")
    assert told[1]["annotation"] == {
        "id": note.id,
        "question": "two",
        "content": "better",
        "created_at": began,
        "updated_at": began,
    }
    assert "feedback" not in told[2]
    assert "annotation" not in told[0]
    assert session.metadata["feedback"] == {"user": {"like": 2}, "admin": {"dislike": 1}}
