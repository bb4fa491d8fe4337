from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from tests.engine.harness import answer, end, inside, loop, play, start
from tests.nodes.kept import MemoryFiles
from tests.tools.fake import PlayedTool, toolbox
from weft.egress import AddressRefusedError, EgressConfig, EgressRequest, EgressResponse
from weft.errors import GraphError, LimitExceededError, NodeFailedError
from weft.events import ROOT, AgentLogged, Frame, NodeFinished, NodeStarted
from weft.graph import Need, check_app
from weft.nodes import Limits, build_node
from weft.nodes.tool_http import EgressHttp
from weft.testing.node_harness import make_spec, run_node
from weft.tools import (
    BlobMessage,
    FileMessage,
    HttpRequest,
    ImageMessage,
    JsonMessage,
    LinkMessage,
    LogMessage,
    TextMessage,
    ToolCredentialsError,
    ToolFileError,
    ToolInvokeError,
    ToolMessage,
    ToolParameter,
    VariableMessage,
)
from weft.variables import File, Value

pytestmark = pytest.mark.anyio

FILE = File(id="f", filename="a.txt", url="https://files/a.txt")


def node(**changes: Any) -> dict[str, Any]:
    return {
        "type": "tool",
        "title": "Tool",
        "provider_id": "acme",
        "provider_name": "acme",
        "provider_type": "builtin",
        "tool_name": "do",
        "tool_label": "Do",
        "tool_configurations": {},
        "tool_parameters": {},
        **changes,
    }


def parameters(**types: Any) -> list[ToolParameter]:
    return [ToolParameter(name=name, type=type) for name, type in types.items()]


async def test_a_file_that_a_tool_makes_is_kept() -> None:
    kept = MemoryFiles()
    tool = PlayedTool(
        "do",
        BlobMessage(b"\x89PNG", "image/png"),
        TextMessage("and "),
        BlobMessage(b"a,b", "text/csv", "../table.csv", type="custom"),
    )
    run = await run_node(node(), tools=toolbox(tool), files=kept)

    assert run.outputs["files"] == run.context.files
    assert [(file.filename, file.type, file.transfer_method) for file in run.context.files] == [
        ("file.png", "image", "tool_file"),
        ("table.csv", "custom", "tool_file"),
    ]
    assert [kept.contents[file.related_id] for file in run.context.files] == [b"\x89PNG", b"a,b"]
    assert run.outputs["text"] == "and "
    assert {user.run_id for user in kept.users} == {"run"}


async def test_a_file_that_cannot_be_kept_fails_the_node() -> None:
    tool = PlayedTool("do", BlobMessage(b"\x89PNG", "image/png"))
    run = await run_node(node(), tools=toolbox(tool), files=MemoryFiles(full=True))
    assert run.error_type == "ToolFileError"


async def test_messages_become_outputs_and_are_streamed() -> None:
    tool = PlayedTool(
        "do",
        TextMessage("Hello "),
        VariableMessage("progress", "1", stream=True),
        TextMessage("Ada"),
        LinkMessage("https://a.example"),
        JsonMessage({"a": 1}),
        JsonMessage({"b": 2}),
        VariableMessage("count", 3),
        VariableMessage("progress", "2", stream=True),
        FileMessage(FILE),
        ImageMessage("https://a.example/b.png"),
    )
    run = await run_node(node(), tools=toolbox(tool))

    image = File(
        type="image",
        remote_url="https://a.example/b.png",
        url="https://a.example/b.png",
        filename="b.png",
        extension=".png",
        mime_type="image/png",
    )
    assert run.outputs == {
        "text": "Hello AdaLink: https://a.example\n",
        "files": [FILE, image],
        "json": [{"a": 1}, {"b": 2}],
        "count": 3,
        "progress": "12",
    }
    assert run.port.pieces == {
        "text": ["Hello ", "Ada", "Link: https://a.example\n"],
        "progress": ["1", "2"],
    }
    assert run.port.ended_streams == ["text", "progress"]
    assert run.context.files == [FILE, image]
    assert run.context.metadata["tool_info"] == {
        "provider_type": "builtin",
        "provider_id": "acme",
        "plugin_unique_identifier": "",
    }


@pytest.mark.parametrize(
    ("message", "outputs"),
    [
        pytest.param(TextMessage("t"), {"text": "t"}, id="dsl-108-text"),
        pytest.param(JsonMessage({"a": [1]}), {"json": [{"a": [1]}]}, id="dsl-108-json"),
        pytest.param(FileMessage(FILE), {"files": [FILE]}, id="dsl-108-file"),
        pytest.param(VariableMessage("v", {"x": None}), {"v": {"x": None}}, id="dsl-108-variable"),
        pytest.param(LogMessage(id="1", label="l"), {}, id="dsl-108-log"),
    ],
)
async def test_each_kind_of_message_has_its_output(message: ToolMessage, outputs: dict[str, Value]) -> None:
    run = await run_node(node(), tools=toolbox(PlayedTool("do", message)))
    assert run.outputs == {"text": "", "files": [], "json": [{"data": []}], **outputs}


async def test_lines_of_the_tools_log_become_events_that_refer_to_one_another() -> None:
    tool = PlayedTool(
        "do",
        LogMessage(id="1", label="Search", status="start"),
        LogMessage(id="2", label="Read", parent_id="1", data={"key": "hush-hush"}, metadata={"m": 1}),
        LogMessage(id="1", label="Search", status="error", error="no"),
    )
    frame = Frame(loop_id="loop", loop_index=2)
    run = await run_node(node(), tools=toolbox(tool), frame=frame, secrets=["hush-hush"])

    ids = [event.id for event in run.events if isinstance(event, AgentLogged)]
    assert ids[0] == ids[2] != ids[1]
    shared: dict[str, Any] = {"node_id": "node", "execution_id": "execution", "frame": frame}
    assert run.events == [
        AgentLogged(
            id=ids[0],
            label="Search",
            parent_id=None,
            error=None,
            status="start",
            data={},
            metadata={},
            **shared,
        ),
        AgentLogged(
            id=ids[1],
            label="Read",
            parent_id=ids[0],
            error=None,
            status="success",
            data={"key": "hush-h************sh"},
            metadata={"m": 1},
            **shared,
        ),
        AgentLogged(
            id=ids[0],
            label="Search",
            parent_id=None,
            error="no",
            status="error",
            data={},
            metadata={},
            **shared,
        ),
    ]


@pytest.mark.parametrize(
    ("given", "taken", "recorded"),
    [
        ({"type": "mixed", "value": "{{#start.n#}} times"}, "5 times", "5 times"),
        ({"type": "variable", "value": ["start", "o"]}, '{"x":[1]}', {"x": [1]}),
        ({"type": "constant", "value": 3}, "3", "3"),
        ({"type": "constant", "value": True}, "True", "True"),
        ({"type": "constant", "value": "{{#start.n#}}"}, "5", "5"),
        ("bare {{#start.n#}}", "bare 5", "bare 5"),
        (7, "7", "7"),
        ({"type": "mixed", "value": "{{#start.none#}}"}, "start.none", "start.none"),
    ],
)
async def test_a_parameter_is_a_text_a_constant_or_a_variable(
    given: object, taken: Value, recorded: Value
) -> None:
    tool = PlayedTool("do", parameters=parameters(p="string"))
    values: dict[str, Value] = {"start.n": 5, "start.o": {"x": [1]}}
    run = await run_node(node(tool_parameters={"p": given}), values, tools=toolbox(tool))
    assert run.outputs["text"] == ""
    assert tool.calls == [{"p": taken}]
    assert run.context.inputs == {"p": recorded}


async def test_values_are_cast_as_the_tool_wants_them() -> None:
    tool = PlayedTool(
        "do", parameters=parameters(n="number", b="boolean", o="object", a="array", f="file", s="string")
    )
    given = {
        "n": {"type": "constant", "value": 3},
        "b": {"type": "mixed", "value": "{{#start.yes#}}"},
        "o": {"type": "mixed", "value": '{"a": "{{#start.n#}}"}'},
        "a": {"type": "constant", "value": ["{{#start.n#}}", 1]},
        "f": {"type": "variable", "value": ["start", "files"]},
        "s": {"type": "variable", "value": ["start", "n"]},
    }
    values: dict[str, Value] = {"start.n": 5, "start.yes": True, "start.files": [FILE]}
    await run_node(node(tool_parameters=given), values, tools=toolbox(tool))
    assert tool.calls == [{"n": 3, "b": True, "o": {"a": "5"}, "a": ["5", 1], "f": FILE, "s": "5"}]


async def test_what_is_set_up_in_the_editor_counts_below_what_the_flow_gives() -> None:
    tool = PlayedTool(
        "do",
        parameters=[
            ToolParameter(name="zone", form="form", default="UTC"),
            ToolParameter(name="count", type="number", form="form"),
            ToolParameter(name="both"),
            ToolParameter(name="list", type="array", form="form"),
        ],
    )
    data = node(
        tool_node_version="2",
        tool_configurations={
            "zone": {"type": "constant", "value": None},
            "count": {"type": "mixed", "value": "{{#start.n#}}"},
            "both": {"type": "constant", "value": "editor"},
            "list": {"type": "variable", "value": ["start", "missing"]},
            "plain": None,
        },
        tool_parameters={"both": {"type": "mixed", "value": "flow"}},
    )
    await run_node(data, {"start.n": 4}, tools=toolbox(tool))
    old = node(tool_configurations={"zone": "Asia/Tokyo", "count": 2, "both": ""})
    await run_node(old, tools=toolbox(tool))
    assert tool.calls == [
        {"zone": "UTC", "count": 4, "both": "flow"},
        {"zone": "Asia/Tokyo", "count": 2, "both": ""},
    ]


async def test_a_parameter_that_the_tool_does_not_know_is_recorded_as_nothing() -> None:
    tool = PlayedTool("do", parameters=parameters(p="string"))
    run = await run_node(node(tool_parameters={"p": "a", "q": "b"}), tools=toolbox(tool))
    assert (tool.calls, run.context.inputs) == ([{"p": "a"}], {"p": "a", "q": None})


@pytest.mark.parametrize(
    ("required", "calls", "error"),
    [
        pytest.param(
            True,
            [],
            "parameter 'p' of the tool 'do' is the variable 'start.none', which no node that ran has set",
            id="dsl-107-required",
        ),
        pytest.param(False, [{}], None, id="dsl-107-optional"),
    ],
)
async def test_a_variable_without_a_value_fails_the_node_only_if_the_tool_needs_it(
    required: bool, calls: list[dict[str, Value]], error: str | None
) -> None:
    tool = PlayedTool("do", parameters=[ToolParameter(name="p", required=required)])
    given = {"p": {"type": "variable", "value": ["start", "none"]}}
    run = await run_node(node(tool_parameters=given), tools=toolbox(tool))
    assert (tool.calls, run.error and str(run.error)) == (calls, error)
    assert run.error_type == ("ToolParameterError" if error else None)


@pytest.mark.parametrize(
    ("tool", "error_type", "told"),
    [
        (PlayedTool("other"), "ToolNodeError", "tool provider 'acme' has no tool 'do'; it has: other"),
        (PlayedTool("do", ToolInvokeError("it broke")), "ToolInvokeError", "it broke"),
        (
            PlayedTool("do", ToolCredentialsError("bad key")),
            "ToolProviderCredentialValidationError",
            "bad key",
        ),
        (PlayedTool("do", ToolFileError("disk full")), "ToolFileError", "disk full"),
        (
            PlayedTool("do", AddressRefusedError("not there")),
            "ToolInvokeError",
            "tool 'do' of 'acme': not there",
        ),
        (
            PlayedTool("do", parameters=[ToolParameter(name="p", required=True)]),
            "ToolParameterError",
            "tool 'do' of 'acme': parameter 'p' is required; give it a value",
        ),
        (
            PlayedTool("do", BlobMessage(b"x", "image/png")),
            "ToolFileError",
            "the tool gives a file (image/png, 1 bytes) that cannot be kept here; "
            "use a tool that gives an address instead",
        ),
        (
            PlayedTool("do", VariableMessage("text", "x")),
            "ToolInvokeError",
            "it gives a variable 'text', a name that is taken by every tool's own outputs",
        ),
        (
            PlayedTool("do", VariableMessage("v", 1, stream=True)),
            "ToolInvokeError",
            "it gives the variable 'v' in pieces, and not all of them are texts",
        ),
    ],
)
async def test_a_tool_that_fails_fails_the_node(tool: PlayedTool, error_type: str, told: str) -> None:
    run = await run_node(node(), tools=toolbox(tool))
    assert isinstance(run.error, NodeFailedError)
    assert (run.error_type, str(run.error)) == (error_type, told)


async def test_what_was_streamed_before_a_failure_stays_open_for_another_attempt() -> None:
    tool = PlayedTool("do", TextMessage("half"), ToolInvokeError("broke"))
    retry = {"retry_enabled": True, "max_retries": 2, "retry_interval": 100}
    run = await run_node(node(retry_config=retry), tools=toolbox(tool))
    assert (run.streamed, run.port.ended_streams) == ("half", [])
    built = build_node(make_spec(node(retry_config=retry)))
    assert built.retry is not None
    assert (built.retry.max_retries, built.retry.interval) == (2, 0.1)


async def test_a_workflow_is_no_deeper_called_than_the_limit() -> None:
    tool = PlayedTool("flow")

    class Published:
        async def find(self, ref: object, app: str = "") -> PlayedTool:
            return tool

    tools = toolbox()
    tools.workflows = Published()
    data = node(provider_type="workflow", provider_id="uuid", tool_name="flow")
    run = await run_node(data, tools=tools, limits=Limits(max_call_depth=1))
    assert run.outputs["text"] == ""
    assert tool.callers[0].depth == 0
    run = await run_node(data, tools=tools, limits=Limits(max_call_depth=0))
    assert isinstance(run.error, LimitExceededError)
    assert run.error.limit == "limits.max_call_depth"


async def test_the_tool_learns_who_calls_and_what_it_may_use() -> None:
    tool = PlayedTool("do")
    run = await run_node(node(), tools=toolbox(tool))
    [caller] = tool.callers
    assert (caller.user, caller.app_id, caller.run_id, caller.conversation_id) == (
        "user",
        "app",
        "run",
        "conversation",
    )
    assert caller.clock is run.context.services.clock
    assert caller.code is run.context.services.sandbox


async def test_a_built_in_tool_needs_no_setting() -> None:
    data = node(
        provider_id="time",
        tool_name="current_time",
        tool_configurations={"format": "%Y-%m-%d %H:%M:%S", "timezone": "Asia/Shanghai"},
    )
    run = await run_node(data)
    assert run.outputs == {"text": "2026-03-01 20:00:00", "files": [], "json": [{"data": []}]}


def test_a_node_says_what_it_needs_and_reads() -> None:
    built = build_node(
        make_spec(
            node(
                provider_id="langgenius/tavily/tavily",
                tool_parameters={
                    "a": {"type": "mixed", "value": "{{#x.y#}} {{#x.z#}}"},
                    "b": {"type": "variable", "value": ["u", "v", "w"]},
                },
                tool_configurations={"c": {"type": "mixed", "value": "{{#x.y#}}"}},
            )
        )
    )
    assert built.needs() == (Need("tool", "langgenius/tavily/tavily/do", "node"),)
    assert set(built.reads()) == {("x", "y"), ("x", "z"), ("u", "v", "w")}
    custom = build_node(make_spec(node(provider_type="api", provider_id="uuid", provider_name="My API")))
    assert custom.needs() == (Need("tool", "My API/do", "node"),)


@pytest.mark.parametrize(
    "given",
    [
        {"p": {"type": "mixed", "value": 5}},
        {"p": {"type": "variable", "value": "start.x"}},
        {"p": {"type": "variable", "value": ["start", 5]}},
    ],
)
def test_a_value_that_does_not_fit_its_kind_is_told_when_the_file_is_loaded(given: object) -> None:
    with pytest.raises(GraphError, match="p: "):
        build_node(make_spec(node(tool_parameters=given)))


@pytest.mark.parametrize("given", [None, {}, {"p": None}, {"p": {"type": "mixed", "value": None}}])
async def test_what_is_not_given_is_left_out(given: object) -> None:
    tool = PlayedTool("do", parameters=parameters(p="string"))
    await run_node(node(tool_parameters=given, tool_configurations=given), tools=toolbox(tool))
    assert tool.calls == [{}]


def app(**data: Any) -> str:
    nodes = [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "t", "data": node(**data)},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ]
    edges = [{"source": "start", "target": "t"}, {"source": "t", "target": "end"}]
    graph = {"nodes": nodes, "edges": edges}
    return yaml.safe_dump({"app": {"mode": "workflow", "name": "A"}, "workflow": {"graph": graph}})


def test_a_file_with_a_tool_that_is_not_here_can_be_loaded() -> None:
    report = check_app(app(provider_id="hexinfo_db_query", tool_name="sql_query"), build_node)
    assert report.ok, report.problems
    assert list(report.needs) == [Need("tool", "hexinfo_db_query/sql_query", "t")]


class FakeEgress:
    """A way out that answers by itself."""

    config = EgressConfig(max_file_bytes=100)

    def __init__(self, body: bytes = b"ok", *, hangs: bool = False) -> None:
        self.requests: list[EgressRequest] = []
        self._body = body
        self._hangs = hangs

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        self.requests.append(request)
        if self._hangs:
            await asyncio.Event().wait()

        async def pieces() -> AsyncIterator[bytes]:
            yield self._body

        headers: Mapping[str, str] = {"content-type": "text/plain"}
        yield EgressResponse(status=200, origin="https://a", headers=headers, pieces=pieces())

    async def close(self) -> None: ...


async def test_requests_of_tools_go_out_through_the_guard() -> None:
    egress = FakeEgress()
    data = node(provider_id="webscraper", tool_name="webscraper", tool_parameters={"url": "https://a/b"})
    run = await run_node(data, egress=egress)
    assert run.outputs["text"] == "ok"
    [request] = egress.requests
    assert (request.method, request.url) == ("GET", "https://a/b")


async def test_a_request_of_a_tool_is_bounded_in_size_and_time() -> None:
    http = EgressHttp(FakeEgress(b"x" * 101))
    request = HttpRequest(url="https://a", method="POST", headers={"X": "y"}, credentials=frozenset({"x"}))
    with pytest.raises(Exception, match="more than 100 bytes"):
        await http.send(request)
    egress = FakeEgress(hangs=True)
    with pytest.raises(Exception, match=r"has not answered within 0\.001 seconds"):
        await EgressHttp(egress).send(HttpRequest(url="https://a", timeout=0.001))


@pytest.mark.parametrize("rounds", [pytest.param(2, id="dsl-71")])
async def test_events_of_a_tool_in_a_loop_name_loop_and_round(rounds: int) -> None:
    clock = node(provider_id="time", tool_name="current_time", tool_configurations={"format": "%Y"})
    told = await play(
        {"start": start(), "lo": loop(rounds), **inside("lo", tool=clock), "end": end()},
        "start > lo > end",
        "lo_start > tool",
    )
    frames = [event.frame for event in told.events if isinstance(event, NodeStarted | NodeFinished)]
    inner = [frame for frame in frames if frame != ROOT]
    expected = [Frame(loop_id="lo", loop_index=index) for index in range(rounds) for _ in range(2)]
    assert (told.outcome.status, inner) == ("succeeded", expected)


async def test_what_a_tool_says_streams_into_the_answer() -> None:
    told = await play(
        {
            "start": start(),
            "tool": node(
                provider_id="maths",
                tool_name="eval_expression",
                tool_parameters={"expression": {"type": "mixed", "value": "{{#sys.query#}}"}},
            ),
            "answer": answer("So: {{#tool.text#}}!"),
        },
        "start > tool > answer",
        values={"sys.query": "1+1"},
    )
    assert told.chunks == ["So: ", 'The result of the expression "1+1" is 2', "", "!"]
