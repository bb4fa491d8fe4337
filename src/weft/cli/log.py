"""What the program says of itself while it works, on standard error."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from weft.settings import LogSettings


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def __init__(self, *, tracebacks: bool = True) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message, and where an error came from."""
        line = f"{_time(record)} {record.levelname.lower():<7} {record.name}: {record.getMessage()}"
        request_id = getattr(record, "request_id", None)
        if request_id is not None:
            line += f" [{request_id}]"
        if self._tracebacks and record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a log collector.

    A record's ``fields``, a mapping, become keys of their own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The keys ``time``, ``level``, ``logger``, ``message``, and ``request_id`` and ``error`` if any."""
        content: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = getattr(record, "request_id", None)
        if request_id is not None:
            content["request_id"] = request_id
        content |= getattr(record, "fields", {})
        if record.exc_info:
            content["error"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False)


def start_logging(
    settings: LogSettings,
    file: TextIO,
    *,
    level: str | None = None,
    brief: bool = False,
    note: logging.Filter | None = None,
) -> None:
    """Begin to log.

    Libraries are heard from warnings on, whatever the level: at theirs below that they tell what people said
    and what keys they have.

    Args:
        settings: Level and format.
        file: Where to.
        level: In place of the one in the settings.
        brief: Without tracebacks.
        note: Notes down more in every record.
    """
    wanted = (level or settings.level).upper()
    handler = logging.StreamHandler(file)
    handler.setFormatter(
        JsonFormatter() if settings.format == "json" else TextFormatter(tracebacks=not brief)
    )
    if note is not None:
        handler.addFilter(note)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[wanted]))
    logging.getLogger("weft").setLevel(wanted)
    logging.captureWarnings(True)


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
