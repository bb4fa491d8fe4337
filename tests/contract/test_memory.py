"""What one message of a conversation leaves for the next."""

from __future__ import annotations

import pytest

from tests.contract.actor import Actor
from tests.contract.apps import (
    MEMORY,
    answer,
    assign,
    chatflow,
    code,
    conversation_variable,
    failing,
    if_else,
    llm,
    start,
)
from tests.contract.house import House
from weft.providers import last_user_text

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("dsl-118")
async def test_the_second_message_finds_variables_and_counts_itself(house: House, user: str) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                answer("{{#sys.dialogue_count#}}: {{#conversation.seen#}}", id="say"),
                assign("note", ("conversation.seen", "append", "{sys.query}")),
            ],
            "start > say > note",
            variables=[conversation_variable("seen", "array[string]", [])],
        ),
        "noting",
    )
    first = await flow.told("one", user=user)
    id = first.events[0]["conversation_id"]
    between = await flow.variables(id, user=user)
    second = await flow.told("two", user=user, conversation_id=id)
    other = await flow.said("three", user=user)
    counts = [stream.events[0]["data"]["inputs"]["sys.dialogue_count"] for stream in (first, second)]
    assert counts == [1, 2]
    assert (between, await flow.variables(id, user=user)) == ({"seen": '["one"]'}, {"seen": '["one", "two"]'})
    assert other["answer"].startswith("1: ")


@pytest.mark.requirement("dsl-119")
async def test_a_conversation_variable_keeps_its_new_value_though_the_run_fails(
    house: House, user: str
) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", first=("sys.dialogue_count", "=", "1")),
                assign("set", ("conversation.topic", "over-write", "{sys.query}")),
                failing("broken"),
                answer("{{#conversation.topic#}}"),
            ],
            "start > if:false > answer",
            "if:first > set > broken > answer",
            variables=[conversation_variable("topic", "string", "none")],
        ),
        "set, then broken",
    )
    stream = await flow.told("kept", user=user)
    id = stream.events[0]["conversation_id"]
    assert stream.finished["status"] == "failed"
    assert await flow.variables(id, user=user) == {"topic": "kept"}
    assert (await flow.said("again", user=user, conversation_id=id))["answer"] == "kept"


def found(*documents: str) -> str:
    """The source of a code node that finds these documents."""
    rows = [
        {
            "title": name,
            "content": f"text of {name}",
            "metadata": {
                "_source": "knowledge",
                "dataset_id": "d",
                "dataset_name": "D",
                "document_id": name,
                "document_name": name,
                "segment_id": f"s-{name}",
                "score": 0.5,
                "position": position,
            },
        }
        for position, name in enumerate(documents, start=1)
    ]
    return f"return {{'result': {rows!r}}}"


@pytest.mark.requirement("dsl-122")
@pytest.mark.parametrize("enabled", [True, False])
async def test_a_document_that_was_retrieved_twice_is_one_resource(
    house: House, user: str, enabled: bool
) -> None:
    def context(id: str) -> dict[str, object]:
        return {"enabled": True, "variable_selector": [id, "result"]}

    nodes = [
        start(),
        code("find1", found("a", "b"), {"result": "array[object]"}),
        code("find2", found("b", "c"), {"result": "array[object]"}),
        llm("llm1", "{{#context#}} {{#sys.query#}}"),
        llm("llm2", "{{#context#}} {{#sys.query#}}"),
        answer("{{#llm1.text#}}{{#llm2.text#}}"),
    ]
    nodes[3]["data"]["context"], nodes[4]["data"]["context"] = context("find1"), context("find2")
    flow = await house.serve(
        chatflow(
            nodes,
            "start > find1 > llm1 > find2 > llm2 > answer",
            features={"retriever_resource": {"enabled": enabled}},
        ),
        f"retrieving {enabled}",
    )
    stream = await flow.told("what?", user=user)
    resources = stream.one("message_end")["metadata"]["retriever_resources"]
    told = [(resource["position"], resource["document_id"]) for resource in resources]
    assert told == ([(1, "a"), (2, "b"), (3, "c")] if enabled else [])
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["retriever_resources"] == resources


async def test_a_model_with_memory_is_told_the_conversation_so_far_and_no_other(
    house: House, actor: Actor, user: str
) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                llm("llm", prompt_template=[{"role": "system", "text": "Be kind."}], memory=MEMORY),
                answer("{{#llm.text#}}"),
            ],
            "start > llm > answer",
        ),
        "remembering",
    )
    first = await flow.said(f"one {user}", user=user)
    await flow.said(f"other {user}", user=user)
    await flow.said(f"two {user}", user=user, conversation_id=first["conversation_id"])
    (request,) = actor.asked(f"two {user}")
    assert [(message.role, message.text) for message in request.messages] == [
        ("system", "Be kind."),
        ("user", f"one {user}"),
        ("assistant", f"You said: one {user}"),
        ("user", f"two {user}"),
    ]
    assert last_user_text(request.messages) == f"two {user}"
