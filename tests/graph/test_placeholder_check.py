from __future__ import annotations

import pytest

from tests.graph.apps import END, START, node
from tests.graph.checking import check, messages, warned


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        ("my-node.text", "the node id 'my-node' has other characters than letters, digits and underscores"),
        (f"start.{'x' * 31}", f"the name {'x' * 31!r} is longer than 30 characters"),
        (f"{'x' * 51}.text", "the node id before the dot must have 1 to 50 characters"),
        (".text", "the node id before the dot must have 1 to 50 characters"),
        (" start.topic ", "it has white space in it"),
        (
            "start.2nd",
            "the name '2nd' must begin with a letter and go on with letters, digits and underscores",
        ),
        ("start.", "the name '' must begin with a letter and go on with letters, digits and underscores"),
        ("topic", "it names no variable of a node"),
        ("a" + ".b" * 11, "it has more than ten names"),
    ],
)
def test_a_placeholder_that_can_never_be_filled_is_explained(inner: str, why: str) -> None:
    messages_of = [{"role": "user", "text": f"Hello {{{{#{inner}#}}}}!"}]
    report = check(
        [START, node("llm", "llm", prompt_template=messages_of), END], ["start > llm", "llm > end"]
    )
    assert [(warning.code, warning.path) for warning in report.warnings] == [
        ("graph.dead_placeholder", "workflow.graph.nodes[1].data.prompt_template[0].text")
    ]
    assert messages(report) == [
        f"node 'llm' (Llm): the placeholder '{{{{#{inner}#}}}}' is never filled; {why}"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{{#start.topic#}}",
        "{{#context#}} {{#histories#}} {{#sys.files#}}",
        "{{#$output.name#}}",
        "{{#if x}} {{/if}} {# comment #} {{ jinja }}",
        "{{# open",
    ],
)
def test_what_is_filled_and_what_is_no_placeholder_is_no_reason_to_warn(text: str) -> None:
    assert warned(check([START, node("llm", "llm", text=text), END], ["start > llm", "llm > end"])) == []


@pytest.mark.parametrize(
    ("type", "key"),
    [("code", "code"), ("template-transform", "template"), ("llm", "jinja2_text"), ("llm", "desc")],
)
def test_texts_that_are_no_templates_are_not_searched(type: str, key: str) -> None:
    odd = node("odd", type, {}, **{key: "{{#a-b.c#}}"})
    assert warned(check([START, odd, END], ["start > odd", "odd > end"])) == []
