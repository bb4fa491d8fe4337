"""Putting rows into the index and taking them out again, inside of the caller's transaction."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import date

import msgspec

from weft.archive.index.message_row import MessageRow
from weft.archive.index.recent import Recent, Texts
from weft.archive.index.rollup import DAY, sum_up_days
from weft.archive.index.row_number import LAST, MICROSECOND, first_row, last_row_of_second
from weft.archive.index.run_usage import Usages
from weft.archive.index.token import AFTER_OWN, FACET, cutter
from weft.archive.manifest import Entry
from weft.archive.place import Day

PROBES = 32
"""Neighbouring row numbers that are tried before the end of the second is."""
NAMES_IN_MEMORY = 100_000
MOST_WAITING = 2_500
"""Rows whose texts are written at once."""
_ROW = "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_CONVERSATION = (
    "INSERT INTO conversation (id, file, sha256, packed_sha256, messages, day, conversation_id)"
    " VALUES (?,?,?,?,?,?,?)"
)
PUT_TEXT = "INSERT INTO words (rowid, query, answer, name, facets) VALUES (?,?,?,?,?)"
_NO_USAGE = "DELETE FROM usage WHERE run = ?"
_TAKEN = (
    "SELECT id FROM message WHERE id IN (SELECT value FROM json_each(?))",
    "SELECT id FROM tombstone WHERE id IN (SELECT value FROM json_each(?))",
)
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
        keep_texts: Takes the texts of the rows, those of each call by rising number, when a file is made
            anew; they are put into this file otherwise.
    """

    def __init__(
        self, connection: sqlite3.Connection, keep_texts: Callable[[list[Texts]], None] | None = None
    ) -> None:
        self._connection = connection
        self._keep_texts = keep_texts or self._wait
        self._is_new = keep_texts is not None
        self._waiting: list[Texts] = []
        self._recent = Recent(connection)
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
        if found:
            return int(found[0][0])
        number = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM conversation").fetchone()[0]
        self.add_conversations([(number, day, entry, messages)])
        return int(number)

    def add_conversations(self, items: Iterable[tuple[int, Day, Entry, int]]) -> None:
        """Note conversations that are not there, each with the number that it is to have and its messages."""
        self._connection.executemany(
            _CONVERSATION,
            [
                (number, entry.file, entry.sha256, entry.packed_sha256, messages, day.path, entry.id)
                for number, day, entry, messages in items
            ],
        )

    def note_day(self, day: Day, sha256: str) -> None:
        """Note that a day is in the index as its manifest of this checksum has it; empty for not at all."""
        self._connection.execute("DELETE FROM day WHERE path = ?", (day.path,))
        if sha256:
            self._connection.execute("INSERT INTO day VALUES (?, ?)", (day.path, sha256))

    def known_runs(self, day: Day) -> dict[int, int]:
        """The runs of a day that are in the index: `run_key` to the hash of the file."""
        query = "SELECT key, hash FROM run WHERE day = (SELECT id FROM name WHERE text = ?)"
        return dict(self._connection.execute(query, (day.path,)).fetchall())

    def put_run(self, day: Day, key: int, hash: int, usages: Usages) -> None:
        """Note a run, and what it used."""
        if self._is_new:
            self._connection.execute(_NO_USAGE, (key,))
        else:
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
        # Messages of a run that is new are found here as well: it is taken out before it is put in.
        answered = self._connection.execute("SELECT at FROM message WHERE run = ?", (key,))
        self.days.update(at // DAY for (at,) in answered)
        self._connection.execute("DELETE FROM run WHERE day = ? AND key = ?", (self._names[day.path], key))
        self._connection.execute(_NO_USAGE, (key,))

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
        messages: list[tuple[object, ...]] = []
        texts: list[Texts] = []
        names = self._names
        for id, (conversation, organization, row) in zip(numbers, ordered, strict=True):
            latency = row.latency
            # fmt: off
            messages.append((
                id, conversation, row.number, row.at, row.message_id, row.digest, names[organization],
                names[row.app], names[row.user], names[row.model], names[row.source], names[row.currency],
                row.failed, row.rating, row.message_tokens, row.answer_tokens, *row.cost,
                latency, latency_class(latency), row.run,
            ))
            # fmt: on
            texts.append((LAST - id, row.query, row.answer, row.name, row.facets))
        self.days.update({row.at // DAY for _, _, row in ordered})
        texts.sort(key=_first)
        self._connection.executemany(_ROW, messages)
        self._keep_texts(texts)

    def _wait(self, texts: list[Texts]) -> None:
        self._waiting += texts
        if len(self._waiting) >= MOST_WAITING:
            self._put_texts()

    def _put_texts(self) -> None:
        # Rising row numbers: the full-text index writes a part of its own whenever they fall.
        self._waiting.sort(key=_first)
        self._connection.executemany(PUT_TEXT, self._waiting)
        self._note_words([text for _, *fields, _ in self._waiting for text in fields if text])
        self._recent.add(self._waiting)
        self._waiting.clear()

    def _note_words(self, texts: list[str]) -> None:
        words = cutter().words(texts)
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
            self._recent.remove(id)
            self.days.add(at // DAY)

    def sum_up(self) -> None:
        """Write what waits, and make the sums of the days that changed again."""
        if self._waiting:
            self._put_texts()
        if self.days:
            sum_up_days(self._connection, sorted(self.days), self._shift)
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
        asked = _TAKEN[:1] if self._is_new else _TAKEN
        taken = {id for query in asked for (id,) in self._connection.execute(query, (some,))}
        ends: dict[int, int] = {}
        found = []
        for row in wanted:
            id = row
            if row in taken:
                id = self._free(row, taken, ends)
                self._shift = max(self._shift, id - row)
            taken.add(id)
            found.append(id)
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


def _instant(item: tuple[int, str, MessageRow]) -> int:
    return item[2].at


def _first(item: Texts) -> int:
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
