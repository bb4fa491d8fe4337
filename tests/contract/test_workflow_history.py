"""What a flow is told of earlier runs, and that it agrees with the session of its conversation."""

from __future__ import annotations

import pytest

from tests.contract.actor import Actor
from tests.contract.apps import MEMORY, answer, chatflow, code, if_else, llm, start, template, workflow
from tests.contract.caller import Caller
from tests.contract.house import House
from weft.sessions import RunOutput, StoredSession, StoreReader
from weft.store import workflows

pytestmark = pytest.mark.anyio


async def session_of(house: House, flow: Caller, conversation_id: str) -> StoredSession:
    return await StoredSession.open(StoreReader(house.runtime.store, flow.app_id), conversation_id)


async def histories(house: House, flow: Caller) -> object:
    """What the app's version has to be told before it runs."""
    found = await house.runtime.store.read(
        lambda connection: workflows.find(connection, flow.app_id, flow.workflow_id)
    )
    assert found is not None
    return house.runtime.catalog.compile(found).histories


async def test_a_flow_is_told_of_earlier_runs_as_their_session_tells_of_them(
    house: House, actor: Actor, user: str
) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", bad=("sys.query", "is", "fail")),
                code("broken", "raise ValueError('boom')", {"result": "string"}),
                template(
                    "told",
                    "{{ all }}|{{ last }}",
                    {"all": "sys.workflow_history", "last": "sys.workflow_history_1"},
                ),
                llm("llm", "{{#sys.workflow_history_2#}}Q: {{#sys.query#}}"),
                answer("Fine: {{#sys.query#}}", id="say"),
                answer("never {{#broken.result#}}", id="never"),
            ],
            "start > if:false > told > llm > say",
            "start > if:bad > broken > never",
        ),
        "told of earlier runs",
    )
    told = {"workflow_history": 3, "workflow_history_1": 1, "workflow_history_2": 2}
    assert await histories(house, flow) == told
    first = await flow.told("one </workflow_history_context>", user=user)
    assert first.finished["status"] == "succeeded"
    id = first.events[0]["conversation_id"]
    assert first.node("told")["outputs"] == {"output": "|"}
    assert actor.asked("Q: one")[0].messages[0].content == "Q: one </workflow_history_context>"
    for query in ("two", "fail", "three", "four", "five"):
        session = await session_of(house, flow, id)
        texts = [await session.get_workflow_history_context(count) or "" for count in (3, 1, 2)]
        stream = await flow.told(query, user=user, conversation_id=id)
        if query == "fail":
            assert stream.finished["status"] == "failed"
            continue
        assert stream.node("told")["outputs"] == {"output": f"{texts[0]}|{texts[1]}"}
        (request,) = actor.asked(f"Q: {query}")
        assert request.messages[-1].content == f"{texts[2]}Q: {query}"
        assert not [name for name in stream.events[0]["data"].get("inputs", {}) if "history" in name]
    assert "User input: fail" not in texts[0]
    assert texts[1].count("[Workflow Run-") == 1


async def test_a_flow_without_earlier_runs_is_told_nothing(house: House, user: str) -> None:
    plain = await house.serve(
        chatflow([start(), answer("<{{#sys.workflow_history#}}>")], "start > answer"), "told nothing"
    )
    assert (await plain.said("x", user=user))["answer"] == "<>"
    other = await house.serve(
        chatflow([start(), answer("{{#sys.workflow_history_0#}} {{#sys.query#}}")], "start > answer"),
        "not told",
    )
    assert await histories(house, other) == {}
    assert (await other.said("x", user=user))["answer"] == "sys.workflow_history_0 x"
    flow = await house.serve(
        workflow([start(), template("t", "<{{ h }}>", {"h": "sys.workflow_history"})], "start > t"), "no talk"
    )
    assert await histories(house, flow) == {"workflow_history": 3}


async def test_what_a_model_saw_is_what_the_session_says(house: House, actor: Actor, user: str) -> None:
    shots = [
        {"role": "system", "text": "Be brief."},
        {"role": "user", "text": "Example?"},
        {"role": "assistant", "text": "Yes."},
    ]
    flow = await house.serve(
        chatflow(
            [start(), llm("llm", memory=MEMORY, prompt_template=shots), answer("{{#llm.text#}}")],
            "start > llm > answer",
        ),
        "remembering",
    )
    said = await flow.said("saw one", user=user)
    id = said["conversation_id"]
    for query in ("saw two", "saw three"):
        await flow.said(query, user=user, conversation_id=id)
    stored = await session_of(house, flow, id)
    whole = await stored.load()
    for run, query in zip(whole.runs, ("saw one", "saw two", "saw three"), strict=True):
        request = next(request for request in actor.requests if request.messages[-1].content == query)
        assert run.step_executor_runs is not None
        (executed,) = run.step_executor_runs[1:]
        assert isinstance(executed, RunOutput)
        seen = [(message.role, message.content, message.from_history) for message in executed.messages or ()]
        assert seen == [
            *((message.role, message.content, message.from_history) for message in request.messages),
            ("assistant", f"You said: {query}", False),
        ]
    assert [message.content for message in whole.get_messages(agent_id="llm")] == [
        "Be brief.",
        *(
            text
            for query in ("saw one", "saw two", "saw three")
            for text in ("Example?", "Yes.", query, f"You said: {query}")
        ),
    ]
    last = whole.get_messages(agent_id="llm", last_n_runs=1, skip_history_messages=False)
    assert [message.content for message in last if message.from_history] == [
        "saw one",
        "You said: saw one",
        "saw two",
        "You said: saw two",
    ]
