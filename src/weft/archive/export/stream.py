"""One export as a stream of bytes that can be broken off and continued."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import msgspec

from weft.archive.attachment import Attachment, iter_attachments
from weft.archive.errors import DamagedFileError, ExportError, from_os_error
from weft.archive.export.attached import file_name
from weft.archive.export.format import Format, Stored, Totals
from weft.archive.json_text import BadJsonError, decode, digest, encode, seal
from weft.archive.place import Day
from weft.archive.query import Query, iter_entries
from weft.archive.vault import Vault
from weft.registry import Registry

FORMATS: Registry[Callable[[], Format]] = Registry(
    "export format",
    "weft.export_formats",
    {
        "json": "weft.archive.export.json:JsonFormat",
        "jsonl": "weft.archive.export.jsonl:JsonlFormat",
        "csv": "weft.archive.export.csv:CsvFormat",
        "parquet": "weft.archive.export.parquet:ParquetFormat",
        "markdown": "weft.archive.export.markdown:MarkdownFormat",
        "html": "weft.archive.export.html:HtmlFormat",
        "openai": "weft.archive.export.openai:OpenAiFormat",
        "sharegpt": "weft.archive.export.sharegpt:ShareGptFormat",
        "preference": "weft.archive.export.preference:PreferenceFormat",
    },
)
CHUNK_BYTES = 256 * 1024
"""Least size of what the stream gives at once, except for the last."""


class _Token(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor says; its form is nobody's business."""

    format: str
    query: str
    organization: str
    day: date
    created: str
    id: str
    offset: int
    totals: Totals


class ExportStream:
    """Iterate for the bytes; `cursor` and `totals` are true for all that was given so far.

    Memory is bounded by one day's manifest, one conversation and `CHUNK_BYTES`. Conversations that change
    while they are exported are given in the version of the moment at which they are read.
    """

    def __init__(self, vault: Vault, query: Query, name: str, cursor: str | None = None) -> None:
        self.format = FORMATS.get(name)()
        """How conversations are written."""
        self.totals = Totals()
        """What the export holds so far."""
        self.offset = 0
        """Bytes of the export so far, those before the cursor included."""
        self.put_file: Callable[[Day, Attachment], None] | None = None
        """Told of each attached file that the format links to; none when nothing can lie beside it."""
        self.folder = ""
        """Where these files lie, as a link begins."""
        self._vault = vault
        self._query = query
        self._name = name
        self._fingerprint = digest(repr(_stable(query)).encode())[:16]
        self._after: tuple[Day, tuple[str, str]] | None = None
        self._is_continued = cursor is not None
        if cursor is not None:
            self._resume(cursor)

    @property
    def cursor(self) -> str | None:
        """Where to continue: an export from here gives exactly the bytes after `offset`.

        For a format that cannot be appended to, it gives a file of its own with what is missing. None before
        the first conversation.
        """
        if self._after is None:
            return None
        day, (created, id) = self._after
        token = _Token(
            format=self._name,
            query=self._fingerprint,
            organization=day.organization,
            day=day.date,
            created=created,
            id=id,
            offset=self.offset,
            totals=self.totals,
        )
        return base64.urlsafe_b64encode(encode(token)).decode()

    def __iter__(self) -> Iterator[bytes]:
        # The cursor moves when bytes are handed over, not when they are made: whoever has stored a chunk can
        # continue right after it.
        appendable = self.format.appendable
        held = bytearray(b"" if self._is_continued and appendable else self.format.begin())
        totals = msgspec.structs.replace(self.totals, damaged=list(self.totals.damaged))
        after = self._after
        for day, entry in iter_entries(self._vault, self._query, self._after):
            try:
                stored = Stored(self._vault.read(day, entry), f"{day.path}/{entry.file}", self.folder)
                data, rows = self.format.add(stored, totals.rows == 0)
                if self.put_file is not None and entry.files:
                    for one in iter_attachments(stored.conversation):
                        self.put_file(day, one)
            except (DamagedFileError, BadJsonError):
                totals.damaged.append(f"{day.path}/{entry.file}")
            else:
                held += data
                totals.conversations += 1
                totals.messages += entry.messages
                totals.rows += rows
                totals.skipped += not rows
            after = (day, entry.order)
            if len(held) >= CHUNK_BYTES:
                yield self._hand_over(held, totals, after)
                held.clear()
        totals.complete = not totals.damaged
        held += self.format.end(totals)
        yield self._hand_over(held, totals, after)

    def _hand_over(self, held: bytearray, totals: Totals, after: tuple[Day, tuple[str, str]] | None) -> bytes:
        self.offset += len(held)
        self.totals = msgspec.structs.replace(totals, damaged=list(totals.damaged))
        self._after = after
        return bytes(held)

    def _resume(self, cursor: str) -> None:
        try:
            token = decode(base64.urlsafe_b64decode(cursor), _Token, "cursor")
        except (BadJsonError, binascii.Error, ValueError) as error:
            raise ExportError("the cursor is not one of an export; start without a cursor") from error
        if (token.format, token.query) != (self._name, self._fingerprint):
            raise ExportError("the cursor belongs to another export; use the same format and filters")
        if token.totals.complete:
            raise ExportError("the cursor stands at the end of its export; there is nothing to continue")
        self.totals = token.totals
        self._after = (Day("conversations", token.organization, token.day), (token.created, token.id))
        self.offset = token.offset if self.format.appendable else 0


def open_export(vault: Vault, query: Query, name: str, cursor: str | None = None) -> ExportStream:
    """Begin or continue an export.

    Raises:
        ConfigError: There is no such format, or a package that it needs is absent.
        ExportError: The cursor is of another export.
    """
    return ExportStream(vault, query, name, cursor)


def export_to_file(vault: Vault, query: Query, name: str, path: Path, cursor: str | None = None) -> Totals:
    """Write an export to a file, and its totals to ``<file>.totals.json`` beside it.

    Attached files that a transcript links to lie in ``<file>.files``; one that is damaged is named in
    `Totals.damaged`.

    An export without a cursor appears under its name only when it is whole. With a cursor, the file is cut
    to where the cursor stands and continued; a format that cannot be appended to begins a new file.

    Raises:
        ExportError: The file is shorter than the cursor says.
        ArchiveError: The disk is full, or refuses.
    """
    stream = open_export(vault, query, name, cursor)
    beside = _Beside(vault, path)
    if stream.format.shows_files:
        stream.folder, stream.put_file = quote(beside.folder.name), beside.put
    appends = cursor is not None and stream.format.appendable
    target = path if appends else path.with_name(f".tmp-{path.name}")
    try:
        with target.open("r+b" if appends else "wb") as file:
            if appends and file.seek(0, 2) < stream.offset:
                raise ExportError(f"{path}: the file is shorter than the cursor says; start without a cursor")
            file.truncate(stream.offset)
            file.seek(stream.offset)
            for chunk in stream:
                file.write(chunk)
            file.flush()
            vault.files.sync_file(target)
        if not appends:
            vault.files.rename(target, path)
        stream.totals.damaged += beside.damaged
        stream.totals.complete = stream.totals.complete and not beside.damaged
        path.with_name(f"{path.name}.totals.json").write_bytes(seal(stream.totals))
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    finally:
        if not appends:
            with contextlib.suppress(OSError):  # a disk that is full has its room back
                target.unlink(missing_ok=True)
    return stream.totals


class _Beside:
    """The folder with attached files beside an export."""

    def __init__(self, vault: Vault, path: Path) -> None:
        self.folder = path.with_name(f"{path.name}.files")
        self.damaged: list[str] = []
        self._vault = vault
        self._seen: set[str] = set()

    def put(self, day: Day, one: Attachment) -> None:
        """Copy a file there, unless it is there already."""
        name = file_name(one)
        if one.ref is None or name in self._seen:
            return
        self._seen.add(name)
        target = self.folder / name
        try:
            data = self._vault.shelf.read(day.organization, one.ref)
        except DamagedFileError as error:
            self.damaged.append(error.path)
            return
        self.folder.mkdir(exist_ok=True)
        temporary = self.folder / f".tmp-{name}"
        temporary.write_bytes(data)
        temporary.replace(target)


def _stable(query: Query) -> list[tuple[str, object]]:
    values = ((name, getattr(query, name)) for name in query.__slots__)
    return [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in values]
