"""SQL over all messages: DuckDB reads the Parquet files, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from weft.archive.index.parquet import load_extra
from weft.errors import ArchiveError, InvalidRequestError

TIMEOUT_SECONDS = 30.0
MAX_ROWS = 10_000
MEMORY_MB = 1024
BATCH_ROWS = 2048
_ALONE = {
    "allow_unsigned_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class QueryTimeoutError(ArchiveError):
    """A question to the archive took longer than it may."""


@dataclass(frozen=True, slots=True)
class SqlResult:
    """The answer to a statement."""

    columns: Sequence[str]
    types: Sequence[str]
    """DuckDB's names of the columns' types."""
    rows: Sequence[tuple[object, ...]]
    is_cut: bool
    """Whether there were more rows than `max_rows`."""
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Plain JSON; decimals and instants are text."""
        return {
            "columns": list(self.columns),
            "types": list(self.types),
            "rows": [[_plain(cell) for cell in row] for row in self.rows],
            "is_cut": self.is_cut,
            "seconds": round(self.seconds, 6),
        }


def run_sql(
    statement: str,
    files: Sequence[Path],
    values: Sequence[object],
    *,
    timeout_seconds: float,
    max_rows: int,
) -> SqlResult:
    """Ask the table ``messages``.

    Raises:
        ConfigError: duckdb is absent.
        InvalidRequestError: It is not one SELECT, or DuckDB does not accept it.
        QueryTimeoutError: It took too long.
    """
    duckdb = load_extra("duckdb")
    connection = duckdb.connect(":memory:", config=_ALONE)
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        connection.interrupt()

    timer = threading.Timer(timeout_seconds, stop)
    began = time.perf_counter()
    try:
        _prepare(connection, files)
        _check(duckdb, statement)
        timer.start()
        try:
            answer = connection.sql(statement, params=list(values) or None)
            columns, types = list(answer.columns), [str(type) for type in answer.types]
            rows = _fetch(answer, max_rows + 1)
        except duckdb.Error as error:
            if expired.is_set():
                raise QueryTimeoutError(
                    f"the statement took longer than {timeout_seconds:g} s; ask for less, or allow more time"
                ) from error
            raise InvalidRequestError(f"the statement failed: {error}", {"sql": str(error)}) from error
    finally:
        timer.cancel()
        connection.close()
    return SqlResult(
        columns=columns,
        types=types,
        rows=rows[:max_rows],
        is_cut=len(rows) > max_rows,
        seconds=time.perf_counter() - began,
    )


def _fetch(answer: Any, count: int) -> list[tuple[object, ...]]:
    """The first rows; by way of Arrow, since DuckDB's own instants need a package for time zones."""
    rows: list[tuple[object, ...]] = []
    for batch in answer.to_arrow_reader(min(count, BATCH_ROWS)):
        rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
        if len(rows) >= count:
            break
    return rows[:count]


def _prepare(connection: Any, files: Sequence[Path]) -> None:
    names = ", ".join("'" + str(path.absolute()).replace("'", "''") + "'" for path in files)
    connection.execute(f"SET memory_limit = '{MEMORY_MB}MB'; SET temp_directory = ''")
    connection.execute("SET TimeZone = 'UTC'")
    if files:
        connection.execute(f"SET allowed_paths = [{names}]")
        connection.read_parquet([str(path.absolute()) for path in files]).create_view("messages")
    else:
        connection.execute("CREATE TABLE messages (conversation_id VARCHAR, message_id VARCHAR)")
    # From here on nothing else can be opened, and this cannot be undone.
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


def _check(duckdb: Any, statement: str) -> None:
    try:
        found = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise InvalidRequestError(f"the statement cannot be read: {error}", {"sql": str(error)}) from error
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise InvalidRequestError(
            "only a single SELECT is possible; the table is called messages", {"sql": "not a single SELECT"}
        )


def _plain(cell: object) -> object:
    if cell is None or isinstance(cell, bool | int | float | str):
        return cell
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, list | tuple):
        return [_plain(item) for item in cell]
    if isinstance(cell, dict):
        return {str(key): _plain(item) for key, item in cell.items()}
    return str(cell)
