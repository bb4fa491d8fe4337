"""Runs told to OpenTelemetry."""

from __future__ import annotations

import builtins
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.house import VERSION, House, open_house
from weft.errors import ConfigError
from weft.server.tracing import tracing
from weft.settings import TracingSettings

pytestmark = pytest.mark.anyio

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Told:
    """The spans of what was done while it was traced."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.spans: Sequence[ReadableSpan] = ()

    def one(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    @property
    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def own_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


@asynccontextmanager
async def traced(house: House, **settings: Any) -> AsyncIterator[Told]:
    """Trace what is done meanwhile; its spans are there afterwards."""
    told = Told()
    live = house.runtime.runner.live
    async with tracing(TracingSettings(**settings), live, version=VERSION, exporter=told.exporter):
        yield told
    told.spans = told.exporter.get_finished_spans()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, models=Actor()) as opened:
        yield opened


async def test_a_run_is_a_span_with_one_for_each_node_and_model_call(house: House) -> None:
    flow = await house.serve(apps.echo_flow())
    async with traced(house) as told:
        stream = await flow.told("tell me")
    assert told.names == ["chat gpt-4o", "invoke_workflow", "node answer", "node llm", "node start"]
    run, llm, chat = told.one("invoke_workflow"), told.one("node llm"), told.one("chat gpt-4o")
    message = stream.events[0]
    assert attributes(run) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.conversation.id": message["conversation_id"],
        "weft.app.id": flow.app_id,
        "weft.app.mode": "advanced-chat",
        "weft.run.id": stream.one("workflow_started")["workflow_run_id"],
        "weft.workflow.id": flow.workflow_id,
        "weft.run.reason": "initial",
        "weft.run.status": "succeeded",
        "weft.request.id": stream.headers["x-request-id"],
    }
    chatted = attributes(chat)
    assert chatted.pop("gen_ai.response.time_to_first_chunk", 0.0) >= 0
    assert chatted == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 2,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert (parent_id(run), parent_id(llm), parent_id(chat)) == (None, own_id(run), own_id(llm))
    assert attributes(llm)["weft.node.status"] == "succeeded"
    resource = run.resource.attributes
    assert (resource["service.name"], resource["service.version"]) == ("weft", VERSION)
    assert all((span.end_time or 0) >= (span.start_time or 0) > 0 for span in told.spans)


async def test_a_run_belongs_to_the_trace_of_its_request(house: House) -> None:
    flow = await house.serve(apps.echo_flow())
    async with traced(house) as told:
        reply = await flow.call(
            "POST",
            "/chat-messages",
            {"query": "x", "inputs": {}, "user": "u", "auto_generate_name": False},
            headers={
                "authorization": f"Bearer {flow.key}",
                "content-type": "application/json",
                "traceparent": f"00-{TRACE}-{PARENT}-01",
            },
        )
    assert reply.status == 200
    run = told.one("invoke_workflow")
    assert run.context is not None
    assert (f"{run.context.trace_id:032x}", parent_id(run)) == (TRACE, int(PARENT, 16))
    assert {span.context.trace_id for span in told.spans if span.context} == {run.context.trace_id}


async def test_contents_are_told_only_if_that_is_wanted(house: House) -> None:
    flow, broken = await house.serve(apps.echo_flow()), await house.serve(apps.failing_flow())
    async with traced(house) as silent:
        await flow.chat("a private matter")
        await broken.chat("a private matter")
    async with traced(house, contents=True) as open_:
        await flow.chat("a private matter")
        await broken.chat("a private matter")
    said = [str(span.to_json()) for span in silent.spans]
    assert [text for text in said if "private" in text or "boom" in text] == []
    chat = attributes(open_.one("chat gpt-4o"))
    assert "a private matter" in chat["gen_ai.input.messages"]
    assert chat["gen_ai.output.messages"] == '"You said: a private matter"'
    assert "boom" in str(open_.one("node code").status.description)


async def test_a_failure_is_marked_with_its_kind(house: House) -> None:
    flow = await house.serve(apps.failing_flow())
    async with traced(house) as told:
        await flow.chat()
    for name in ("node code", "invoke_workflow"):
        span = told.one(name)
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
        assert "error.type" in attributes(span)
    assert attributes(told.one("invoke_workflow"))["weft.run.status"] == "failed"


async def test_nodes_inside_a_container_lie_inside_its_span(house: House) -> None:
    inner = [
        apps.node("in", "iteration-start", inside="each"),
        apps.node(
            "say",
            "template-transform",
            inside="each",
            template="{{ x }}!",
            variables=[{"variable": "x", "value_selector": ["each", "item"]}],
        ),
    ]
    app = apps.app(
        [
            apps.start(),
            apps.code("list", "return {'items': ['a', 'b']}", {"items": "array[string]"}),
            apps.node(
                "each",
                "iteration",
                start_node_id="in",
                iterator_selector=["list", "items"],
                output_selector=["say", "output"],
                output_type="array[string]",
            ),
            *inner,
            apps.answer("{{#each.output#}}"),
        ],
        ["start > list > each > answer", "in > say"],
    )
    flow = await house.serve(app)
    async with traced(house) as told:
        assert (await flow.chat()).status == 200
    each = told.one("node iteration")
    inside = [span for span in told.spans if span.name == "node template-transform"]
    assert [parent_id(span) for span in inside] == [own_id(each)] * 2
    assert sorted(attributes(span)["weft.node.iteration_index"] for span in inside) == [0, 1]


async def test_after_the_end_no_run_is_traced(house: House) -> None:
    flow = await house.serve(apps.echo_flow())
    async with traced(house) as told:
        pass
    await flow.chat()
    assert told.exporter.get_finished_spans() == ()


async def test_without_an_address_nothing_is_imported(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def watch(name: str, *args: Any, **more: Any) -> Any:
        assert not name.startswith("opentelemetry")
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", watch)
    async with tracing(TracingSettings(), house.runtime.runner.live, version=VERSION):
        pass


async def test_without_opentelemetry_the_error_says_what_to_install(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = TracingSettings(url="http://127.0.0.1:4318/v1/traces")
    with pytest.raises(ConfigError, match=r"pip install 'weft\[otel\]'"):
        async with tracing(settings, house.runtime.runner.live, version=VERSION):
            pass
