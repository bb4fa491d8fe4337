"""Several servers on the same records: what one is asked reaches a run that another owns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.contract.actor import Actor, Gate
from tests.contract.apps import answer, chatflow, conversation_variable, human, llm, start, template
from tests.contract.caller import BOUND, Caller
from tests.contract.house import House, open_house
from tests.contract.test_forms import approval, pause
from weft.clock import SystemClock
from weft.providers import ChatRequest
from weft.runs import LiveRun
from weft.store import RunState, run_states

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of servers that share their records."""
    if request.param == "sqlite":
        return {}
    address: str = request.getfixturevalue("postgres_server")
    engine = create_async_engine(
        address.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        await connection.exec_driver_sql("DROP DATABASE IF EXISTS weft_replicas WITH (FORCE)")
        await connection.exec_driver_sql("CREATE DATABASE weft_replicas")
    await engine.dispose()
    return {"database_url": address.replace("/postgres?", "/weft_replicas?")}


ONE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""What does not depend on the database is shown on one."""


class QuickClock(SystemClock):
    """A clock on which nobody sleeps for long, so that every look comes soon."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.05))


@asynccontextmanager
async def two(
    folder: Path, actor: Actor, app: dict[str, Any], database: dict[str, Any]
) -> AsyncIterator[tuple[tuple[House, Caller], tuple[House, Caller]]]:
    """Two servers of the same app."""
    async with (
        open_house(folder, models=actor, clock=QuickClock(), **database) as one,
        open_house(folder, models=actor, clock=QuickClock(), **database) as other,
    ):
        yield (one, await one.serve(app)), (other, await other.serve(app))


@pytest.fixture
def gate(actor: Actor, user: str) -> Gate:
    """Holds back the second word of an answer to the user's own name."""
    gate = Gate()

    async def leisurely(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()
        yield " two"

    actor.play(f"slowly, {user};", leisurely)
    return gate


def slow_flow() -> dict[str, Any]:
    return chatflow(
        [start(), llm("llm"), template("next", "next"), answer("{{#llm.text#}} {{#next.output#}}")],
        "start > llm > next > answer",
        variables=[conversation_variable("topic", "string", "none")],
    )


async def test_a_stop_reaches_a_run_that_another_server_owns(
    folder: Path, actor: Actor, gate: Gate, user: str, database: dict[str, Any]
) -> None:
    async with (
        two(folder, actor, slow_flow(), database) as ((_, here), (_, there)),
        here.stream(f"slowly, {user};", user=user) as stream,
    ):
        await stream.until_text("one")
        await there.stop(stream.events[0]["task_id"], user=f"not {user}")
        await there.stop(stream.events[0]["task_id"], user=user)
        await stream.rest()
    assert (stream.finished["status"], stream.finished["error"]) == ("stopped", "Stopped by user.")


async def test_a_form_can_be_answered_at_any_server(
    folder: Path, actor: Actor, database: dict[str, Any]
) -> None:
    async with two(folder, actor, approval(), database) as ((_, here), (_, there)):
        paused = await pause(here, "u1")
        async with here.events(paused.run_id, continue_on_pause="true") as stream:
            assert (await there.fill(paused.token, name="Ada", note="")).status == 200
            await stream.rest()
        # It went on there: here the rest of it is told whole, with its end.
        assert stream.names[-3:] == ["message_replace", "message_end", "workflow_finished"]
        assert stream.of("message_replace")[-1]["answer"] == "Wait. Yes, Ada."
        assert stream.finished["status"] == "succeeded"
        assert (await here.messages(paused.conversation_id))[0]["answer"] == "Wait. Yes, Ada."


async def test_of_answers_at_two_servers_one_counts(
    folder: Path, actor: Actor, database: dict[str, Any]
) -> None:
    async with two(folder, actor, approval(), database) as ((_, here), (_, there)):
        paused = await pause(here, "u1")
        replies = await asyncio.gather(
            *(caller.fill(paused.token, name=name, note="") for name, caller in (("A", here), ("B", there)))
        )
        assert sorted(reply.status for reply in replies) == [200, 412]
        ends = [await caller.joined(paused.run_id, continue_on_pause="true") for caller in (here, there)]
        assert [stream.finished["status"] for stream in ends] == ["succeeded", "succeeded"]
        assert (await here.run_detail(paused.run_id))["total_steps"] == 4


@ONE
async def test_a_run_that_another_server_owns_is_told_at_its_end(
    folder: Path, actor: Actor, gate: Gate, user: str, database: dict[str, Any]
) -> None:
    async with (
        two(folder, actor, slow_flow(), database) as ((_, here), (_, there)),
        here.stream(f"slowly, {user};", user=user) as stream,
    ):
        await stream.until_text("one")
        run_id = stream.events[0]["workflow_run_id"]
        async with there.events(run_id, user=user, include_state_snapshot="true") as joined:
            await joined.until("workflow_started")
            gate.open()
            await joined.rest()
        await stream.rest()
    assert joined.names[-3:] == ["message_replace", "message_end", "workflow_finished"]
    assert joined.of("message_replace")[-1]["answer"] == stream.answer == "one two next"


@ONE
async def test_a_run_that_another_server_pauses_is_told_to_wait(
    folder: Path, actor: Actor, gate: Gate, user: str, database: dict[str, Any]
) -> None:
    app = chatflow(
        [start(), llm("llm"), human("ask"), answer("{{#llm.text#}}")], "start > llm > ask:approve > answer"
    )
    async with (
        two(folder, actor, app, database) as ((_, here), (_, there)),
        here.stream(f"slowly, {user};", user=user) as stream,
    ):
        await stream.until("node_started")
        run_id = stream.events[0]["workflow_run_id"]
        async with there.events(run_id, user=user) as joined:
            gate.open()
            await joined.rest()
        await stream.rest()
    assert joined.names == ["human_input_required", "workflow_paused"]
    assert joined.events[0]["data"] == stream.one("human_input_required")["data"]


@pytest.mark.requirement("dsl-31", "dsl-32", "dsl-33")
async def test_a_run_is_paused_changed_and_let_go_on_from_any_server(
    folder: Path, actor: Actor, gate: Gate, user: str, database: dict[str, Any]
) -> None:
    async with two(folder, actor, slow_flow(), database) as ((mine, here), (other, there)):
        async with here.stream(f"slowly, {user};", user=user) as stream:
            await stream.until_text("one")
            (live,) = mine.runtime.runner.live
            run_id, app_id = live.run.id, live.run.app_id
            paused = told_to_pause(live)
            await other.runtime.runner.pause(run_id)
            async with asyncio.timeout(BOUND):
                await paused.wait()
            gate.open()
            await stream.rest()
        pause_ = stream.one("workflow_paused")["data"]
        assert (stream.started, pause_["paused_nodes"]) == (["start", "llm"], [])
        assert pause_["reasons"] == [{"TYPE": "scheduling_pause", "node_id": "", "node_title": ""}]
        values: Any = {("llm", "text"): "changed", ("conversation", "topic"): "forms"}
        await mine.runtime.runner.set_variables(app_id, run_id, values)
        assert await other.runtime.runner.resume(app_id, run_id) is None  # nothing has come for it
        async with there.events(run_id, user=user, continue_on_pause="true") as joined:
            assert await other.runtime.runner.resume(app_id, run_id, anyway=True) is not None
            await joined.rest()
        assert joined.started == ["next", "answer"]
        assert joined.finished["outputs"] == {"answer": "changed next"}
        conversation = stream.events[0]["conversation_id"]
        assert await here.variables(conversation, user=user) == {"topic": "forms"}


@ONE
@pytest.mark.requirement("dsl-33")
async def test_variables_of_a_run_that_goes_on_are_changed_from_outside(
    folder: Path, actor: Actor, gate: Gate, user: str, database: dict[str, Any]
) -> None:
    app = chatflow(
        [start(), llm("llm"), answer("{{#llm.text#}} {{#conversation.topic#}}")],
        "start > llm > answer",
        variables=[conversation_variable("topic", "string", "none")],
    )
    async with two(folder, actor, app, database) as ((mine, here), (other, _)):
        async with here.stream(f"slowly, {user};", user=user) as stream:
            await stream.until_text("one")
            (live,) = mine.runtime.runner.live
            changed = asyncio.Event()
            live.listen(lambda event: changed.set())
            values: Any = {("conversation", "topic"): "rain"}
            await other.runtime.runner.set_variables(live.run.app_id, live.run.id, values)
            async with asyncio.timeout(BOUND):
                await changed.wait()
            gate.open()
            await stream.rest()
        assert stream.answer == "one two rain"
        conversation = stream.events[0]["conversation_id"]
        assert await here.variables(conversation, user=user) == {"topic": "rain"}


def told_to_pause(live: LiveRun) -> asyncio.Event:
    """Set when the command comes; nothing is told of it before the pause itself."""
    told, engine = asyncio.Event(), live.engine
    assert engine is not None
    pause = engine.pause

    def note() -> None:
        pause()
        told.set()

    vars(engine)["pause"] = note
    return told


@ONE
async def test_a_state_of_another_version_of_the_program_fails_its_run_and_says_why(
    folder: Path, actor: Actor, database: dict[str, Any]
) -> None:
    async with open_house(folder, models=actor, **database) as house:
        caller = await house.serve(approval())
        paused = await pause(caller, "u1")

        def age(connection: Any) -> None:
            state = run_states.find(connection, paused.run_id)
            assert state is not None
            run_states.put(connection, RunState(state.id, 7, {"else": 1}, state.created_at))

        await house.runtime.store.write(age)
        async with caller.events(paused.run_id, continue_on_pause="true") as stream:
            assert (await caller.fill(paused.token, name="Ada", note="")).status == 200
            await stream.rest()
        error = stream.finished["error"]
        assert stream.finished["status"] == "failed"
        assert "another version of Weft" in error
        assert "format 7" in error
        (message,) = await caller.messages(paused.conversation_id)
        assert (message["status"], message["answer"], message["error"]) == ("error", "Wait. ", error)


@ONE
async def test_an_answer_whose_server_died_at_once_is_not_lost(
    folder: Path, actor: Actor, database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(folder, models=actor, **database) as house:
        caller = await house.serve(approval())
        paused = await pause(caller, "u1")
        monkeypatch.setattr(house.runtime.runner, "resume_soon", lambda *_: None)
        assert (await caller.fill(paused.token, name="Ada", note="")).status == 200
        assert (await caller.run_detail(paused.run_id))["status"] == "paused"
    async with open_house(folder, models=actor, **database) as house:
        caller = await house.serve(approval())
        stream = await caller.joined(paused.run_id, continue_on_pause="true")
        assert stream.finished["status"] == "succeeded"
        assert (await caller.messages(paused.conversation_id))[0]["answer"] == "Wait. Yes, Ada."
