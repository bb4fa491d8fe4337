"""What a flow is told of earlier runs, and that it agrees with the session of its conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.contract.actor import Actor, Gate
from tests.contract.apps import (
    MEMORY,
    answer,
    chatflow,
    code,
    human,
    if_else,
    llm,
    start,
    template,
    workflow,
)
from tests.contract.caller import Caller, Stream
from tests.contract.house import House
from weft.errors import NotFoundError
from weft.ids import TimeOrderedIds
from weft.providers import ChatChunk, ChatRequest
from weft.sessions import RunOutput, RunStatus, StoredSession, StoreReader, WorkflowSession
from weft.store import AnnotationSettings, Connection, annotation_replies, messages, workflows

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


# What models remember, and what the session says


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation with a chatflow whose model remembers."""

    house: House
    flow: Caller
    user: str
    id: str

    async def say(self, query: str, **fields: object) -> Stream:
        return await self.flow.told(query, user=self.user, conversation_id=self.id, **fields)

    async def session(self) -> WorkflowSession:
        return await (await session_of(self.house, self.flow, self.id)).load()


async def begin(house: House, user: str, name: str, **node: Any) -> Talk:
    """Say ``one`` to a flow that fails at ``fail``, asks a person at ``ask``, and else asks a model."""
    nodes = [
        start(),
        if_else("if", bad=("sys.query", "is", "fail"), ask=("sys.query", "is", "ask")),
        answer("Half of it. ", id="half"),
        code("broken", "raise ValueError('boom')", {"result": "string"}),
        answer("never {{#broken.result#}}", id="never"),
        answer("Who? ", id="who"),
        human("person", "Name: {{#$output.name#}}"),
        llm("llm", **{"memory": MEMORY, "prompt_template": [{"role": "system", "text": "S"}], **node}),
        answer("{{#llm.text#}}", id="say"),
    ]
    ways = ["start > if:false > llm > say", "start > if:bad > half > broken > never"]
    flow = await house.serve(
        chatflow(nodes, *ways, "start > if:ask > who > person:approve > llm", name=name), name
    )
    first = await flow.told("one", user=user)
    assert first.finished["status"] == "succeeded"
    return Talk(house, flow, user, first.events[0]["conversation_id"])


def heard(session: WorkflowSession) -> list[tuple[str, str]]:
    """What the newest run's model was told of earlier turns, as the session has it."""
    executed = session.runs[-1].step_executor_runs or []
    (agent,) = [item for item in executed if isinstance(item, RunOutput)]
    told = [message for message in agent.messages or () if message.from_history]
    assert [message.role for message in told] == ["user", "assistant"] * (len(told) // 2)
    return [(str(a.content), str(b.content)) for a, b in zip(told[::2], told[1::2], strict=True)]


def answered(session: WorkflowSession) -> list[tuple[str, str]]:
    """Turns before the newest one of which a person has read an answer, as the session has them."""
    read = [run for run in session.runs[:-1] if run.status in (RunStatus.completed, RunStatus.cancelled)]
    return [(str(run.input), str(run.content)) for run in read if run.content]


async def check(talk: Talk, actor: Actor, query: str, **fields: object) -> list[tuple[str, str]]:
    """Ask the model; what it was told of earlier turns is what was recorded and what the session says."""
    stream = await talk.say(query, **fields)
    assert stream.finished["status"] == "succeeded"
    request = actor.asked(query)[-1]
    sent = [(message.role, message.text) for message in request.messages if message.from_history]
    session = await talk.session()
    told = heard(session)
    assert sent == [part for given, made in told for part in (("user", given), ("assistant", made))]
    assert told == answered(session)
    return told


async def test_a_model_remembers_what_people_have_read_as_the_session_has_it(
    house: House, actor: Actor, user: str
) -> None:
    talk = await begin(house, user, "what counts")
    assert await check(talk, actor, f"two {user}") == [("one", "You said: one")]
    failed = await talk.say("fail")
    assert (failed.finished["status"], failed.answer) == ("failed", "Half of it. never ")

    gate = Gate()

    async def slowly(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        yield "As far as"
        await gate.wait()

    actor.play(f"long {user}", slowly)
    async with talk.flow.stream(f"long {user}", user=user, conversation_id=talk.id) as stream:
        await stream.until_text("As far as")
        await gate.seen()
        await talk.flow.stop(stream.events[0]["task_id"], user=user)
        await stream.rest()
    told = await check(talk, actor, f"three {user}")
    assert told == [
        ("one", "You said: one"),
        (f"two {user}", f"You said: two {user}"),
        (f"long {user}", "As far as"),
    ]
    session = await talk.session()
    assert [run.status for run in session.runs] == [
        RunStatus.completed,
        RunStatus.completed,
        RunStatus.error,
        RunStatus.cancelled,
        RunStatus.completed,
    ]
    # A workflow's history is of runs that came to a good end; the chat is all that was said.
    assert session.get_workflow_history() == [told[0], told[1], (f"three {user}", f"You said: three {user}")]
    assert [turn.output for turn in session.get_chat_history()][2:4] == ["Half of it. never ", "As far as"]
    asked = [message.content for message in session.get_messages(agent_id="llm", skip_roles=["system"])]
    assert asked.count(f"long {user}") == 1


async def test_a_run_that_waits_for_a_person_does_not_remember_itself(
    house: House, actor: Actor, user: str
) -> None:
    talk = await begin(house, user, "waits for a person")
    paused = await talk.say("ask")
    form = paused.one("human_input_required")["data"]
    assert await check(talk, actor, f"meanwhile {user}") == [("one", "You said: one")]
    run_id = paused.events[0]["workflow_run_id"]
    waiting = (await talk.session()).get_run(run_id)
    assert waiting is not None
    assert (waiting.status, waiting.content, waiting.pause_kind, waiting.paused_step_name) == (
        RunStatus.paused,
        "Who? ",
        "step",
        "person",
    )
    (required,) = waiting.steps_requiring_user_input
    assert waiting.steps_requiring_route == [required]
    assert (required.step_id, required.available_choices) == ("person", ["approve", "reject"])
    assert [field["name"] for field in required.user_input_schema or ()] == ["name", "note"]

    assert (await talk.flow.fill(form["form_token"], user=user, name="Ada", note="x")).status == 200
    await talk.flow.joined(run_id, user=user, continue_on_pause="true")
    session = await talk.session()
    done = session.get_run(run_id)
    assert done is not None
    assert (done.status, done.content, done.active_step_requirements) == (
        RunStatus.completed,
        "Who? You said: ask",
        [],
    )
    assert [item.user_input for item in done.step_requirements or ()] == [{"name": "Ada", "note": "x"}]
    # It went on after the other was over, and was told of it, but not of what it had said itself.
    (agent,) = [item for item in done.step_executor_runs or () if isinstance(item, RunOutput)]
    assert [message.content for message in agent.messages or () if message.from_history] == [
        "one",
        "You said: one",
        f"meanwhile {user}",
        f"You said: meanwhile {user}",
    ]
    assert await check(talk, actor, f"after {user}") == [
        ("one", "You said: one"),
        ("ask", "Who? You said: ask"),
        (f"meanwhile {user}", f"You said: meanwhile {user}"),
    ]


@pytest.mark.parametrize("size", [1, 2])
async def test_a_window_is_the_newest_of_what_the_session_has(
    house: House, actor: Actor, user: str, size: int
) -> None:
    memory = {**MEMORY, "window": {"enabled": True, "size": size}}
    talk = await begin(house, user, f"window of {size}", memory=memory)
    for query in ("two", "fail", "three"):
        await talk.say(query)
    await talk.say("four")
    session = await talk.session()
    assert heard(session) == answered(session)[-size:]
    assert heard(session)[-1] == ("three", "You said: three")


async def test_what_does_not_fit_beside_the_prompt_is_left_out_from_the_oldest_on(
    house: House, actor: Actor, user: str
) -> None:
    talk = await begin(house, user, "much to remember")
    for number in range(4):
        await talk.say(f"{number} " + "much to say " * 150)
    await talk.say("now")
    session = await talk.session()
    told = heard(session)
    assert 1 <= len(told) < 5
    assert told == answered(session)[-len(told) :]


async def test_answers_that_were_made_anew_are_remembered_as_they_are_now(
    house: House, actor: Actor, user: str
) -> None:
    talk = await begin(house, user, "made anew")
    (first,) = await talk.flow.messages(talk.id, user=user)
    ids = TimeOrderedIds()
    worse, after, better = ids.new(), ids.new(), ids.new()
    made = [(worse, first["id"], "worse"), (after, worse, "built on that"), (better, first["id"], "better")]

    def write(connection: Connection) -> None:
        known = messages.find(connection, talk.flow.app_id, first["id"])
        assert known is not None
        for place, (id, parent, said) in enumerate(made, start=1):
            at = known.created_at + timedelta(microseconds=place)
            row = {"id": id, "parent_message_id": parent, "answer": said, "run_id": None, "created_at": at}
            messages.insert(connection, replace(known, query=f"to {said}", **row))

    await house.runtime.store.write(write)
    told = await check(talk, actor, f"next {user}")
    assert told == [("one", "You said: one"), ("to better", "better")]
    session = await talk.session()
    assert [run.status for run in session.runs] == [
        RunStatus.completed,
        RunStatus.regenerated,
        RunStatus.regenerated,
        RunStatus.completed,
        RunStatus.completed,
    ]
    assert session.get_workflow_history()[:2] == told


async def test_an_answer_out_of_the_annotations_is_remembered(house: House, actor: Actor, user: str) -> None:
    talk = await begin(house, user, "annotated")
    settings = AnnotationSettings(talk.flow.app_id, True, 0.9, "openai", "m", datetime.now(UTC))
    await house.runtime.store.write(lambda connection: annotation_replies.put_settings(connection, settings))
    await house.runtime.annotation_replies.create(talk.flow.app_id, "price?", "Twelve euros.")
    said = await talk.flow.said("price?", user=user, conversation_id=talk.id)
    assert said["answer"] == "Twelve euros."
    told = await check(talk, actor, f"two {user}")
    assert told == [("one", "You said: one"), ("price?", "Twelve euros.")]
    session = await talk.session()
    assert session.get_workflow_history()[:2] == told
    reply = (session.runs[1].metadata or {})["annotation_reply"]
    assert isinstance(reply, dict)
    assert (session.runs[1].run_id, reply["id"]) == (said["message_id"], reply["id"])


async def test_a_deleted_conversation_is_remembered_by_nobody(house: House, actor: Actor, user: str) -> None:
    talk = await begin(house, user, "deleted")
    await talk.flow.delete(f"/conversations/{talk.id}", {"user": user})
    refused = await talk.flow.chat("two", user=user, conversation_id=talk.id)
    assert refused.status == 404
    with pytest.raises(NotFoundError):
        await session_of(house, talk.flow, talk.id)
    again = await talk.flow.told(f"again {user}", user=user)
    assert again.finished["status"] == "succeeded"
    assert [message.from_history for message in actor.asked(f"again {user}")[0].messages] == [False, False]
