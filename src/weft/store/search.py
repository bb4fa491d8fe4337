"""Asking the search index: which runs of an app's log, or which of its conversations, have a keyword.

An answer is exact for the caller's snapshot: the index is asked for what it knows, and the few rows that it
does not know, or not as they are, are left out there and read as they are. Where there is no index, or a
keyword that it cannot find, the caller has to read everything.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Text, any_, column, false, func, literal, select, text
from sqlalchemy.dialects import postgresql

from weft.store import search_queue
from weft.store.search_file import APP_SHIFT, TALK_SHIFT
from weft.store.search_text import PIECE, following, is_certain, quoted, wanted_grams
from weft.store.sqlite import ATTACHED
from weft.store.statement import containing
from weft.store.tables import conversations, search_texts

Kind = Literal["run", "talk"]
_MOST_CHARS = 256
"""Longer keywords are not looked up."""
_MOST_COUNTS = 100
"""Numbers that a connection keeps."""
_MOST_PIECES = 400
"""A keyword of one or two characters that more different pieces begin with is not looked up."""


class Numbers(NamedTuple):
    """Numbers of the index (see `search_file`) with what is looked for in them; the ends are included."""

    kind: Kind
    expression: str
    first: int
    last: int

    def query(self, columns: str, more: str = "") -> str:
        """A statement about the matches; its parameters are those of `parameters`, then those of `more`."""
        return _MATCHES.replace("COLUMNS", columns).replace("KIND", self.kind) + more

    @property
    def parameters(self) -> tuple[object, ...]:
        """What `query` needs."""
        return self.expression, self.first, self.last


_MATCHES = (
    "SELECT COLUMNS FROM search.KIND_text AS found WHERE KIND_text MATCH ? AND found.rowid BETWEEN ? AND ? "
)
_PIECES = "SELECT term FROM search.KIND_pieces WHERE term >= ? AND term < ? LIMIT ?"
_TALKS = "SELECT id FROM search.talks WHERE number IN (NUMBERS)"

NOTHING = Numbers("run", "", 0, -1)
"""The index knows that there are none."""


def is_fresh(connection: Connection) -> bool:
    """Whether there is an index that knows everything but what stands in the queue."""
    # Of the database first: the index is then at least as new as the caller's snapshot.
    mine = search_queue.find_state(connection)
    if mine is None or mine[0] == search_queue.NONE:
        return False
    if connection.dialect.name != "sqlite":
        return True
    if ATTACHED not in connection.info:
        return False
    generation, done = connection.exec_driver_sql("SELECT generation, done FROM search.state").one()
    return bool(generation == mine[0] and done >= mine[1])


def find_numbers(connection: Connection, kind: Kind, app_id: str, keyword: str) -> Numbers | None:
    """Where to look for a keyword in the file of the index; `None` when it cannot say.

    Args:
        connection: Of SQLite, to which the index is attached.
        kind: Runs or conversations.
        app_id: Of which app.
        keyword: What must stand in the text; lower case.
    """
    if not is_certain(keyword) or len(keyword) > _MOST_CHARS:
        return None
    row = connection.exec_driver_sql("SELECT number FROM search.apps WHERE id = ?", (app_id,)).first()
    if row is None:
        return NOTHING
    expression = _expression(connection, kind, keyword)
    if expression is None:
        return None
    if not expression:
        return NOTHING
    first = int(row[0]) << APP_SHIFT
    return Numbers(kind, expression, first, first + (1 << APP_SHIFT) - 1)


def _expression(connection: Connection, kind: Kind, keyword: str) -> str | None:
    """What to match; empty when nothing does."""
    if len(keyword) >= PIECE:
        return quoted(keyword)
    end = following(keyword)
    if end is None:
        return None
    rows = connection.exec_driver_sql(_PIECES.replace("KIND", kind), (keyword, end, _MOST_PIECES + 1)).all()
    if len(rows) > _MOST_PIECES:
        return None
    return " OR ".join(quoted(str(row[0])) for row in rows)


def count(connection: Connection, numbers: Numbers) -> int:
    """How many matches there are.

    What was counted once is kept with the connection: of the numbers up to a border that the file draws for
    every app, matches stay the same until it says that something behind the border has changed.
    """
    row = connection.exec_driver_sql(
        "SELECT generation, changes, border FROM search.state, search.apps WHERE number = ?",
        (numbers.first >> APP_SHIFT,),
    ).one()
    age, border = (str(row[0]), int(row[1])), min(int(row[2]), numbers.last)
    if border < numbers.first:
        return count_between(connection, numbers, numbers.first, numbers.last)
    counts: dict[Numbers, tuple[tuple[str, int], int, int]] = connection.info.setdefault("counts", {})
    known, counted, number = counts.pop(numbers, (age, numbers.first - 1, 0))
    if known != age or counted > border:
        counted, number = numbers.first - 1, 0
    number += count_between(connection, numbers, counted + 1, border)
    if len(counts) >= _MOST_COUNTS:
        del counts[next(iter(counts))]
    counts[numbers] = age, border, number
    return number + count_between(connection, numbers, border + 1, numbers.last)


def count_between(connection: Connection, numbers: Numbers, first: int, last: int) -> int:
    """How many matches there are in a part of the numbers."""
    if first > last:
        return 0
    part = numbers._replace(first=first, last=last)
    return int(connection.exec_driver_sql(part.query("count(*)"), part.parameters).scalar_one())


def find_conversations(connection: Connection, app_id: str, keyword: str) -> ColumnElement[bool] | None:
    """The condition of an app's conversations that the index knows to have a keyword.

    `None` when it cannot say. Of those of `search_queue.unknown_conversations` it may say anything.
    """
    if not is_fresh(connection):
        return None
    id = conversations.c.id
    if connection.dialect.name != "sqlite":
        found = matching_texts(connection, "talk", app_id, keyword)
        if found is None:
            return None
        # By themselves: as a part of the whole query Postgres might look for them once for each conversation.
        owners = connection.execute(select(search_texts.c.owner_id).distinct().where(*found)).scalars()
        return id == any_(literal(list(owners), postgresql.ARRAY(Text)))
    numbers = find_numbers(connection, "talk", app_id, keyword.lower())
    if numbers is None:
        return None
    if not numbers.expression:
        return false()
    mask = (1 << (APP_SHIFT - TALK_SHIFT)) - 1
    query = _TALKS.replace("NUMBERS", numbers.query(f"found.rowid >> {TALK_SHIFT} & {mask}"))
    for name in ("expression", "first", "last"):
        query = query.replace("?", f":{name}", 1)
    return id.in_(
        text(query)
        .bindparams(expression=numbers.expression, first=numbers.first, last=numbers.last)
        .columns(column("id"))
    )


def matching_texts(
    connection: Connection, kind: Kind, app_id: str, keyword: str
) -> list[ColumnElement[bool]] | None:
    """Conditions of the texts with a keyword in the table of the index (Postgres); `None` as above."""
    if not is_certain(keyword):
        return None
    lowered = cast(str, connection.execute(select(func.lower(literal(keyword)))).scalar_one())
    numbers = wanted_grams(lowered)
    if not numbers:
        return None
    grams = cast(Any, search_texts.c.grams)  # the comparator of arrays has no type here
    return [
        search_texts.c.app_id == app_id,
        search_texts.c.kind == kind,
        grams.contains(numbers),
        search_texts.c.text.like(containing(lowered), escape="/"),
    ]
