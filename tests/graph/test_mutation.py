from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings

from tests.graph.apps import ANSWER, END, START, app_text, node
from tests.graph.mutation import build_any, mutated_texts, mutated_trees
from tests.graph.stand_in import build_stand_in
from weft.errors import GraphError
from weft.graph import check_app, compile_graph, load_app

CONDITION = {"variable_selector": ["start", "topic"], "comparison_operator": "is", "value": "x"}
MODEL = {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {"temperature": 0.5}}
EVERYTHING = app_text(
    [
        START,
        node("if", "if-else", conditions=[CONDITION], logical_operator="and"),
        node(
            "llm",
            "llm",
            model=MODEL,
            prompt_template=[{"role": "user", "text": "{{#start.topic#}}"}],
            context={"enabled": False, "variable_selector": []},
            memory={"window": {"enabled": True, "size": 3}},
            retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 100},
        ),
        node(
            "classes",
            "question-classifier",
            model=MODEL,
            query_variable_selector=["start", "topic"],
            classes=[{"id": "1", "name": "a"}, {"id": "2", "name": "b"}],
        ),
        node(
            "code",
            "code",
            code_language="python3",
            code="def main(x):\n    return {'y': x}\n",
            variables=[{"variable": "x", "value_selector": ["llm", "text"]}],
            outputs={"y": {"type": "string", "children": None}},
            error_strategy="default-value",
            default_value=[{"key": "y", "type": "string", "value": ""}],
        ),
        node("template", "template-transform", template="{{ x }}", variables=[]),
        node("either", "variable-aggregator", variables=[["code", "y"], ["template", "output"]]),
        node(
            "it", "iteration", start_node_id="first", iterator_selector=["sys", "files"], output_selector=[]
        ),
        node("first", "list-operator", {"parentId": "it"}, iteration_id="it", variable=["it", "item"]),
        node(
            "lo",
            "loop",
            start_node_id="los",
            loop_count=3,
            break_conditions=[CONDITION],
            loop_variables=[{"label": "n", "var_type": "number", "value_type": "constant", "value": "1"}],
        ),
        node("los", "loop-start", {"parentId": "lo"}),
        node(
            "set",
            "assigner",
            version="2",
            loop_id="lo",
            items=[
                {
                    "variable_selector": ["conversation", "seen"],
                    "input_type": "constant",
                    "operation": "set",
                    "value": 2,
                }
            ],
        ),
        ANSWER,
        END,
        {"id": "note", "type": "custom-note", "data": {"type": "", "text": "{}"}},
    ],
    [
        "start > if",
        "if:true > llm",
        "if:false > classes",
        "llm > code",
        "classes:1 > template",
        "code > either",
        "template > either",
        "either > it",
        "it > lo",
        "los > set",
        "lo > answer",
        "answer > end",
    ],
    {
        "features": {"opening_statement": "Hi", "file_upload": {"enabled": True, "image": {}}},
        "environment_variables": [{"name": "key", "value_type": "secret", "value": ""}],
        "conversation_variables": [{"name": "seen", "value_type": "number", "value": 1}],
    },
    mode="advanced-chat",
)

no_hurry = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def test_the_file_is_valid_before_it_is_changed() -> None:
    report = check_app(EVERYTHING, build_stand_in)
    assert (report.problems, report.warnings) == ((), ())
    assert compile_graph(load_app(EVERYTHING), build_any).root.start.id == "start"


@no_hurry
@given(mutated_texts(EVERYTHING))
def test_a_file_with_other_characters_works_or_is_refused(text: bytes) -> None:
    with contextlib.suppress(GraphError):
        compile_graph(load_app(text), build_any)
    check_app(text, build_any)


@no_hurry
@given(mutated_trees(EVERYTHING))
def test_a_file_with_other_values_works_or_is_refused(text: bytes) -> None:
    with contextlib.suppress(GraphError):
        compile_graph(load_app(text), build_any)
    check_app(text, build_any)
