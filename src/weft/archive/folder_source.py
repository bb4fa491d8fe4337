"""Conversations from files: what others exported, in the guide's format, as JSON or as JSON lines.

Understood are: a file of the guide's log format; its export (an object with ``conversations``); a list of
conversations; JSON lines of conversations (a line with only ``totals`` is passed over), each also packed with
zstandard without a dictionary, ``.zst``. Runs (objects with ``run_id``) come where conversations do.

A file of lines is read line by line; any other file is held in memory while it is read.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import zstandard

from weft.archive.attachment import FileRef, iter_attachments
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_shelf import FOLDER as FILES
from weft.archive.file_shelf import FileKey
from weft.archive.file_system import LocalFileSystem, iter_files
from weft.archive.json_text import BadJsonError, JsonObject, decode, digest
from weft.archive.name import encode_name
from weft.archive.place import MANIFEST
from weft.archive.run_record import RunRecord
from weft.archive.source import FileOffer, Loaded, SourceApp, SourceItem, SourcePage
from weft.errors import InvalidRequestError, NotFoundError

SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.zst", ".jsonl.zst")
LONGEST_LINE = 512 * 1024 * 1024
LARGEST_BYTES = 1 << 31
"""What a packed file that is read at once may unpack to."""
BROKEN = 1 << 62
"""The number of the record that says that its file cannot be read further: after all others."""
PAGE_ITEMS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A record in a file, or what is wrong with it."""

    path: str
    """Of the file, relative to the folder."""
    number: int
    """Of the line, or of the place in the list; from 1."""
    record: Conversation | RunRecord | None
    problem: str = ""


class FolderSource:
    """A file, or a folder with everything below it, in order of their paths.

    Each file is an app of its own, so that a broken one holds up no other. Nothing is remembered of a file
    that was read to its end: the next pull reads it again, and what has not changed writes nothing.
    """

    def __init__(self, path: Path, organization_id: str | None = None) -> None:
        self._path = path
        self._organization_id = organization_id
        self._held: dict[tuple[str, int], Found] = {}
        """Records of pages that were given out and not loaded yet."""

    @property
    def name(self) -> str:
        """The folder, by a digest, as its path is nobody's business."""
        return f"folder-{digest(str(self._path.resolve()).encode())[:16]}"

    async def list_apps(self) -> Sequence[SourceApp]:
        """The files."""
        return await asyncio.to_thread(self._list)

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        """Records of a file by their place in it; broken ones are items too, so that they are reported."""
        found = self.iter_file(app.id)
        after = int(cursor) if cursor.isdecimal() else 0
        while batch := await asyncio.to_thread(_take, found, after):
            self._held.update({(app.id, item.number): item for item in batch})
            items = [SourceItem(id=_id_of(item), data={"number": str(item.number)}) for item in batch]
            is_last = len(batch) < PAGE_ITEMS
            yield SourcePage(items, "" if is_last else str(batch[-1].number))
            if is_last:
                return
        yield SourcePage((), "")

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        """The record at its place in the file."""
        number = int(item.data["number"])
        found = self._held.pop((app.id, number), None)
        if found is None:
            found = await asyncio.to_thread(self._find, app.id, number)
        if found is None or found.record is None:
            why = "it is not there any more" if found is None else found.problem
            raise InvalidRequestError(f"{app.id}, record {number}: {why}")
        if isinstance(found.record, RunRecord):
            return Loaded(None, [found.record])
        return Loaded(found.record, offers=self._offers(found.record))

    def read_file(self, conversation: Conversation, ref: FileRef) -> bytes | None:
        """The bytes of an attached file, where the folder is an archive or lies in one; else none.

        Raises:
            DamagedFileError: They are not what was written.
        """
        root = next((one for one in (self._path, *self._path.parents) if (one / FILES).is_dir()), None)
        if root is None:
            return None
        there = conversation.organization_id
        key = FileKey("" if there is None else encode_name(there, "organization_id"), ref.sha256)
        try:
            data = LocalFileSystem().read(root / key.path)
        except OSError:
            return None
        if digest(data) != ref.sha256:
            raise DamagedFileError(key.path, "its content is not what was written")
        return data

    def iter_all(self) -> Iterator[Found]:
        """Every record of every file, one after the other."""
        for app in self._list():
            yield from self.iter_file(app.id)

    def iter_file(self, name: str) -> Iterator[Found]:
        """Every record of one file.

        Raises:
            ArchiveError: The file cannot be read.
        """
        path = self._path if self._path.is_file() else self._path / name
        try:
            yield from _read(path, name)
        except OSError as error:
            raise from_os_error(error, f"reading {name}") from error
        except zstandard.ZstdError as error:
            yield Found(name, BROKEN, None, f"it does not unpack: {error}")

    def _offers(self, conversation: Conversation) -> list[FileOffer]:
        return [
            FileOffer(one.place, read=partial(self._open, conversation, one.ref))
            for one in iter_attachments(conversation)
            if one.ref is not None
        ]

    async def _open(self, conversation: Conversation, ref: FileRef) -> AsyncIterator[bytes]:
        try:
            data = await asyncio.to_thread(self.read_file, conversation, ref)
        except DamagedFileError as error:
            raise NotFoundError(str(error), kind="file", id=ref.sha256) from error
        if data is None:
            raise NotFoundError("its bytes did not come along", kind="file", id=ref.sha256)
        yield data

    def _list(self) -> list[SourceApp]:
        if self._path.is_file():
            return [SourceApp(self._path.name, self._path.name, self._organization_id)]
        if not self._path.is_dir():
            raise InvalidRequestError(f"{self._path}: there is no such file or folder", {"path": "absent"})
        names = (path.relative_to(self._path) for path in iter_files(LocalFileSystem(), self._path))
        return [
            SourceApp(name.as_posix(), name.name, self._organization_id)
            for name in names
            if name.name.endswith(SUFFIXES) and not _is_own(name)
        ]

    def _find(self, name: str, number: int) -> Found | None:
        return next((found for found in self.iter_file(name) if found.number == number), None)


def _read(path: Path, name: str) -> Iterator[Found]:
    base = name.removesuffix(".zst")
    if base.endswith((".jsonl", ".ndjson")):
        with path.open("rb") as raw:
            stream = zstandard.ZstdDecompressor().stream_reader(raw) if name.endswith(".zst") else raw
            yield from _read_lines(io.BufferedReader(stream) if name.endswith(".zst") else raw, name)
        return
    data = path.read_bytes()
    if name.endswith(".zst"):
        if zstandard.get_frame_parameters(data).content_size > LARGEST_BYTES:
            # Also when it does not say how large it is, as the number then is the largest.
            yield Found(
                name, BROKEN, None, f"it does not say that it unpacks to {LARGEST_BYTES} bytes or less"
            )
            return
        data = zstandard.ZstdDecompressor().decompress(data)
    yield from _read_document(data, name)


def _read_lines(file: io.BufferedReader, name: str) -> Iterator[Found]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.strip():
            continue
        try:
            fields = decode(line, JsonObject, "it is no JSON object")
        except BadJsonError as error:
            yield Found(name, number, None, str(error))
            continue
        if set(fields) != {"totals"}:
            yield _parse(fields, name, number)


def _read_document(data: bytes, name: str) -> Iterator[Found]:
    try:
        content = decode(data, object, "it is no JSON")
    except BadJsonError as error:
        yield Found(name, 1, None, str(error))
        return
    if isinstance(content, dict) and isinstance(content.get("conversations"), list):
        content = content["conversations"]
    for number, fields in enumerate(content if isinstance(content, list) else [content], 1):
        yield _parse(fields, name, number)


def _parse(fields: object, name: str, number: int) -> Found:
    if not isinstance(fields, dict):
        return Found(name, number, None, "it is no JSON object")
    try:
        if "run_id" in fields:
            return Found(name, number, RunRecord.parse(fields))
        return Found(name, number, Conversation.parse(fields))
    except InvalidRequestError as error:
        return Found(name, number, None, str(error))


def _take(found: Iterator[Found], after: int) -> list[Found]:
    batch: list[Found] = []
    for item in found:
        if item.number > after:
            batch.append(item)
            if len(batch) == PAGE_ITEMS:
                break
    return batch


def _id_of(found: Found) -> str:
    return found.record.id if found.record is not None else f"{found.path}#{found.number}"


def _is_own(name: Path) -> bool:
    return name.name == MANIFEST or ".weft" in name.parts or name.name.endswith(".totals.json")
