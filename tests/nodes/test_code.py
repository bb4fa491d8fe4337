from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from weft.errors import CodeFailedError, GraphError, SandboxError, SandboxUnavailableError
from weft.graph import Need
from weft.nodes import build_node
from weft.sandbox import Sandbox, open_sandbox
from weft.testing.node_harness import FakeSandbox, make_spec, run_node
from weft.variables import File, Value

pytestmark = pytest.mark.anyio


def code(language: str = "python3", **changes: Any) -> dict[str, Any]:
    return {
        "type": "code",
        "title": "Code",
        "code_language": language,
        "code": "def main(a, b): ...",
        "variables": [
            {"variable": "a", "value_selector": ["start", "a"]},
            {"variable": "b", "value_selector": ["sys", "files"], "value_type": "array[file]"},
        ],
        "outputs": {"out": {"type": "string", "children": None}},
        **changes,
    }


@pytest.mark.parametrize("language", ["python3", "javascript"])
async def test_the_function_gets_native_values_and_gives_the_outputs(language: str) -> None:
    sandbox = FakeSandbox(lambda inputs: {"out": "done"})
    file = File(id="f", type="image", filename="a.png", url="https://files/a.png")

    run = await run_node(code(language), {"start.a": {"x": [1, None]}, "sys.files": [file]}, sandbox=sandbox)

    assert run.outputs == {"out": "done"}
    assert run.context.inputs == {"a": {"x": [1, None]}, "b": [file]}
    [(called, source, inputs)] = sandbox.calls
    assert (called, source) == (language, "def main(a, b): ...")
    assert inputs["a"] == {"x": [1, None]}
    assert isinstance(inputs["b"], list)
    assert inputs["b"][0]["dify_model_identity"] == "__dify__file__"
    assert inputs["b"][0]["filename"] == "a.png"


async def test_what_is_missing_and_an_empty_list_of_files_arrive_as_nothing() -> None:
    sandbox = FakeSandbox(lambda inputs: {"out": ""})

    await run_node(code(), {"sys.files": []}, sandbox=sandbox)
    untyped = code(variables=[{"variable": "b", "value_selector": ["sys", "files"]}])
    await run_node(untyped, {"sys.files": []}, types={"sys.files": "array[file]"}, sandbox=sandbox)
    await run_node(untyped, {"sys.files": []}, sandbox=sandbox)

    assert [inputs for _, _, inputs in sandbox.calls] == [{"a": None, "b": None}, {"b": None}, {"b": []}]


@pytest.mark.parametrize("error", [CodeFailedError, SandboxUnavailableError, SandboxError])
async def test_a_failing_sandbox_fails_the_node(error: type[SandboxError]) -> None:
    def main(inputs: Mapping[str, object]) -> dict[str, object]:
        raise error("NameError: x")

    run = await run_node(code(), {"start.a": 1}, sandbox=FakeSandbox(main))

    assert (run.error_type, str(run.error)) == ("CodeExecutionError", "NameError: x")
    assert run.context.inputs == {"a": 1, "b": None}


@pytest.mark.parametrize(
    ("returned", "error_type"),
    [
        pytest.param({}, "OutputValidationError", id="dsl-82b-missing"),
        pytest.param({"out": "x", "more": 1}, "CodeNodeError", id="dsl-82b-extra"),
        pytest.param({"out": 1}, "OutputValidationError", id="dsl-82b-wrong-type"),
    ],
)
async def test_outputs_are_checked(returned: dict[str, object], error_type: str) -> None:
    run = await run_node(code(), sandbox=FakeSandbox(lambda inputs: returned))

    assert run.error_type == error_type


def test_the_node_says_what_it_reads_and_needs() -> None:
    node = build_node(make_spec(code("javascript", retry_config={"retry_enabled": True, "max_retries": 2})))

    assert list(node.reads()) == [("start", "a"), ("sys", "files")]
    assert node.needs() == (Need("code", "javascript", "node"),)
    assert node.handles() is None
    assert node.retry is not None


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"code_language": "ruby"}, "workflow.graph.nodes[0].data.code_language"),
        ({"outputs": {"out": {"type": "file"}}}, "workflow.graph.nodes[0].data.outputs.out.type"),
    ],
)
def test_unknown_languages_and_types_are_refused_at_load(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(GraphError) as caught:
        build_node(make_spec(code(**changes)))

    assert [problem.path for problem in caught.value.problems] == [path]


def test_lists_that_files_leave_out_are_empty() -> None:
    node = build_node(make_spec(code(variables=None, outputs=None, dependencies=[])))

    assert list(node.reads()) == []


@pytest.fixture(scope="module")
async def real() -> AsyncGenerator[Sandbox]:
    sandbox = open_sandbox(concurrency=1)
    try:
        await sandbox.run("python3", "def main(): return {}", {})
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    else:
        yield sandbox
    finally:
        await sandbox.close()


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python3", "def main(a, b):\n    return {'out': b[0]['filename'] + str(a['x'] is None) + '\\0'}"),
        (
            "javascript",
            "async function main({a, b}) { return {out: b[0].filename + (a.x === null) + '\\0'} }",
        ),
    ],
)
async def test_real_code_gets_native_values_and_gives_the_outputs(
    real: Sandbox, language: str, source: str
) -> None:
    values: dict[str, Value] = {"start.a": {"x": None}, "sys.files": [File(filename="a.png")]}

    run = await run_node(code(language, code=source), values, sandbox=real)

    assert str(run.outputs["out"]).lower() == "a.pngtrue"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def main(a, b):\n    return 1 / 0", "ZeroDivisionError"),
        ("def main(a, b):\n    return [1]", "main"),
        ("def other():\n    pass", "main"),
    ],
)
async def test_real_code_that_fails_fails_the_node(real: Sandbox, source: str, message: str) -> None:
    run = await run_node(code(code=source), sandbox=real)

    assert run.error_type == "CodeExecutionError"
    assert message in str(run.error)
