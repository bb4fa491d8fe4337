"""The log of an agent: a tree of lines, each of which begins and ends.

Source: Dify service API, event ``agent_log``; labels and keys as the official agent strategies write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft.events import AgentLogged
from weft.nodes.context import Context
from weft.providers import Usage
from weft.variables import Value, mask_secrets


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that has begun."""

    id: str
    label: str
    parent_id: str | None
    metadata: dict[str, Value]
    began: float
    """On the monotonic clock."""


class AgentLog:
    """Emits the lines of one agent and keeps the last state of each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._entries: dict[str, dict[str, Value]] = {}
        self._open: dict[str, LogLine] = {}

    def start(self, label: str, parent: LogLine | None = None, provider: str = "") -> LogLine:
        """Something begins."""
        services = self._context.services
        metadata: dict[str, Value] = {"started_at": services.clock.now().timestamp()}
        if provider:
            metadata["provider"] = provider
        line = LogLine(
            services.ids.new(),
            label,
            None if parent is None else parent.id,
            metadata,
            services.clock.monotonic(),
        )
        self._open[line.id] = line
        self._emit(line, "start", {}, metadata, None)
        return line

    def finish(
        self, line: LogLine, data: Mapping[str, Value], usage: Usage | None = None, error: str | None = None
    ) -> None:
        """It is done, or with an `error` it failed."""
        clock = self._context.services.clock
        metadata = {
            **line.metadata,
            "finished_at": clock.now().timestamp(),
            "elapsed_time": clock.monotonic() - line.began,
        }
        if usage is not None:
            metadata["total_price"] = format(usage.total_price, "f")
            metadata["currency"] = usage.currency
            metadata["total_tokens"] = usage.total_tokens
        self._open.pop(line.id, None)
        self._emit(line, "success" if error is None else "error", data, metadata, error)

    def fail(self, error: str) -> None:
        """Everything that has begun and is not done has failed, innermost first."""
        for line in reversed(list(self._open.values())):
            self.finish(line, {}, error=error)

    def entries(self) -> list[Value]:
        """The last state of each line, in the order in which they began."""
        return list(self._entries.values())

    def _emit(
        self,
        line: LogLine,
        status: str,
        data: Mapping[str, Value],
        metadata: dict[str, Value],
        error: str | None,
    ) -> None:
        context = self._context
        secrets = context.run.secrets
        shown = {key: mask_secrets(value, secrets) for key, value in data.items()}
        error = None if error is None else str(mask_secrets(error, secrets))
        self._entries[line.id] = {
            "id": line.id,
            "parent_id": line.parent_id,
            "label": line.label,
            "status": status,
            "error": error,
            "data": shown,
            "metadata": metadata,
            "node_id": context.node_id,
        }
        context.emit(
            AgentLogged(
                id=line.id,
                label=line.label,
                parent_id=line.parent_id,
                error=error,
                status=status,  # type: ignore[arg-type]  # one of the three, see the callers
                data=shown,
                metadata=metadata,
                node_id=context.node_id,
                execution_id=context.execution_id,
                frame=context.frame,
            )
        )
