"""From a request to a run that lives, and to what is left of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.engine.harness import (
    Data,
    Gate,
    answer,
    assign,
    do,
    end,
    fail,
    give,
    inside,
    iteration,
    llm,
    loop,
    start,
    wait,
)
from tests.runs.house import Heard, House, variable
from tests.tasks import family
from weft.errors import (
    BadReplyError,
    CredentialsError,
    InvalidRequestError,
    LimitExceededError,
    NodeFailedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    RunStoppedError,
    StoreError,
    TooManyRequestsError,
    UnsupportedModelError,
    WeftError,
)
from weft.events import RunFinished, RunStarted
from weft.nodes import Context
from weft.providers import Rule, Script, ScriptedModel, TokenUsage
from weft.runs import NIL_ID
from weft.runs.ending import error_code
from weft.store import (
    Conversation,
    Message,
    Run,
    Store,
    conversation_variables,
    conversations,
    runs,
)
from weft.variables import Value

pytestmark = pytest.mark.anyio

ECHO = {"start": start(), "answer": answer("You said: {{#sys.query#}}")}


async def test_a_message_leaves_these_rows(house: House) -> None:
    version = await house.serve(
        {
            "start": start({"variable": "city", "type": "text-input"}),
            "llm": llm(),
            "answer": answer("{{#llm.text#}}"),
        },
        "start > llm > answer",
        features={"opening_statement": "Hello {{ city }}, {{nobody}}"},
    )
    now = house.clock.now()
    heard = await house.ask(version, "What is the weather like?", inputs={"city": "Köln", "other": 1})
    assert house.app is not None
    assert house.user is not None
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert run == Run(
        id=run.id,
        app_id=house.app.id,
        workflow_id=version.workflow_id,
        version=version.label,
        mode="advanced-chat",
        log_id=run.log_id,
        triggered_from="app-run",
        created_from="service-api",
        created_by_role="end_user",
        created_at=now,
        status="succeeded",
        conversation_id=message.conversation_id,
        message_id=message.id,
        end_user_id=house.user.id,
        task_id=heard.live.task_id,
        owner_id="this process",
        inputs={
            "city": "Köln",
            "sys.query": "What is the weather like?",
            "sys.dialogue_count": 1,
            "sys.files": [],
            "sys.user_id": "ada",
            "sys.app_id": house.app.id,
            "sys.workflow_id": version.workflow_id,
            "sys.workflow_run_id": run.id,
        },
        outputs={"answer": "You said: What is the weather like?"},
        total_tokens=run.total_tokens,
        total_price=Decimal(0),
        total_steps=3,
        finished_at=now,
    )
    assert message == Message(
        id=message.id,
        app_id=house.app.id,
        conversation_id=message.conversation_id,
        query="What is the weather like?",
        from_source="api",
        created_at=now,
        updated_at=now,
        parent_message_id=NIL_ID,
        run_id=run.id,
        end_user_id=house.user.id,
        invoke_from="service-api",
        answer="You said: What is the weather like?",
        inputs={"city": "Köln"},
        metadata={
            "annotation_reply": None,
            "retriever_resources": [],
            "usage": (message.metadata or {})["usage"],
        },
        message_tokens=message.message_tokens,
        answer_tokens=message.answer_tokens,
    )
    assert run.total_tokens == message.message_tokens + message.answer_tokens > 0
    assert await house.conversation_row(heard) == Conversation(
        id=message.conversation_id,
        app_id=house.app.id,
        name="What is the weather …",
        from_source="api",
        created_at=now,
        updated_at=now,
        end_user_id=house.user.id,
        invoke_from="service-api",
        inputs={"city": "Köln"},
        introduction="Hello Köln, {{nobody}}",
        dialogue_count=1,
    )
    assert len({run.id, run.log_id, run.task_id, message.id, message.conversation_id}) == 5


@pytest.mark.parametrize(
    ("given", "shown"), [(0, "0 left"), (1.5, "1.5 left"), (None, " left")], ids=["zero", "number", "nothing"]
)
async def test_an_opening_statement_shows_inputs_as_they_read(
    house: House, given: float | None, shown: str
) -> None:
    version = await house.serve(
        {"start": start({"variable": "n", "type": "number"}), "a": answer("x")},
        "start > a",
        features={"opening_statement": "{{n}} left"},
    )
    heard = await house.ask(version, inputs={"n": given})
    assert (await house.conversation_row(heard)).introduction == shown


async def test_the_events_of_a_run_begin_and_end_with_the_run_s_own(house: House) -> None:
    version = await house.serve(ECHO, "start > answer")
    heard = await house.ask(version, "Hi")
    run = await house.run_row(heard)
    shown: dict[str, Any] = dict(run.inputs)
    assert heard.names[0] == "RunStarted"
    assert heard.events[0] == RunStarted(
        run_id=run.id, workflow_id=run.workflow_id, inputs=shown, at=run.created_at
    )
    assert "sys.conversation_id" not in shown
    assert heard.events[-1] == RunFinished(
        run_id=run.id,
        workflow_id=run.workflow_id,
        status="succeeded",
        outputs={"answer": "You said: Hi"},
        error=None,
        error_code=None,
        elapsed_time=0.0,
        total_tokens=0,
        total_steps=2,
        exceptions_count=0,
        started_at=run.created_at,
        at=house.clock.now(),
    )
    assert heard.names.count("RunStarted") == heard.names.count("RunFinished") == 1


async def test_rows_are_on_disk_before_the_first_event_and_the_end_before_the_last(house: House) -> None:
    """Looked up with a connection of its own in the middle of the events."""
    gate = Gate()
    version = await house.serve({"start": start(), "n": wait(gate), "a": answer("x")}, "start > n > a")
    heard = await house.start(version)
    assert heard.events == []
    assert (await house.run_row(heard)).status == "running"
    before = await house.message_row(heard)
    assert (before.answer, before.status) == ("", "normal")
    statuses: list[str] = []

    def look(event: object) -> None:
        if isinstance(event, RunFinished):
            # The store's door for quick looks does its work when it is first stepped into.
            door = house.store.read_quick(
                lambda connection: runs.find(connection, heard.live.run.app_id, heard.live.run.id)
            )
            try:
                door.send(None)
            except StopIteration as done:
                statuses.append(done.value.status)

    heard.live.listen(look)
    await gate.reached()
    gate.open()
    await heard.ended()
    assert statuses == ["succeeded"]


async def test_a_workflow_app_has_neither_message_nor_conversation(house: House) -> None:
    version = await house.serve(
        {"start": start({"variable": "x", "type": "number"}), "end": end(out="start.x", q="sys.query")},
        "start > end",
        mode="workflow",
        conversation_variables=(variable("topic", "string", "none"),),
    )
    heard = await house.ask(version, None, inputs={"x": "3"})
    run = await house.run_row(heard)
    assert (heard.live.message, heard.live.conversation) == (None, None)
    assert (run.message_id, run.conversation_id, run.outputs) == (None, None, {"out": 3, "q": None})
    assert sorted(run.inputs) == [
        "sys.app_id",
        "sys.files",
        "sys.user_id",
        "sys.workflow_id",
        "sys.workflow_run_id",
        "x",
    ]


async def test_system_variables_of_a_chat(house: House) -> None:
    version = await house.serve(
        {
            "start": start(),
            "a": answer(
                "{{#sys.query#}}|{{#sys.conversation_id#}}|{{#sys.dialogue_count#}}|{{#sys.user_id#}}"
                "|{{#sys.app_id#}}|{{#sys.workflow_id#}}|{{#sys.workflow_run_id#}}|{{#sys.files#}}"
            ),
        },
        "start > a",
    )
    heard = await house.ask(version, "Hi")
    run = heard.live.run
    assert heard.answer == "|".join(
        ["Hi", str(run.conversation_id), "1", "ada", run.app_id, run.workflow_id, run.id, ""]
    )


async def test_environment_variables_are_there_and_secrets_are_known_as_such(house: House) -> None:
    seen: list[object] = []

    def look(context: Context) -> None:
        seen.append((context.pool.all("env"), context.run.secrets, context.pool.type_of(("env", "key"))))

    version = await house.serve(
        {"start": start(), "n": do(look)},
        "start > n",
        environment_variables=(
            variable("url", "string", "https://e.org"),
            variable("key", "secret", "sk-123"),
            variable("unset", "secret", ""),
        ),
    )
    await house.ask(version)
    assert seen == [({"url": "https://e.org", "key": "sk-123", "unset": ""}, ("sk-123",), "secret")]


# The conversation goes on


async def test_a_second_message_continues_the_conversation(house: House) -> None:
    version = await house.serve({"start": start(), "a": answer("{{#sys.dialogue_count#}}")}, "start > a")
    first = await house.ask(version, "one")
    house.clock.advance(60)
    second = await house.ask(version, "two", conversation=await house.conversation_row(first))
    assert [first.answer, second.answer] == ["1", "2"]
    row = await house.conversation_row(second)
    assert (row.id, row.dialogue_count, row.name) == ((await house.conversation_row(first)).id, 2, "one")
    assert row.updated_at == house.clock.now() == row.created_at + timedelta(seconds=60)
    assert (await house.message_row(second)).parent_message_id == NIL_ID


async def test_each_message_is_checked_anew_and_the_conversation_keeps_its_first_inputs(house: House) -> None:
    version = await house.serve(
        {"start": start({"variable": "city", "type": "text-input", "required": True}), "a": answer("x")},
        "start > a",
    )
    first = await house.ask(version, inputs={"city": "Köln"})
    conversation = await house.conversation_row(first)
    with pytest.raises(InvalidRequestError, match="city is required in input form"):
        await house.ask(version, conversation=conversation)
    second = await house.ask(version, conversation=conversation, inputs={"city": "Ulm"})
    assert (await house.message_row(second)).inputs == {"city": "Ulm"}
    assert (await house.conversation_row(second)).inputs == {"city": "Köln"}


async def test_a_conversation_that_was_deleted_meanwhile_cannot_go_on(house: House) -> None:
    version = await house.serve(ECHO, "start > answer")
    first = await house.ask(version)
    conversation = await house.conversation_row(first)
    await house.store.write(
        lambda connection: conversations.mark_deleted(
            connection, conversation.app_id, conversation.id, house.clock.now(), end_user_id=None
        )
    )
    with pytest.raises(NotFoundError):
        await house.start(version, conversation=conversation)
    assert len(house.runner.live) == 0


async def test_a_model_remembers_what_was_answered_in_this_conversation(house: House) -> None:
    memory = {"window": {"enabled": False, "size": 50}, "query_prompt_template": "{{#sys.query#}}"}
    version = await house.serve(
        {"start": start(), "llm": llm("Be brief.", memory=memory), "a": answer("{{#llm.text#}}")},
        "start > llm > a",
    )
    first = await house.ask(version, "one")
    await house.ask(version, "elsewhere")
    house.clock.advance(1)
    await house.ask(version, "two", conversation=await house.conversation_row(first))
    assert isinstance(house.model, ScriptedModel)
    said = [(message.role, message.text) for message in house.model.requests[-1].messages]
    assert said == [
        ("user", "Be brief."),
        ("user", "one"),
        ("assistant", "You said: one"),
        ("user", "two"),
    ]


# Conversation variables

TOPIC = variable("topic", "string", "none")
SET = {
    "start": start(),
    "set": assign("conversation.topic", "over-write", "<sys.query>"),
    "a": answer("{{#conversation.topic#}}"),
}
SHOW = {"start": start(), "a": answer("{{#conversation.topic#}}|{{#conversation.more#}}")}


async def values(house: House, heard: Heard) -> dict[str, object]:
    return {row.name: row.value for row in await house.variable_rows(heard)}


async def test_the_first_run_stores_every_variable_with_its_default(house: House) -> None:
    version = await house.serve(
        ECHO,
        "start > answer",
        conversation_variables=(
            TOPIC,
            variable("n", "number", 1.5),
            variable("prefs", "object", {"a": [1]}),
            variable("tags", "array[string]", []),
        ),
    )
    gate = Gate()
    waiting = await house.serve(
        {"start": start(), "n": wait(gate)}, "start > n", conversation_variables=(TOPIC,)
    )
    heard = await house.ask(version)
    assert await values(house, heard) == {"topic": "none", "n": 1.5, "prefs": {"a": [1]}, "tags": []}
    (row, *_) = await house.variable_rows(heard)
    assert (row.variable_id, row.value_type, row.description) == ("id of topic", "string", "the topic")
    # They are there from the moment the run begins.
    heard = await house.start(waiting)
    assert await values(house, heard) == {"topic": "none"}
    gate.open()
    await heard.ended()


async def test_later_runs_go_on_with_stored_values(house: House) -> None:
    version = await house.serve(SET, "start > set > a", conversation_variables=(TOPIC,))
    shown = await house.serve(SHOW, "start > a", conversation_variables=(TOPIC,))
    first = await house.ask(version, "rain")
    assert (first.answer, await values(house, first)) == ("rain", {"topic": "rain"})
    second = await house.ask(shown, conversation=await house.conversation_row(first))
    assert second.answer == "rain|conversation.more"
    elsewhere = await house.ask(shown)
    assert elsewhere.answer == "none|conversation.more"


async def test_a_definition_that_was_added_is_stored_and_one_that_was_removed_is_ignored(
    house: House,
) -> None:
    version = await house.serve(SET, "start > set > a", conversation_variables=(TOPIC,))
    added = await house.serve(
        SHOW,
        "start > a",
        conversation_variables=(variable("more", "number", 7), replace(TOPIC, value="other default")),
    )
    removed = await house.serve(SHOW, "start > a", conversation_variables=(variable("more", "number", 8),))
    first = await house.ask(version, "rain")
    conversation = await house.conversation_row(first)
    second = await house.ask(added, conversation=conversation)
    assert (second.answer, await values(house, second)) == ("rain|7", {"topic": "rain", "more": 7})
    third = await house.ask(removed, conversation=conversation)
    assert (third.answer, await values(house, third)) == (
        "conversation.topic|7",
        {"topic": "rain", "more": 7},
    )
    fourth = await house.ask(added, conversation=conversation)
    assert fourth.answer == "rain|7"


async def test_a_variable_is_known_by_its_id_and_may_change_its_name(house: House) -> None:
    version = await house.serve(SET, "start > set > a", conversation_variables=(TOPIC,))
    renamed = await house.serve(
        SHOW, "start > a", conversation_variables=(variable("more", "string", "", id=TOPIC.id),)
    )
    first = await house.ask(version, "rain")
    second = await house.ask(renamed, conversation=await house.conversation_row(first))
    assert second.answer == "conversation.topic|rain"


async def test_a_value_that_no_longer_fits_its_declared_type_keeps_its_own(house: House) -> None:
    types: list[str] = []

    def look(context: Context) -> None:
        types.append(context.pool.type_of(("conversation", "topic")))

    version = await house.serve(SET, "start > set > a", conversation_variables=(TOPIC,))
    retyped = await house.serve(
        {"start": start(), "n": do(look)},
        "start > n",
        conversation_variables=(replace(TOPIC, value_type="number", value=0),),
    )
    first = await house.ask(version, "rain")
    await house.ask(retyped, conversation=await house.conversation_row(first))
    await house.ask(retyped)
    assert types == ["string", "number"]


async def test_a_variable_stays_written_although_the_run_fails_later(house: House) -> None:
    version = await house.serve(
        {"start": start(), "set": SET["set"], "bad": fail()},
        "start > set > bad",
        conversation_variables=(TOPIC,),
    )
    heard = await house.ask(version, "rain")
    assert ((await house.run_row(heard)).status, await values(house, heard)) == ("failed", {"topic": "rain"})


async def test_of_many_writes_the_last_one_stays(house: House) -> None:
    version = await house.serve(
        {
            "start": start(),
            "lo": loop(30),
            **inside("lo", more=assign("conversation.n", "+=", 1)),
            "a": answer("{{#conversation.n#}}"),
        },
        "start > lo > a",
        "lo_start > more",
        conversation_variables=(variable("n", "number", 0),),
    )
    heard = await house.ask(version)
    assert (heard.answer, await values(house, heard)) == ("30", {"n": 30})


async def test_what_looks_like_a_file_in_a_variable_is_no_reason_to_fail(house: House) -> None:
    shown = await house.serve(SHOW, "start > a", conversation_variables=(variable("topic", "object", {}),))
    first = await house.ask(shown)
    (row,) = await house.variable_rows(first)
    forged = {"dify_model_identity": "__dify__file__", "size": "huge"}
    await house.store.write(
        lambda connection: conversation_variables.upsert(
            connection, [msgspec.structs.replace(row, value=forged)]
        )
    )
    second = await house.ask(shown, conversation=await house.conversation_row(first))
    assert '"size": "huge"' in second.answer


# How runs end


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (None, None),
        (NodeFailedError("x"), None),
        (RunStoppedError("x"), None),
        (LimitExceededError("limits.max_steps", 1), None),
        (CredentialsError("x"), "provider_not_initialize"),
        (QuotaExceededError("x"), "provider_quota_exceeded"),
        (RateLimitedError("x"), "rate_limit_error"),
        (UnsupportedModelError("x"), "model_currently_not_support"),
        (BadReplyError("x"), "completion_request_error"),
        (ProviderTimeoutError("x"), "completion_request_error"),
        (ProviderError("x"), "completion_request_error"),
        (StoreError("x"), "internal_server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, WeftError) else None,
)
def test_what_ended_a_run_has_this_code_in_the_api(cause: WeftError | None, code: str | None) -> None:
    assert error_code(cause) == code


async def test_a_failed_run_keeps_its_partial_answer_and_its_error(house: House) -> None:
    version = await house.serve(
        {"start": start(), "a": answer("so far"), "bad": fail("boom")}, "start > a > bad"
    )
    heard = await house.ask(version)
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert (run.status, run.error, run.outputs, run.exceptions_count) == ("failed", "boom", {}, 1)
    assert (message.answer, message.status, message.error) == ("so far", "error", "boom")
    assert (heard.live.run, heard.live.message) == (run, message)
    finished = heard.events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.error, finished.error_code) == ("failed", "boom", None)


@pytest.mark.parametrize("box", [loop(2), iteration("items.x", "n.x")])
async def test_a_failure_of_a_model_inside_a_container_keeps_its_code(house: House, box: Data) -> None:
    def refuse(_: Context) -> None:
        raise CredentialsError("no key", provider="openai")

    version = await house.serve(
        {"start": start(), "items": give(x=["a"]), "box": box, **inside("box", n=do(refuse))},
        "start > items > box",
        "box_start > n",
    )
    heard = await house.ask(version)
    finished = heard.events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.error, finished.error_code) == ("no key", "provider_not_initialize")
    types = {row.node_id: row.error for row in await house.execution_rows(heard)}
    assert (types["n"], types["box"]) == ("no key", "no key")


async def test_a_run_says_who_asked_for_it_and_how(house: House) -> None:
    version = await house.serve({"start": start(), "a": answer("Hi {{#sys.user_id#}}")}, "start > a")
    heard = await house.ask(
        version,
        invoke_from="debugger",
        created_from="debugger",
        triggered_from="debugging",
        account_id="00000000-0000-7000-8000-00000000cccc",
    )
    run, message = await house.run_row(heard), await house.message_row(heard)
    conversation = await house.conversation_row(heard)
    assert (run.created_from, run.triggered_from, run.created_by_role) == (
        "debugger",
        "debugging",
        "account",
    )
    for row in (run, message, conversation):
        assert (row.end_user_id, row.account_id) == (None, "00000000-0000-7000-8000-00000000cccc")
    for said in (message, conversation):
        assert (said.invoke_from, said.from_source) == ("debugger", "console")
    assert (heard.live.owner, heard.answer) == ("00000000-0000-7000-8000-00000000cccc", "Hi ada")


async def test_a_stopped_run_keeps_its_partial_answer_and_is_no_error(house: House) -> None:
    gate = Gate()
    version = await house.serve(
        {"start": start(), "a": answer("so far"), "slow": wait(gate)}, "start > a > slow"
    )
    heard = await house.start(version)
    await gate.reached()
    heard.live.stop()
    await heard.ended()
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert (run.status, run.error, run.outputs) == ("stopped", "Stopped by user.", {"answer": "so far"})
    assert (message.answer, message.status, message.error) == ("so far", "normal", None)
    assert [row.status for row in await house.execution_rows(heard)] == ["succeeded", "succeeded", "stopped"]


async def test_a_run_that_is_stopped_before_it_begins_is_recorded_too(house: House) -> None:
    version = await house.serve(ECHO, "start > answer")
    heard = await house.start(version)
    heard.live.stop("Never mind.")
    await heard.ended()
    assert heard.names == ["RunStarted", "RunFinished"]
    run = await house.run_row(heard)
    assert (run.status, run.error, run.total_steps) == ("stopped", "Never mind.", 0)


async def test_an_exception_that_was_caught_makes_a_partial_success(house: House) -> None:
    version = await house.serve(
        {"start": start(), "bad": fail(error_strategy="fail-branch"), "a": answer("sorry")},
        "start > bad",
        "bad:fail-branch > a",
    )
    heard = await house.ask(version)
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert (run.status, run.exceptions_count, message.status) == ("partial-succeeded", 1, "normal")


async def test_what_models_used_is_in_run_and_message(house: House, store: Store) -> None:
    script = Script([Rule(reply="Hi", usage=TokenUsage(7, 2, 9))])
    house = House(store, model=ScriptedModel(script=script))
    version = await house.serve(
        {"start": start(), "llm": llm(), "a": answer("{{#llm.text#}}")}, "start > llm > a"
    )
    heard = await house.ask(version)
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert (run.total_tokens, message.message_tokens, message.answer_tokens) == (9, 7, 2)
    usage = (message.metadata or {})["usage"]
    assert isinstance(usage, dict)
    assert (usage["prompt_tokens"], usage["currency"]) == (7, "USD")
    assert Decimal(usage["total_price"]) == 0


async def test_a_value_that_cannot_be_written_down_fails_the_run_that_has_it(house: House) -> None:
    version = await house.serve(
        {"start": start(), "a": answer("so far"), "n": do(lambda _: {"x": object()})}, "start > a > n"
    )
    heard = await house.ask(version)
    run, message = await house.run_row(heard), await house.message_row(heard)
    assert run.status == message.status.replace("error", "failed") == "failed"
    assert (run.error or "").startswith("the end of this run could not be stored: ")
    assert message.answer == "so far"
    finished = heard.events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.error_code) == ("failed", "internal_server_error")
    assert await house.execution_rows(heard) == ()


async def test_a_store_that_fails_at_the_end_fails_the_run_for_those_who_listen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await house.serve(ECHO, "start > answer")
    heard = await house.start(version)

    async def refuse(_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(house.store, "write", refuse)
    await heard.ended()
    finished = heard.events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.error) == (
        "failed",
        "the end of this run could not be stored: disk full",
    )
    assert len(house.runner.live) == 0


async def test_a_store_that_fails_at_the_start_starts_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await house.serve(ECHO, "start > answer")

    async def refuse(_: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", refuse)
        with pytest.raises(StoreError):
            await house.start(version)
    assert len(house.runner.live) == 0
    assert (await house.ask(version)).answer == "You said: Hi"


async def test_a_run_whose_history_cannot_be_read_is_not_begun(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = replace(await house.serve(ECHO, "start > answer"), histories={"workflow_history": 3})
    first = await house.ask(version)
    conversation = await house.conversation_row(first)

    async def refuse(_: object) -> None:
        raise StoreError("disk gone")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "read_quick", refuse)
        with pytest.raises(StoreError, match="disk gone"):
            await house.start(version, conversation=conversation)
    assert (await house.conversation_row(first)).dialogue_count == conversation.dialogue_count


# How many


@pytest.mark.parametrize(
    ("server", "app", "allowed"), [(2, None, 2), (0, 1, 1), (2, 1, 1), (1, 5, 1), (0, 0, 9)]
)
async def test_an_app_has_no_more_runs_than_the_smaller_limit(
    store: Store, server: int, app: int | None, allowed: int
) -> None:
    house = House(store, max_active_requests=server)
    gate = Gate()
    version = await house.serve({"start": start(), "n": wait(gate)}, "start > n")
    assert house.app is not None
    house.app = msgspec.structs.replace(house.app, max_active_requests=app)

    # All at once: those whose rows are still being written count as well.
    results = await asyncio.gather(*(house.start(version) for _ in range(9)), return_exceptions=True)
    started = [result for result in results if isinstance(result, Heard)]
    refused = [result for result in results if isinstance(result, TooManyRequestsError)]
    assert (len(started), len(refused)) == (allowed, 9 - allowed)
    if refused:
        assert str(refused[0]) == (
            "Too many requests. Please try again later. The current maximum concurrent requests "
            f"allowed for {house.app.id} is {allowed}."
        )
        with pytest.raises(TooManyRequestsError):
            house.runner.check_slot(house.app)
    gate.open()
    for heard in started:
        await heard.ended()
    house.runner.check_slot(house.app)
    await house.runner.close(1)


async def test_another_app_has_its_own_limit(store: Store) -> None:
    house = House(store, max_active_requests=1)
    gate = Gate()
    version = await house.serve({"start": start(), "n": wait(gate)}, "start > n")
    heard = await house.start(version)
    house.runner.check_slot(await house.new_app())
    gate.open()
    await heard.ended()
    await house.runner.close(1)


async def test_closing_waits_for_answers_and_stops_those_that_take_too_long(store: Store) -> None:
    house = House(store)
    gate = Gate()
    version = await house.serve({"start": start(), "a": answer("x"), "n": wait(gate)}, "start > a > n")
    with family() as begun:
        heard = await house.start(version)
        await gate.reached()
        await house.runner.close(0.01)
    run = await house.run_row(heard)
    assert (run.status, run.error) == ("stopped", "The server is shutting down.")
    assert heard.names[-1] == "RunFinished"
    assert heard.live.task in begun
    assert not begun & asyncio.all_tasks()


async def test_outputs_may_be_of_any_kind_that_values_are(house: House) -> None:
    big: Value = {"int": 10**30, "text": "\0 and \ud800", "list": [None, True, 1.5]}
    version = await house.serve(
        {"start": start(), "n": give(x=big), "end": end(out="n.x")}, "start > n > end", mode="workflow"
    )
    run = await house.run_row(await house.ask(version, None))
    assert run.status == "succeeded"
    assert run.outputs is not None
    assert run.outputs["out"] == {"int": 10**30, "text": "\ufffd and \ufffd", "list": [None, True, 1.5]}
