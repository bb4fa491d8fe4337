"""Runs told to OpenTelemetry: one span for the run, one for each node, one for each model that a node asks.

A span begins where the request's `traceparent` says. What people and models said is only told if the settings
want it. Spans wait in memory and are sent in batches from a thread; where nobody takes them they are lost and
nothing else is.

Source: OpenTelemetry semantic conventions for generative AI systems.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from weft.errors import ConfigError
from weft.events import (
    Event,
    Frame,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    RunFinished,
    RunPaused,
    RunStarted,
)
from weft.runs import LiveRun, LiveRuns
from weft.server.json_text import encode
from weft.server.request_id import CurrentRequest, current
from weft.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

log = logging.getLogger(__name__)

_MAX_CONTENT: Final = 32 * 1024
"""Characters of one value that are told."""
_BAD: Final = frozenset({"failed", "exception"})


@asynccontextmanager
async def tracing(
    settings: TracingSettings, runs: LiveRuns, *, version: str, exporter: SpanExporter | None = None
) -> AsyncIterator[None]:
    """Trace all runs for as long as the context is open; nothing happens unless the settings say where to.

    Args:
        settings: Where to, and how much.
        runs: The runs of this process.
        version: This program's own.
        exporter: Takes the spans in place of the address in the settings.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if settings.url is None and exporter is None:
        yield
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=settings.url)
    except ImportError as error:
        raise ConfigError(
            "the setting tracing.url needs OpenTelemetry, which is not installed: pip install 'weft[otel]'"
        ) from error
    resource = Resource.create({"service.name": settings.service, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("weft", version)

    def observe(live: LiveRun) -> None:
        live.listen(RunTrace(live, tracer, current.get(), contents=settings.contents).hear, pieces=False)

    runs.observe(observe)
    try:
        yield
    finally:
        runs.unobserve(observe)
        await asyncio.to_thread(provider.shutdown)


class RunTrace:
    """The spans of one run.

    Args:
        live: The run.
        tracer: Makes them.
        request: The request that began it; a run that goes on after a pause has none.
        contents: Tell what was said.
    """

    def __init__(
        self, live: LiveRun, tracer: Tracer, request: CurrentRequest | None, *, contents: bool
    ) -> None:
        self._live = live
        self._tracer = tracer
        self._request = request
        self._contents = contents
        self._run: Span | None = None
        self._nodes: dict[str, Span] = {}
        """By execution id, while they work."""
        self._containers: dict[str, Span] = {}
        """By node id: the latest of those that have others inside."""

    def hear(self, event: Event) -> None:
        """Something has happened."""
        match event:
            case RunStarted():
                self._begin(event)
            case NodeStarted():
                self._begin_node(event)
            case NodeFinished():
                self._end_node(event)
            case NodeRetried():
                span = self._nodes.get(event.execution_id)
                if span is not None:
                    kind = event.error_type or "error"
                    told: dict[str, AttributeValue] = {"retry": event.retry_index, "error.type": kind}
                    span.add_event("retry", told, timestamp=_nanoseconds(event.at))
            case RunFinished():
                self._end(event.at, event.status, event.error, event.outputs)
            case RunPaused():
                self._end(event.at, "paused", None, event.outputs)

    def _begin(self, event: RunStarted) -> None:
        from opentelemetry.trace import SpanKind

        run = self._live.run
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "invoke_workflow",
            "weft.app.id": run.app_id,
            "weft.app.mode": run.mode,
            "weft.run.id": run.id,
            "weft.workflow.id": event.workflow_id,
            "weft.run.reason": event.reason,
        }
        if run.conversation_id is not None:
            attributes["gen_ai.conversation.id"] = run.conversation_id
        if self._request is not None:
            attributes["weft.request.id"] = self._request.id
        if self._contents:
            attributes["weft.run.inputs"] = _content(event.inputs)
        self._run = self._tracer.start_span(
            "invoke_workflow",
            context=_parent(self._request),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=_nanoseconds(event.at),
        )

    def _begin_node(self, event: NodeStarted) -> None:
        attributes: dict[str, AttributeValue] = {
            "weft.node.id": event.node_id,
            "weft.node.type": event.node_type,
            "weft.node.execution_id": event.execution_id,
        }
        for name in ("iteration_index", "loop_index"):
            index = getattr(event.frame, name)
            if index is not None:
                attributes[f"weft.node.{name}"] = index
        span = self._tracer.start_span(
            f"node {event.node_type}",
            context=_inside(self._around(event.frame)),
            attributes=attributes,
            start_time=_nanoseconds(event.at),
        )
        self._nodes[event.execution_id] = span
        if event.node_type in ("iteration", "loop"):
            self._containers[event.node_id] = span

    def _end_node(self, event: NodeFinished) -> None:
        span = self._nodes.pop(event.execution_id, None)
        if span is None:
            return
        span.set_attribute("weft.node.status", event.status)
        if event.status in _BAD:
            self._fail(span, event.error_type, event.error)
        if self._contents:
            span.set_attribute("weft.node.inputs", _content(event.inputs))
            span.set_attribute("weft.node.outputs", _content(event.outputs))
        usage = event.process_data.get("usage")
        if isinstance(usage, Mapping):
            self._tell_model(span, event, usage)
        span.end(_nanoseconds(event.at))

    def _tell_model(self, node: Span, event: NodeFinished, usage: Mapping[str, object]) -> None:
        """A node says only when it is done that it has asked a model; the span is drawn afterwards."""
        from opentelemetry.trace import SpanKind

        data = event.process_data
        model = str(data.get("model_name", ""))
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": str(data.get("model_provider", "")),
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": _whole(usage.get("prompt_tokens")),
            "gen_ai.usage.output_tokens": _whole(usage.get("completion_tokens")),
        }
        if data.get("finish_reason"):
            attributes["gen_ai.response.finish_reasons"] = (str(data["finish_reason"]),)
        first = usage.get("time_to_first_token")
        if isinstance(first, float):
            attributes["gen_ai.response.time_to_first_chunk"] = first
        if self._contents:
            attributes["gen_ai.input.messages"] = _content(data.get("prompts"))
            attributes["gen_ai.output.messages"] = _content(event.outputs.get("text"))
        latency = usage.get("latency")
        seconds = latency if isinstance(latency, int | float) else 0.0
        began = max(event.started_at, event.at - timedelta(seconds=seconds))
        span = self._tracer.start_span(
            f"chat {model}",
            context=_inside(node),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=_nanoseconds(began),
        )
        if event.status in _BAD:
            self._fail(span, event.error_type, event.error)
        span.end(_nanoseconds(event.at))

    def _end(self, at: datetime, status: str, error: str | None, outputs: Mapping[str, object]) -> None:
        for span in self._nodes.values():
            span.set_attribute("weft.node.status", status)
            span.end(_nanoseconds(at))
        self._nodes.clear()
        whole = self._run
        if whole is None:
            return
        whole.set_attribute("weft.run.status", status)
        if status in _BAD:
            self._fail(whole, self._live.error_code, error)
        if self._contents:
            whole.set_attribute("weft.run.outputs", _content(outputs))
        whole.end(_nanoseconds(at))

    def _fail(self, span: Span, kind: str | None, error: str | None) -> None:
        """Mark a span; the text of an error may hold anything, so it counts as content."""
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("error.type", kind or "error")
        span.set_status(Status(StatusCode.ERROR, error if self._contents else None))

    def _around(self, frame: Frame) -> Span | None:
        """The container that something happens in, else the run."""
        inside = [
            self._containers[id] for id in (frame.loop_id, frame.iteration_id) if id in self._containers
        ]
        if not inside:
            return self._run
        order = list(self._containers.values())
        return max(inside, key=order.index)  # of two, one in the other, the inner one began later


def _parent(request: CurrentRequest | None) -> Context | None:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if request is None or request.traceparent is None:
        return None
    carrier = {"traceparent": request.traceparent}
    if request.tracestate is not None:
        carrier["tracestate"] = request.tracestate
    return TraceContextTextMapPropagator().extract(carrier)


def _inside(span: Span | None) -> Context | None:
    from opentelemetry.trace import set_span_in_context

    return None if span is None else set_span_in_context(span)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _content(value: object) -> str:
    return encode(value).decode()[:_MAX_CONTENT]
