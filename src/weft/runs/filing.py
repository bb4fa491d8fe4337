"""Files with their bytes: uploads, what runs make, who may have which, and links to them.

A row is written before the bytes are: what a process leaves behind that dies in between can be found by it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Collection, Sequence

import msgspec

from weft.clock import Clock
from weft.errors import StoreError
from weft.files import ByteSource, FileLinks, FileStore, category_of, extension_of
from weft.ids import Ids
from weft.nodes import FileContent, FileUser, KeptFileError, NewFile, is_kept, made_name
from weft.runs.request_file import FindUpload
from weft.store import (
    App,
    Connection,
    EndUser,
    Store,
    StoredFile,
    apps,
    end_users,
    files,
)
from weft.variables import File, FileType, TransferMethod, kind_of
from weft.wire import parse_uuid

log = logging.getLogger(__name__)

_HASHED_AT_ONCE = 1024 * 1024


class Filing:
    """The files of all apps.

    Args:
        store: Where their rows go.
        content: Where their bytes go.
        links: Makes links to them.
        clock: The time.
        ids: New identifiers.
        max_bytes: The most that a run may make in one file.
    """

    def __init__(
        self,
        store: Store,
        content: FileStore,
        links: FileLinks,
        *,
        clock: Clock,
        ids: Ids,
        max_bytes: int,
    ) -> None:
        self.content = content
        self.links = links
        self._store = store
        self._clock = clock
        self._ids = ids
        self._max_bytes = max_bytes

    async def upload(
        self, app: App, end_user: EndUser, name: str, mime_type: str, source: ByteSource, size: int
    ) -> StoredFile:
        """Keep a file that an end user sends.

        Args:
            app: The app it is sent to.
            end_user: Who sends it, and who alone may use it.
            name: As the client wrote it, checked and cleaned.
            mime_type: As the client wrote it.
            source: The bytes from its present position on.
            size: How many they are.

        Raises:
            StoreError: It could not be kept.
        """
        start = source.tell()
        digest = await asyncio.to_thread(_sha256, source)
        source.seek(start)
        row = StoredFile(
            id=self._ids.new(),
            workspace_id=app.workspace_id,
            app_id=app.id,
            origin="upload",
            name=name,
            extension=extension_of(name),
            mime_type=mime_type,
            size=size,
            sha256=digest,
            created_at=self._clock.now(),
            created_by_role="end_user",
            created_by=end_user.id,
        )
        await self._store.write(lambda connection: files.insert(connection, row))
        await self._fill(row, source)
        return row

    async def finder(self, app_id: str, end_user_id: str, file_ids: Collection[str]) -> FindUpload:
        """Finds the files of these ids that an end user has sent to an app; see `weft.runs.request_file`."""
        rows = await self._store.read(lambda connection: files.find_many(connection, app_id, file_ids))

        def find(id: str, type: FileType, method: TransferMethod) -> File | None:
            row = rows.get(id)
            if row is None or row.created_by != end_user_id:
                return None
            return self.as_file(row, type=type, method=method)

        return find

    def open(self, row: StoredFile, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A part of a file in pieces; see `weft.files.FileStore`."""
        return self.content.open(row.id, start=start, end=row.size if end is None else end)

    async def read(self, file: File, run: FileUser, *, max_bytes: int) -> FileContent:
        """All of a kept file, for a run that may have it; see `weft.nodes.KeptFiles`."""
        name = file.filename or "file"
        row = (await self._owned([file], run)).get(file.related_id or "")
        if row is None:
            raise KeptFileError(f"there is no file {name!r} that this run may have")
        if row.size > max_bytes:
            raise KeptFileError(
                f"the file {row.name!r} has {row.size} bytes, and no more than {max_bytes} can be read here"
            )
        data = bytearray()
        try:
            async for piece in self.open(row):
                data += piece
        except StoreError as error:
            log.warning("file %s cannot be read: %s", row.id, error)
            raise KeptFileError(f"the file {row.name!r} cannot be read") from error
        return FileContent(row.name, row.mime_type, bytes(data))

    async def keep(self, new: NewFile, run: FileUser) -> File:
        """Keep a file that a run has made; see `weft.nodes.KeptFiles`."""
        size = len(new.data)
        if size > self._max_bytes:
            raise KeptFileError(f"it has {size} bytes, and a run may make no file over {self._max_bytes}")
        name = made_name(new.name, new.mime_type)
        draft = StoredFile(
            id=self._ids.new(),
            workspace_id="",
            app_id=run.app_id,
            origin="run",
            name=name,
            extension=extension_of(name),
            mime_type=new.mime_type or "application/octet-stream",
            size=size,
            sha256=await asyncio.to_thread(lambda: hashlib.sha256(new.data).hexdigest()),
            created_at=self._clock.now(),
            created_by_role="end_user",
            conversation_id=run.conversation_id,
            run_id=run.run_id,
            source_url=new.source_url,
        )

        def write(connection: Connection) -> StoredFile | None:
            app = apps.find(connection, run.app_id)
            if app is None:
                return None
            user = end_users.find_by_session(connection, run.app_id, run.user)
            row = msgspec.structs.replace(
                draft, workspace_id=app.workspace_id, created_by=None if user is None else user.id
            )
            files.insert(connection, row)
            return row

        try:
            row = await self._store.write(write)
            if row is None:
                raise KeptFileError("the app of this run is gone")
            await self._fill(row, new.data)
        except StoreError as error:
            log.warning("a file of run %s cannot be kept: %s", run.run_id, error)
            raise KeptFileError("the store of files is not to be had") from error
        return self.as_file(row, type=new.type)

    async def renew(self, given: Sequence[File], run: FileUser) -> list[File]:
        """The files that a run may show, with new links; see `weft.nodes.KeptFiles`."""
        rows = await self._owned(given, run)
        renewed = []
        for file in given:
            if not is_kept(file):
                renewed.append(file)
            elif file.related_id in rows:
                renewed.append(msgspec.structs.replace(file, url=self.links.sign(str(file.related_id))))
        return renewed

    def as_file(
        self, row: StoredFile, *, type: FileType | None = None, method: TransferMethod | None = None
    ) -> File:
        """A stored file as a value of a run, with a link that is good from now on.

        Args:
            row: The file.
            type: What it is said to be; ``None`` and ``custom`` leave it to its name and MIME type.
            method: How it came; the one that its origin has unless given.
        """
        return File(
            id=self._ids.new(),
            tenant_id=row.workspace_id,
            type=_kind(row) if type in (None, "custom") else type,
            transfer_method=method or ("local_file" if row.origin == "upload" else "tool_file"),
            related_id=row.id,
            filename=row.name,
            extension=f".{row.extension}" if row.extension else "",
            mime_type=row.mime_type,
            size=row.size,
            url=self.links.sign(row.id),
        )

    async def _fill(self, row: StoredFile, source: bytes | ByteSource) -> None:
        """Put the bytes behind a row; without them it is taken back."""
        try:
            await self.content.put(row.id, source, max_bytes=row.size)
        except StoreError:
            await self._store.write(lambda connection: files.delete_many(connection, [row.id]))
            raise

    async def _owned(self, given: Sequence[File], run: FileUser) -> dict[str, StoredFile]:
        """The rows behind records, as far as the run may have them, by id.

        A record proves nothing: a flow can make one up, and a person can write one into a variable.
        """
        wanted = {id for file in given if is_kept(file) and (id := _normal(file.related_id))}
        if not wanted:
            return {}

        def find(connection: Connection) -> dict[str, StoredFile]:
            found = files.find_many(connection, run.app_id, wanted)
            user = end_users.find_by_session(connection, run.app_id, run.user)
            return {
                id: row
                for id, row in found.items()
                if (user is not None and row.created_by == user.id)
                or (row.conversation_id is not None and row.conversation_id == run.conversation_id)
                or row.run_id == run.run_id
            }

        return await self._store.read_quick(find)


def _kind(row: StoredFile) -> FileType:
    """What a file is by its extension, or else by what its sender says."""
    category = category_of(row.name)
    return kind_of(row.mime_type) if category == "document" else category


def _normal(id: str | None) -> str | None:
    try:
        return parse_uuid(id or "")
    except ValueError:
        return None


def _sha256(source: ByteSource) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_HASHED_AT_ONCE):
        digest.update(piece)
    return digest.hexdigest()
