from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from weft.errors import GraphError, NodeFailedError
from weft.events import FormRequested, PauseReason
from weft.graph import Need, check_app
from weft.nodes import Resumption, build_node, render_submission
from weft.testing.node_harness import NodeRun, StillClock, make_spec, run_node
from weft.variables import File, Value

pytestmark = pytest.mark.anyio

ACTIONS = [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No", "button_style": "ghost"}]


def ask(**data: Any) -> dict[str, Any]:
    return {"type": "human-input", "title": "Ask", "user_actions": ACTIONS, **data}


def form_of(run: NodeRun) -> FormRequested:
    (form,) = run.events
    assert isinstance(form, FormRequested)
    return form


async def go_on(data: dict[str, Any], answer: dict[str, Value], content: str = "Well?") -> Any:
    """What the node does with an answer, having asked with that text."""
    run = await run_node(data)
    run.context.resumption = Resumption({"content": content}, answer)
    return await build_node(make_spec(data)).run(run.context)


async def test_a_person_is_asked_and_waited_for() -> None:
    clock = StillClock()
    run = await run_node(
        ask(
            form_content="{{#start.q#}} {{#start.l#}} {{#$output.why#}} {{#start.none#}}",
            inputs=[
                {
                    "type": "select",
                    "output_variable_name": "size",
                    "option_source": {"type": "constant", "value": ["s", "m"]},
                    "default": {"type": "constant", "value": "m"},
                },
                {
                    "type": "paragraph",
                    "output_variable_name": "why",
                    "default": {"type": "variable", "selector": ["start", "l"]},
                },
                {"type": "text-input", "output_variable_name": "early", "placeholder": {"value": "x"}},
            ],
            timeout=2,
            timeout_unit="day",
        ),
        {"start.q": "So", "start.l": ["a"]},
        clock=clock,
    )
    form = form_of(run)
    assert form == FormRequested(
        form_id=form.form_id,
        node_id="node",
        node_title="Ask",
        content="So - a {{#$output.why#}} start.none",
        inputs=[
            {
                "type": "select",
                "output_variable_name": "size",
                "default": {"type": "constant", "selector": [], "value": "m"},
                "option_source": {"type": "constant", "selector": [], "value": ["s", "m"]},
            },
            {
                "type": "paragraph",
                "output_variable_name": "why",
                "default": {"type": "variable", "selector": ["start", "l"], "value": ""},
            },
            {
                "type": "text_input",
                "output_variable_name": "early",
                "default": {"type": "constant", "selector": [], "value": "x"},
            },
        ],
        actions=[
            {"id": "yes", "title": "Yes", "button_style": "default"},
            {"id": "no", "title": "No", "button_style": "ghost"},
        ],
        display_in_ui=False,
        token=form.token,
        resolved_defaults={"size": "m", "why": ["a"], "early": "x"},
        expires_at=clock.now() + timedelta(days=2),
    )
    assert run.result is not None
    wait = run.result.wait
    assert wait is not None
    assert (wait.key, wait.state) == (form.form_id, {"content": form.content})
    assert wait.reason == PauseReason(
        type="human_input_required", node_id="node", node_title="Ask", form=form
    )


WEB, MAIL = {"type": "webapp", "enabled": True}, {"type": "email", "enabled": True}


@pytest.mark.parametrize(
    ("methods", "has_token", "in_ui"),
    [
        ([], True, False),
        (None, True, False),
        ([WEB], True, True),
        ([WEB, MAIL], True, True),
        ([MAIL], False, False),
        ([{**WEB, "enabled": False}, MAIL], False, False),
        ([{**WEB, "enabled": False}], True, False),
    ],
)
async def test_a_token_is_given_unless_the_form_only_goes_out_in_other_ways(
    methods: Any, has_token: bool, in_ui: bool
) -> None:
    form = form_of(await run_node(ask(delivery_methods=methods)))
    assert (form.token is not None, form.display_in_ui) == (has_token, in_ui)


async def test_the_answer_is_the_output_and_the_way_out() -> None:
    answer: dict[str, Value] = {
        "status": "submitted",
        "action_id": "no",
        "values": {"why": "because"},
        "rendered_content": "Well? because",
    }
    result = await go_on(ask(), answer)
    assert (result.handle, result.wait) == ("no", None)
    assert result.outputs == {
        "why": "because",
        "__action_id": "no",
        "__action_value": "No",
        "__rendered_content": "Well? because",
    }


async def test_the_end_of_time_has_a_way_of_its_own() -> None:
    result = await go_on(ask(), {"status": "expired"}, "Well? {{#$output.why#}}!")
    assert (result.handle, result.dead_end) == ("__timeout", "Human input form expired")
    assert result.outputs == {"__action_id": "", "__action_value": "", "__rendered_content": "Well? !"}


@pytest.mark.parametrize("answer", [{}, {"status": "submitted", "action_id": "maybe"}, {"status": "?"}])
async def test_an_answer_that_is_none_fails_the_node(answer: dict[str, Value]) -> None:
    with pytest.raises(NodeFailedError, match="was answered with the action"):
        await go_on(ask(), answer)


async def test_kept_files_that_the_run_may_not_have_are_left_out() -> None:
    kept, remote = File(related_id="1"), File(remote_url="https://e.org/a", url="https://e.org/a")
    answer: dict[str, Value] = {
        "status": "submitted",
        "action_id": "yes",
        "values": {"one": kept, "many": [kept, remote]},
        "rendered_content": "",
    }
    result = await go_on(ask(), answer)
    assert (result.outputs["one"], result.outputs["many"]) == (None, [remote])


def test_the_answers_stand_in_the_text() -> None:
    file = File(filename="a")
    content = "{{#$output.a#}}|{{#$outputs.b#}}|{{#$output.f#}}|{{#$output.l#}}|{{#$output.gone#}}|{{#x.y#}}"
    shown = render_submission(content, {"a": "1", "b": "{{#$output.a#}}", "f": file, "l": [file, file]})
    assert shown == "1|{{#$output.a#}}|[file]|[2 files]||{{#x.y#}}"


def test_a_node_says_what_it_reads_where_it_leads_and_that_it_needs_somebody() -> None:
    field = {
        "type": "select",
        "output_variable_name": "x",
        "default": {"type": "variable", "selector": ["b", "x"]},
        "option_source": {"type": "variable", "selector": ["c", "x"]},
    }
    node = build_node(make_spec(ask(form_content="{{#a.x#}}", inputs=[field])))
    assert list(node.reads()) == [("a", "x"), ("b", "x"), ("c", "x")]
    assert node.handles() == ["yes", "no", "__timeout"]
    assert node.needs() == [Need("human", "Ask", "node")]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"inputs": [{"output_variable_name": "a"}, {"output_variable_name": "a"}]}, "stands there twice"),
        ({"user_actions": [{"id": "a"}, {"id": "a"}]}, "stands there twice"),
        ({"user_actions": [{"id": "a b"}]}, "match pattern"),
        ({"user_actions": [{"id": "a" * 21}]}, "at most 20"),
        ({"user_actions": [{"id": "a", "title": "a" * 101}]}, "at most 100"),
        ({"inputs": [{"type": "colour", "output_variable_name": "a"}]}, "text_input"),
        ({"inputs": [{"type": "paragraph"}]}, "required"),
        ({"timeout": 0}, "greater than or equal to 1"),
        ({"timeout_unit": "year"}, "hour"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(data: dict[str, Any], complaint: str) -> None:
    with pytest.raises(GraphError, match=complaint):
        build_node(make_spec(ask(**data)))


def test_a_form_without_an_action_is_suspicious() -> None:
    nodes = [
        {"id": "start", "data": {"type": "start", "title": "S", "variables": []}},
        {"id": "ask", "data": ask(user_actions=[])},
        {"id": "end", "data": {"type": "end", "title": "E", "outputs": []}},
    ]
    edges = [
        {"source": "start", "sourceHandle": "source", "target": "ask"},
        {"source": "ask", "sourceHandle": "__timeout", "target": "end"},
    ]
    text = json.dumps(
        {
            "kind": "app",
            "version": "0.6.0",
            "app": {"name": "A", "mode": "workflow"},
            "workflow": {"graph": {"nodes": nodes, "edges": edges}},
        }
    )
    report = check_app(text, build_node)
    assert [(warning.code, warning.node_id) for warning in report.warnings] == [
        ("node.form_without_action", "ask")
    ]


@pytest.mark.parametrize("type", ["datasource", "datasource-empty", "knowledge-index"])
def test_parts_of_pipelines_are_named_as_such(type: str) -> None:
    with pytest.raises(GraphError, match=f"'{type}', a part of knowledge pipelines"):
        build_node(make_spec({"type": type}))


@pytest.mark.parametrize("type", ["trigger-webhook", "trigger-schedule", "trigger-plugin"])
def test_an_app_that_only_a_trigger_could_begin_is_refused(type: str) -> None:
    nodes = [
        {"id": "hook", "data": {"type": type, "title": "H"}},
        {"id": "end", "data": {"type": "end", "title": "E", "outputs": []}},
    ]
    text = json.dumps(
        {
            "kind": "app",
            "version": "0.6.0",
            "app": {"name": "A", "mode": "workflow"},
            "workflow": {"graph": {"nodes": nodes, "edges": [{"source": "hook", "target": "end"}]}},
        }
    )
    (problem,) = check_app(text, build_node).problems
    assert (problem.code, problem.node_id) == ("node.unsupported_root", "hook")
    assert "which nothing here fires" in problem.message
