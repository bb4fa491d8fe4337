"""Putting rows into the index and taking them out again, inside of the caller's transaction."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from weft.archive.index.message_row import MessageRow
from weft.archive.index.schema import MICROSECOND, SUMS, first_row, last_row_of_second
from weft.archive.manifest import Entry
from weft.archive.place import Day

DAY = 86_400 * MICROSECOND
BLOCK = 32
"""Days whose latencies are also kept as one."""
PROBES = 32
"""Neighbouring row numbers that are tried before the end of the second is."""
NAMES_IN_MEMORY = 100_000
# A batch is given as one JSON text: SQLite then works through it without Python, which reads the next
# conversations in the meantime.
_ROW = f"INSERT INTO message SELECT {', '.join(f'value ->> {n}' for n in range(20))} FROM json_each(?)"  # noqa: S608 - numbers only
_TEXT = """INSERT INTO words (rowid, query, answer, name, facets)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)"""

_TOTALS = (
    "count(*), sum(number = 0), sum(message_tokens), sum(answer_tokens), sum(failed), sum(rating = 1), "
    "sum(rating = 2), sum(cost_whole), sum(cost_part)"
)
CLASSES_PER_STEP = 20.0
"""Latencies fall into classes, each e^(1/20) times, or 5 per cent, above the one before."""
LATENCY_ERROR = 0.026
"""What a percentile that comes from classes may be off, as a share of it."""


class RowWriter:
    """Writes rows; knows which days' sums have to be made again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._names: dict[str, int] = {}
        self.days: set[int] = set()
        """Days since 1970 whose messages changed."""
        found = connection.execute("SELECT value FROM meta WHERE key = 'shift'").fetchone()
        self._shift = int(found[0]) if found else 0

    def put_conversation(self, day: Day, entry: Entry, messages: int) -> int:
        """Note a conversation.

        Returns:
            Its number in the index; the same as before when it was there.
        """
        values = (entry.file, entry.sha256, entry.packed_sha256, messages, day.path, entry.id)
        found = self._connection.execute(
            "UPDATE conversation SET file = ?, sha256 = ?, packed_sha256 = ?, messages = ?"
            " WHERE day = ? AND conversation_id = ? RETURNING id",
            values,
        ).fetchall()
        if found:
            return int(found[0][0])
        cursor = self._connection.execute(
            "INSERT INTO conversation (file, sha256, packed_sha256, messages, day, conversation_id)"
            " VALUES (?,?,?,?,?,?)",
            values,
        )
        return int(cursor.lastrowid or 0)

    def put_new(self, batch: Sequence[tuple[Day, Entry, Sequence[MessageRow]]]) -> int:
        """Add conversations that were never there, with their messages.

        Returns:
            The number of messages.
        """
        first = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM conversation").fetchone()[0]
        self._connection.executemany(
            "INSERT INTO conversation VALUES (?,?,?,?,?,?,?)",
            [
                (id, day.path, entry.id, entry.file, entry.sha256, entry.packed_sha256, len(rows))
                for id, (day, entry, rows) in enumerate(batch, first)
            ],
        )
        found = [
            (id, day.organization_id or "", row)
            for id, (day, _, rows) in enumerate(batch, first)
            for row in rows
        ]
        self.add(found)
        return len(found)

    def replace(self, conversation: int, organization: str, rows: Sequence[MessageRow]) -> int:
        """Make these the rows of a conversation; rows that are the same as before stay.

        Returns:
            How many were added.
        """
        known: dict[int, list[tuple[int, int, int]]] = {}
        for id, number, at, digest in self._connection.execute(
            "SELECT id, number, at, hash FROM message WHERE conversation = ?", (conversation,)
        ):
            known.setdefault(digest, []).append((id, number, at))
        added = []
        for row in rows:
            same = known.get(row.digest)
            if not same:
                added.append(row)
                continue
            id, number, at = same.pop()
            if number != row.number:
                self._connection.execute("UPDATE message SET number = ? WHERE id = ?", (row.number, id))
                self.days.add(at // DAY)
        self._bury((id, at) for left in known.values() for id, _, at in left)
        self.add([(conversation, organization, row) for row in added])
        return len(added)

    def add(self, rows: Sequence[tuple[int, str, MessageRow]]) -> None:
        """Add messages, each with its conversation's number and its organisation."""
        ordered = sorted(rows, key=lambda item: item[2].at)
        numbers = self._allocate([row.at for _, _, row in ordered])
        messages, texts = [], []
        name = self._name
        for id, (conversation, organization, row) in zip(numbers, ordered, strict=True):
            self.days.add(row.at // DAY)
            messages.append(
                (
                    *(id, conversation, row.number, row.at, row.message_id, row.digest, name(organization)),
                    *(name(row.app), name(row.user), name(row.model), name(row.source), name(row.currency)),
                    *(int(row.failed), row.rating, row.message_tokens, row.answer_tokens, *row.cost),
                    *(row.latency, latency_class(row.latency)),
                )
            )
            texts.append((id, row.query, row.answer, row.name, row.facets))
        # Rising row numbers: the full-text index writes a part of its own whenever they fall.
        texts.sort(key=lambda item: item[0])
        self._connection.execute(_ROW, (_encode(messages),))
        self._connection.execute(_TEXT, (_encode(texts),))

    def remove(self, conversation: int) -> None:
        """Take a conversation out with its messages."""
        found = self._connection.execute(
            "SELECT id, at FROM message WHERE conversation = ?", (conversation,)
        ).fetchall()
        self._bury(found)
        self._connection.execute("DELETE FROM conversation WHERE id = ?", (conversation,))

    def _bury(self, rows: Iterable[tuple[int, int]]) -> None:
        # The full-text index keeps the words of a row that is gone until it is made anew, and its number is
        # not given again; what has no row in `message` is not found.
        for id, at in rows:
            self._connection.execute("DELETE FROM message WHERE id = ?", (id,))
            self._connection.execute("INSERT INTO tombstone VALUES (?)", (id,))
            self.days.add(at // DAY)

    def sum_up(self) -> None:
        """Make the sums of the days that changed again."""
        for day in sorted(self.days):
            for table in ("rollup", "user_rollup", "latency"):
                self._connection.execute(f"DELETE FROM {table} WHERE day = ?", (day,))  # noqa: S608 - our own names
            low = first_row(day * DAY)
            high = first_row((day + 1) * DAY) + self._shift
            where = f"id BETWEEN {low} AND {high} AND at BETWEEN {day * DAY} AND {(day + 1) * DAY - 1}"
            sum_up(self._connection, where)
        for block in sorted({day // BLOCK for day in self.days}):
            self._connection.execute("DELETE FROM latency_block WHERE block = ?", (block,))
            sum_up_blocks(self._connection, f"day BETWEEN {block * BLOCK} AND {block * BLOCK + BLOCK - 1}")
        self.note_shift()

    def note_shift(self) -> None:
        """Keep how far a row number may be off its instant."""
        self.days.clear()
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('shift', ?)", (self._shift,))

    def _name(self, text: str) -> int:
        known = self._names.get(text)
        if known is not None:
            return known
        find = "SELECT id FROM name WHERE text = ?"
        found = self._connection.execute(find, (text,)).fetchone()
        if found is None:
            self._connection.execute("INSERT INTO name (text) VALUES (?)", (text,))
            found = self._connection.execute(find, (text,)).fetchone()
        if len(self._names) >= NAMES_IN_MEMORY:
            self._names.clear()
        self._names[text] = found[0]
        return int(found[0])

    def _allocate(self, instants: Sequence[int]) -> list[int]:
        """A free row number for each instant; the instants rise."""
        wanted = [first_row(at) for at in instants]
        taken: set[int] = set()
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            marks = ",".join("?" * len(some))
            for table in ("message", "tombstone"):
                query = f"SELECT id FROM {table} WHERE id IN ({marks})"  # noqa: S608 - question marks only
                taken.update(id for (id,) in self._connection.execute(query, some))
        ends: dict[int, int] = {}
        found = []
        for row in wanted:
            id = row if row not in taken else self._free(row, taken, ends)
            taken.add(id)
            found.append(id)
            self._shift = max(self._shift, id - row)
        return found

    def _free(self, row: int, taken: set[int], ends: dict[int, int]) -> int:
        for id in range(row + 1, row + PROBES):
            if id not in taken and not self._is_taken(id):
                return id
        last = last_row_of_second(row)
        id = max(ends.get(last, 0), self._end(row, last)) + 1
        while id in taken or self._is_taken(id):
            id += 1
        ends[last] = id
        return id

    def _is_taken(self, id: int) -> bool:
        query = "SELECT 1 FROM message WHERE id = ?1 UNION ALL SELECT 1 FROM tombstone WHERE id = ?1"
        return self._connection.execute(query, (id,)).fetchone() is not None

    def _end(self, row: int, last: int) -> int:
        query = (
            "SELECT max(coalesce((SELECT max(id) FROM message WHERE id BETWEEN ?1 AND ?2), ?1),"
            " coalesce((SELECT max(id) FROM tombstone WHERE id BETWEEN ?1 AND ?2), ?1))"
        )
        return int(self._connection.execute(query, (row, last)).fetchone()[0])


def sum_up(connection: sqlite3.Connection, where: str = "1") -> None:
    """Make the sums of the messages that match, whose days have none.

    Args:
        where: Our own condition on messages; it may only choose whole days.
    """
    by = f"at / {DAY}, org, app, model, source, currency, user"
    connection.execute(
        f"INSERT INTO user_rollup SELECT {by}, {_TOTALS} FROM message WHERE {where} GROUP BY {by}"  # noqa: S608
    )
    keys = "day, org, app, model, source, currency"
    connection.execute(
        f"INSERT INTO rollup SELECT {keys}, {', '.join(f'sum({name})' for name in SUMS)}"  # noqa: S608
        f" FROM user_rollup WHERE day IN (SELECT DISTINCT at / {DAY} FROM message WHERE {where})"
        f" GROUP BY {keys}"
    )
    keys = f"at / {DAY}, org, app, model, source"
    connection.execute(
        f"INSERT INTO latency SELECT {keys}, latency_class, count(*)"  # noqa: S608 - our own names and numbers
        f" FROM message WHERE latency > 0 AND {where} GROUP BY {keys}, latency_class"
    )


def sum_up_blocks(connection: sqlite3.Connection, where: str = "1") -> None:
    """Bring the latencies of days together, for blocks that have none.

    Args:
        where: Our own condition on days; it may only choose whole blocks.
    """
    keys = f"day / {BLOCK}, org, app, model, source, class"
    connection.execute(
        f"INSERT INTO latency_block SELECT {keys}, sum(messages) FROM latency WHERE {where} GROUP BY {keys}"  # noqa: S608
    )


def _encode(rows: Sequence[Sequence[object]]) -> str:
    return msgspec.json.encode(rows).decode()


def latency_class(latency: int) -> int:
    """The class that a latency in microseconds falls into; 0 for one that was not measured."""
    return int(math.log(latency) * CLASSES_PER_STEP) + 1 if latency else 0


def class_latency(number: int) -> float:
    """The middle of a class, in seconds; no latency of the class is further off than `LATENCY_ERROR`."""
    return math.exp((number - 0.5) / CLASSES_PER_STEP) / MICROSECOND


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days
