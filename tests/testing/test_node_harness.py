from __future__ import annotations

from datetime import timedelta

import pytest

from weft.errors import CodeFailedError, GraphError, VariableError
from weft.events import TextStreamed
from weft.nodes import Context, FrameResult, Turn
from weft.providers import ScriptedModel
from weft.testing.node_harness import (
    FakeHistory,
    FakeSandbox,
    RecordingPort,
    StillClock,
    make_pool,
    run_node,
    single_model,
)
from weft.variables import VariablePool

pytestmark = pytest.mark.anyio

CODE = {
    "type": "code",
    "code_language": "python3",
    "code": "",
    "variables": [{"variable": "a", "value_selector": ["start", "a"]}],
    "outputs": {"out": {"type": "number"}},
}


async def test_a_node_runs_by_itself() -> None:
    run = await run_node({"type": "answer", "answer": "Hi {{#start.name#}}"}, {"start.name": "Ada"})

    assert (run.outputs["answer"], run.error, run.error_type, run.handle) == ("Hi Ada", None, None, None)


async def test_a_failure_is_kept_and_raised_when_outputs_are_asked_for() -> None:
    run = await run_node(CODE)

    assert (run.result, run.error_type) == (None, "CodeExecutionError")
    with pytest.raises(type(run.error or AssertionError())):
        _ = run.outputs


async def test_wrong_data_are_raised() -> None:
    with pytest.raises(GraphError):
        await run_node({"type": "nonsense"})


async def test_code_is_a_function_of_the_test() -> None:
    sandbox = FakeSandbox(lambda inputs: {"out": 7})

    run = await run_node(CODE, {"start.a": 1}, sandbox=sandbox)

    assert run.outputs == {"out": 7}
    assert sandbox.calls == [("python3", "", {"a": 1})]
    with pytest.raises(CodeFailedError):
        await FakeSandbox().run("python3", "", {})
    await sandbox.close()


async def test_one_model_answers_for_all() -> None:
    chat = ScriptedModel()
    models = single_model(chat, clock=StillClock())

    assert models.resolve("openai", "gpt-4o") == (chat, "gpt-4o")
    assert models.resolve("acme/x/y", "z") == (chat, "z")
    await models.close()


async def test_the_clock_goes_on_only_while_somebody_waits() -> None:
    clock = StillClock()
    before = clock.now()

    await clock.sleep(1.5)

    assert (clock.monotonic(), clock.now() - before, clock.waits) == (1.5, timedelta(seconds=1.5), [1.5])


async def test_history_gives_the_newest() -> None:
    turns = [Turn("1", "a"), Turn("2", "b")]
    history = FakeHistory(turns)

    assert await history.recent(1) == [turns[1]]
    assert await history.recent(9) == turns
    assert await history.recent(0) == []
    assert history.limits == [1, 9, 0]


def test_a_pool_keeps_declared_types() -> None:
    pool = make_pool({"sys.files": [], "a.b": 1}, {"sys.files": "array[file]"})

    assert (pool.type_of(("sys", "files")), pool.type_of(("a", "b"))) == ("array[file]", "number")
    with pytest.raises(VariableError):
        pool.get(("a", "c"))


async def test_the_port_writes_everything_down() -> None:
    async def child(context: Context, kind: str, index: int, pool: VariablePool) -> FrameResult:
        return FrameResult(total_tokens=index)

    run = await run_node({"type": "answer", "answer": ""})
    port, context = RecordingPort(child, frozenset({"x"})), run.context
    event = TextStreamed("t", ("a", "b"), "a")

    port.emit(event)
    port.stream(context, "text", "a")
    port.stream(context, "text", "b")
    port.end_stream(context, "text")
    port.end_loop("loop")
    port.merge_outputs(context, 3)

    assert (port.events, port.pieces, port.ended_streams) == ([event], {"text": ["a", "b"]}, ["text"])
    assert (port.ended_loops, port.merged, port.child_members("y")) == (["loop"], [3], frozenset({"x"}))
    assert await port.run_child(context, "loop", 5, context.pool) == FrameResult(total_tokens=5)
    assert await RecordingPort().run_child(context, "loop", 5, context.pool) == FrameResult()
