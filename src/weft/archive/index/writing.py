"""Putting rows into the index and taking them out again, inside of the caller's transaction."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from weft.archive.index.message_row import MessageRow
from weft.archive.index.run_usage import Usages
from weft.archive.index.schema import MICROSECOND, first_row, last_row_of_second
from weft.archive.index.token import AFTER_OWN, FACET, cutter
from weft.archive.manifest import Entry
from weft.archive.place import Day

DAY = 86_400 * MICROSECOND
BLOCK = 32
"""Days whose latencies are also kept as one."""
PROBES = 32
"""Neighbouring row numbers that are tried before the end of the second is."""
NAMES_IN_MEMORY = 100_000
MOST_UNNOTED = 5_000
"""Texts that are cut into words at once."""
_ROW = "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_TEXT = "INSERT INTO words (rowid, query, answer, name, facets) VALUES (?,?,?,?,?)"
_SUMS = (
    """INSERT INTO user_rollup
    SELECT at / :day, org, app, model, source, currency, user, count(*), sum(number = 0), sum(message_tokens),
        sum(answer_tokens), sum(failed), sum(rating = 1), sum(rating = 2), sum(cost_whole), sum(cost_part)
    FROM message WHERE id BETWEEN :low AND :high AND at BETWEEN :start AND :end
    GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    """INSERT INTO rollup
    SELECT day, org, app, model, source, currency, sum(messages), sum(conversations), sum(message_tokens),
        sum(answer_tokens), sum(errors), sum(likes), sum(dislikes), sum(cost_whole), sum(cost_part)
    FROM user_rollup WHERE day BETWEEN :first AND :last GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO latency SELECT at / :day, org, app, model, source, latency_class, count(*) FROM message
    WHERE id BETWEEN :low AND :high AND at BETWEEN :start AND :end AND latency > 0
    GROUP BY 1, 2, 3, 4, 5, 6""",
)
_BLOCK = """INSERT INTO latency_block SELECT day / :block, org, app, model, source, class, sum(messages)
    FROM latency WHERE day BETWEEN :first AND :last GROUP BY 1, 2, 3, 4, 5, 6"""
_UNSUM = (
    "DELETE FROM rollup WHERE day = ?",
    "DELETE FROM user_rollup WHERE day = ?",
    "DELETE FROM latency WHERE day = ?",
)
_TAKEN = (
    "SELECT id FROM message WHERE id IN (SELECT value FROM json_each(?))",
    "SELECT id FROM tombstone WHERE id IN (SELECT value FROM json_each(?))",
)
_ALL_DAYS = (-(2**21), 2**21)
CLASSES_PER_STEP = 20.0
"""Latencies fall into classes, each e^(1/20) times, or 5 per cent, above the one before."""
LATENCY_ERROR = 0.026
"""What a percentile that comes from classes may be off, as a share of it."""


class _Names(dict[str, int]):
    """The numbers of names; a new one is given a number."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __missing__(self, text: str) -> int:
        find = "SELECT id FROM name WHERE text = ?"
        found = self._connection.execute(find, (text,)).fetchone()
        if found is None:
            self._connection.execute("INSERT INTO name (text) VALUES (?)", (text,))
            found = self._connection.execute(find, (text,)).fetchone()
        if len(self) >= NAMES_IN_MEMORY:
            self.clear()
        self[text] = number = int(found[0])
        return number


class RowWriter:
    """Writes rows; knows which days' sums have to be made again.

    Args:
        notes_words: Add to the table of words as well; a file that is made anew gets it at the end.
    """

    def __init__(self, connection: sqlite3.Connection, *, notes_words: bool = True) -> None:
        self._connection = connection
        self._notes_words = notes_words
        self._unnoted: list[str] = []
        self._names = _Names(connection)
        self.days: set[int] = set()
        """Days since 1970 whose messages changed."""
        found = connection.execute("SELECT value FROM meta WHERE key = 'shift'").fetchone()
        self._shift = int(found[0]) if found else 0

    def put_conversation(self, day: Day, entry: Entry, messages: int) -> int:
        """Note a conversation.

        Returns:
            Its number in the index; the same as before when it was there.
        """
        found = self._connection.execute(
            "UPDATE conversation SET file = ?, sha256 = ?, packed_sha256 = ?, messages = ?"
            " WHERE day = ? AND conversation_id = ? RETURNING id",
            (entry.file, entry.sha256, entry.packed_sha256, messages, day.path, entry.id),
        ).fetchall()
        return int(found[0][0]) if found else self.add_conversation(day, entry, messages)

    def add_conversation(self, day: Day, entry: Entry, messages: int) -> int:
        """Note a conversation that is not there.

        Returns:
            Its number in the index.
        """
        cursor = self._connection.execute(
            "INSERT INTO conversation (file, sha256, packed_sha256, messages, day, conversation_id)"
            " VALUES (?,?,?,?,?,?)",
            (entry.file, entry.sha256, entry.packed_sha256, messages, day.path, entry.id),
        )
        return int(cursor.lastrowid or 0)

    def known_runs(self, day: Day) -> dict[int, int]:
        """The runs of a day that are in the index: `run_key` to the hash of the file."""
        query = "SELECT key, hash FROM run WHERE day = (SELECT id FROM name WHERE text = ?)"
        return dict(self._connection.execute(query, (day.path,)).fetchall())

    def put_run(self, day: Day, key: int, hash: int, usages: Usages) -> None:
        """Note a run, and what it used."""
        self.remove_run(day, key)
        self._connection.execute("INSERT INTO run VALUES (?,?,?)", (self._names[day.path], key, hash))
        counted: set[str] = set()
        for (model, currency), usage in usages.items():
            self._connection.execute(
                "INSERT INTO usage VALUES (?,?,?,?,?,?,?,?)",
                (
                    *(key, self._names[model], self._names[currency], int(model not in counted)),
                    *(usage.message_tokens, usage.answer_tokens, *usage.split_cost),
                ),
            )
            counted.add(model)

    def remove_run(self, day: Day, key: int) -> None:
        """Take a run out."""
        self._connection.execute("DELETE FROM run WHERE day = ? AND key = ?", (self._names[day.path], key))
        self._connection.execute("DELETE FROM usage WHERE run = ?", (key,))

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

    def add(self, rows: Iterable[tuple[int, str, MessageRow]]) -> None:
        """Add messages, each with its conversation's number and its organisation."""
        ordered = sorted(rows, key=_instant)
        numbers = self._allocate([row.at for _, _, row in ordered])
        messages, texts = [], []
        names, days = self._names, self.days
        for id, (conversation, organization, row) in zip(numbers, ordered, strict=True):
            at, latency = row.at, row.latency
            days.add(at // DAY)
            # fmt: off
            messages.append((
                id, conversation, row.number, at, row.message_id, row.digest, names[organization],
                names[row.app], names[row.user], names[row.model], names[row.source], names[row.currency],
                row.failed, row.rating, row.message_tokens, row.answer_tokens, row.cost[0], row.cost[1],
                latency, latency_class(latency), row.run,
            ))
            # fmt: on
            texts.append((id, row.query, row.answer, row.name, row.facets))
        # Rising row numbers: the full-text index writes a part of its own whenever they fall.
        texts.sort(key=_first)
        self._connection.executemany(_ROW, messages)
        self._connection.executemany(_TEXT, texts)
        if self._notes_words:
            self._unnoted += [text for _, *fields, _ in texts for text in fields if text]
            if len(self._unnoted) >= MOST_UNNOTED:
                self._note_words()

    def _note_words(self) -> None:
        words = cutter().words(self._unnoted)
        self._unnoted.clear()
        self._connection.executemany(
            "INSERT OR IGNORE INTO word VALUES (?)",
            ((word,) for word in words if not FACET <= word < AFTER_OWN),
        )

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
        """Make the sums of the days that changed again, and note new words."""
        if self._unnoted:
            self._note_words()
        for day in sorted(self.days):
            for statement in _UNSUM:
                self._connection.execute(statement, (day,))
            sum_up(self._connection, day, day, self._shift)
        for block in sorted({day // BLOCK for day in self.days}):
            self._connection.execute("DELETE FROM latency_block WHERE block = ?", (block,))
            sum_up_blocks(self._connection, block * BLOCK, block * BLOCK + BLOCK - 1)
        self.note_shift()

    def note_shift(self) -> int:
        """Keep how far a row number may be off its instant, and return it."""
        self.days.clear()
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('shift', ?)", (self._shift,))
        return self._shift

    def _allocate(self, instants: Sequence[int]) -> list[int]:
        """A free row number for each instant; the instants rise."""
        wanted = [first_row(at) for at in instants]
        some = msgspec.json.encode(wanted).decode()
        taken = {id for query in _TAKEN for (id,) in self._connection.execute(query, (some,))}
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


def sum_up(connection: sqlite3.Connection, first: int, last: int, shift: int) -> None:
    """Make the sums of the days from `first` to `last`, which have none.

    Args:
        shift: How far a row number may be off its instant.
    """
    start, end = first * DAY, (last + 1) * DAY - 1
    values = {"day": DAY, "first": first, "last": last, "start": start, "end": end}
    values |= {"low": first_row(start), "high": first_row(end) + shift}
    for statement in _SUMS:
        connection.execute(statement, values)


def sum_up_blocks(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Bring the latencies of days together, for the blocks of these days, which have none."""
    connection.execute(_BLOCK, {"block": BLOCK, "first": first, "last": last})


def sum_up_everything(connection: sqlite3.Connection, shift: int) -> None:
    """Make all sums of a file that has none."""
    sum_up(connection, *_ALL_DAYS, shift)
    sum_up_blocks(connection, *_ALL_DAYS)


def _instant(item: tuple[int, str, MessageRow]) -> int:
    return item[2].at


def _first(item: tuple[int, str, str, str, str]) -> int:
    return item[0]


def latency_class(latency: int) -> int:
    """The class that a latency in microseconds falls into; 0 for one that was not measured."""
    return int(math.log(latency) * CLASSES_PER_STEP) + 1 if latency else 0


def class_latency(number: int) -> float:
    """The middle of a class, in seconds; no latency of the class is further off than `LATENCY_ERROR`."""
    return math.exp((number - 0.5) / CLASSES_PER_STEP) / MICROSECOND


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days
