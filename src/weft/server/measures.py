"""What the server counts of itself: requests, streams, runs, models, its store and its process."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from weft.events import Event, NodeFinished, RunFinished, RunPaused, RunStarted
from weft.runs import LiveRun, Runtime
from weft.server.guarded_protocol import ConnectionLimits
from weft.server.instrument import Counter, Histogram, gauge, histogram, render, told
from weft.server.rate_limit import CallRates
from weft.store import WRITE_BOUNDS, ObservedStore

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_MAX_APPS: Final = 100
_MAX_MODELS: Final = 200
_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = resource.getpagesize()


class Measures:
    """The numbers of one server process since it began.

    Args:
        runtime: What the process runs.
        version: This program's own.
        rates: Who was told to slow down.
        connections: What was refused before it was a request.
    """

    def __init__(
        self, runtime: Runtime, version: str, rates: CallRates, connections: ConnectionLimits | None
    ) -> None:
        self.open_streams = 0
        self._runtime = runtime
        self._version = version
        self._rates = rates
        self._connections = connections
        self._requests = Counter("weft_requests_total", "Requests answered.", ("method", "route", "status"))
        self._request_seconds = Histogram(
            "weft_request_seconds", "Time until an answer was complete.", _SECONDS, ("route",)
        )
        self._first_event = Histogram(
            "weft_first_event_seconds", "Time until the first event of a stream.", _SECONDS
        )
        self._started = Counter("weft_runs_started_total", "Runs begun.", ("app",), max_series=_MAX_APPS)
        self._finished = Counter(
            "weft_runs_finished_total", "Runs over, or paused.", ("app", "status"), max_series=4 * _MAX_APPS
        )
        self._run_seconds = Histogram("weft_run_seconds", "Duration of runs.", _SECONDS, ("status",))
        self._nodes = Counter(
            "weft_nodes_total", "Nodes done; those of type code used the sandbox.", ("type", "status")
        )
        self._tokens = Counter(
            "weft_model_tokens_total", "Tokens used.", ("provider", "model", "kind"), max_series=_MAX_MODELS
        )
        self._cost = Counter(
            "weft_model_cost_total",
            "What models cost, by their prices in the settings.",
            ("provider", "model", "currency"),
            max_series=_MAX_MODELS,
        )
        runtime.runner.live.observe(self.observe)

    # What is told to it

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._requests.add((method, route, str(status)))
        self._request_seconds.observe((route,), seconds)

    def first_event(self, seconds: float) -> None:
        """A stream has begun to tell."""
        self._first_event.observe((), seconds)

    def observe(self, live: LiveRun) -> None:
        """A run begins or goes on."""
        live.listen(partial(self._hear, live.run.app_id), pieces=False)

    def _hear(self, app_id: str, event: Event) -> None:
        match event:
            case NodeFinished():
                self._nodes.add((event.node_type, event.status))
                if "usage" in event.process_data:
                    self._use_model(event.process_data)
            case RunStarted(reason="initial"):
                self._started.add((app_id,))
            case RunFinished(status=status, elapsed_time=seconds):
                self._finished.add((app_id, status))
                self._run_seconds.observe((status,), seconds)
            case RunPaused():
                self._finished.add((app_id, "paused"))

    def _use_model(self, process_data: Mapping[str, object]) -> None:
        usage = process_data["usage"]
        if not isinstance(usage, Mapping):
            return
        model = str(process_data.get("model_provider", "")), str(process_data.get("model_name", ""))
        self._tokens.add((*model, "prompt"), usage.get("prompt_tokens", 0))
        self._tokens.add((*model, "completion"), usage.get("completion_tokens", 0))
        cost = float(usage.get("total_price", 0))
        if cost:
            self._cost.add((*model, str(usage.get("currency", ""))), cost)

    # What it tells

    def text(self) -> bytes:
        """All numbers, for Prometheus."""
        return render(self._parts())

    def _parts(self) -> Iterator[Iterable[str]]:
        live = self._runtime.runner.live
        yield gauge("weft_info", "The program.", {(self._version,): 1}, ("version",))
        for instrument in (
            self._requests,
            self._request_seconds,
            self._first_event,
            self._started,
            self._finished,
            self._run_seconds,
            self._nodes,
            self._tokens,
            self._cost,
        ):
            yield instrument.lines()
        yield gauge("weft_streams_open", "Event streams with a reader.", self.open_streams)
        active = Tally(run.run.app_id for run in live).most_common(_MAX_APPS)
        yield gauge("weft_runs_active", "Runs going on here.", {(id,): n for id, n in active}, ("app",))
        yield told(
            "weft_refused_total",
            "Requests refused before they were looked at, or because they came too fast.",
            {(reason,): number for reason, number in self._refusals()},
            ("reason",),
            kind="counter",
        )
        yield from self._store()
        yield from _process()

    def _refusals(self) -> Iterator[tuple[str, int]]:
        for reason, limiter in (("key_rate", self._rates.keys), ("user_rate", self._rates.users)):
            yield reason, 0 if limiter is None else limiter.refused
        yield "active_requests", self._runtime.runner.refused
        if self._connections is not None:
            yield "stalled", self._connections.stalled
            for status, number in self._connections.refused.items():
                yield f"http_{status}", number

    def _store(self) -> Iterator[Iterable[str]]:
        store = self._runtime.store
        if isinstance(store, ObservedStore):
            yield gauge("weft_store_writes_waiting", "Writes not on disk yet.", store.waiting)
            yield histogram(
                "weft_store_write_seconds",
                "Time until a write was on disk.",
                WRITE_BOUNDS,
                store.counts,
                store.seconds,
            )


def _process() -> Iterator[Iterable[str]]:
    yield told("process_cpu_seconds_total", "Processor time used.", time.process_time(), kind="counter")
    yield gauge("process_resident_memory_bytes", "Memory in use.", _resident_bytes())


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):  # no Linux: the most that it ever was
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
