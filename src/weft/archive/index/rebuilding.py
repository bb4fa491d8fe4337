"""Making an index anew: the files are read by one thread while another cuts their texts into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from weft.archive.index.building import Indexed, IndexProgress, Progress, put_run, read_rows
from weft.archive.index.message_row import MessageRow
from weft.archive.index.recent import Newest
from weft.archive.index.rollup import DAY, sum_up_everything
from weft.archive.index.schema import create_rows, finish_rows, join
from weft.archive.index.words_file import WordsFile
from weft.archive.index.writing import RowWriter, day_number
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.vault import Vault

FEWEST_ROWS = 2_000
"""What is written at once, unless there is no more."""
MOST_ROWS = 20_000
MOST_CHARACTERS = 24 * 1024 * 1024
"""What is read before it is written."""


def rebuild(
    path: Path, rows: Path, vault: Vault, days: Sequence[tuple[Day, str]], progress: Progress | None
) -> Indexed:
    """Make an index of these days.

    Args:
        path: The file, which is not there yet.
        rows: Another one, to be removed afterwards.
        days: With the checksums of their manifests.
    """
    done = Indexed()
    connection = create_rows(rows)
    try:
        with WordsFile(path) as words:
            connection.execute("BEGIN")
            newest = Newest(words.put)
            writer = RowWriter(connection, newest.put)
            _fill(writer, vault, days, progress, done)
            words.end()
            newest.note(connection)
            sum_up_everything(connection, sorted(writer.days), writer.note_shift())
            connection.execute("COMMIT")
            finish_rows(connection)
            connection.close()
            join(words.finish(), rows)
    finally:
        connection.close()
    return done


def _fill(
    writer: RowWriter,
    vault: Vault,
    days: Iterable[tuple[Day, str]],
    progress: Progress | None,
    done: Indexed,
) -> None:
    # By date over all organisations, so that row numbers rise.
    wanted = sorted(days, key=lambda item: (item[0].date, item[0]))
    coming = _Coming(writer, done)
    for place, (day, sha256) in enumerate(wanted):
        damaged = len(done.damaged)
        _read_day(coming, vault, day, done)
        done.days += 1
        if damaged == len(done.damaged):
            writer.note_day(day, sha256)
        following = wanted[place + 1][0] if place + 1 < len(wanted) else None
        if coming.write(following) and progress is not None:
            progress(IndexProgress(done.days, len(wanted), done.messages))


def _read_day(coming: _Coming, vault: Vault, day: Day, done: Indexed) -> None:
    manifest = vault.read_manifest(day)
    for entry in manifest.files if manifest is not None else ():
        if day.kind == "runs":
            put_run(coming.writer, vault, day, entry, done)
            continue
        rows = read_rows(vault, day, entry, done)
        if rows is not None:
            coming.add(day, entry, rows)


class _Coming:
    """Messages that are read and not yet written.

    A conversation's messages may be of later days than itself, and row numbers that fall are dear: a message
    waits until no earlier one can come.
    """

    def __init__(self, writer: RowWriter, done: Indexed) -> None:
        self.writer = writer
        self._done = done
        self._conversations: list[tuple[int, Day, Entry, int]] = []
        self._rows: list[tuple[int, str, MessageRow]] = []
        self._characters = 0

    def add(self, day: Day, entry: Entry, rows: Sequence[MessageRow]) -> None:
        """Take a conversation."""
        self._done.conversations += 1
        number = self._done.conversations
        self._conversations.append((number, day, entry, len(rows)))
        organization = day.organization_id or ""
        self._rows += [(number, organization, row) for row in rows]
        self._characters += entry.size
        if len(self._rows) >= MOST_ROWS or self._characters >= MOST_CHARACTERS:
            self._write(self._rows, [])

    def write(self, following: Day | None) -> bool:
        """Write what is before the next day, if it is worth while; everything when there is none.

        Returns:
            Whether something was written.
        """
        if following is None:
            self._write(self._rows, [])
            return True
        if len(self._rows) < FEWEST_ROWS:
            return False
        bound = day_number(following.date) * DAY
        ready = [item for item in self._rows if item[2].at < bound]
        if len(ready) < FEWEST_ROWS:
            return False
        self._write(ready, [item for item in self._rows if item[2].at >= bound])
        return True

    def _write(
        self, ready: list[tuple[int, str, MessageRow]], left: list[tuple[int, str, MessageRow]]
    ) -> None:
        self.writer.add_conversations(self._conversations)
        self._conversations.clear()
        self.writer.add(ready)
        self._done.messages += len(ready)
        self._characters = self._characters * len(left) // max(1, len(self._rows))
        self._rows = left
