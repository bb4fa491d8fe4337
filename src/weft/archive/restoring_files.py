"""Putting the bytes of attached files back into a server's store, so that its previews work again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import cast
from uuid import NAMESPACE_URL, uuid5

from weft.archive.attachment import Attachment, iter_attachments
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError
from weft.archive.json_text import BadJsonError, decode_object
from weft.archive.place import Day
from weft.archive.query import Query, iter_entries
from weft.archive.saving import Failure
from weft.archive.vault import Vault
from weft.files import FileStore, extension_of, file_key
from weft.store import Connection, Store, StoredApp, StoredFile, conversations, files, messages

_MADE = ("tool_file", "datasource_file")
_TOOL_FILE = re.compile(r"/files/tools/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f-])")
"""The path of a file that a tool has made, as Dify links to it."""


def with_file_ids(conversation: Conversation) -> Conversation:
    """The conversation with an id for each file that a tool or a run has made, if its bytes are kept.

    Dify lists such files without an id by which anybody could ask for them; Weft keeps them like uploads.
    The id is that of the file's own address there, or else one that is the same every time. What a person
    named by an address stays at that address.
    """
    named = {
        one.place: id
        for one in iter_attachments(conversation)
        if one.ref is not None and not _is_upload(one) and (id := _made_file_id(one)) is not None
    }
    if not named:
        return conversation
    messages = list(conversation.messages)
    for (number, index), id in named.items():
        records = list(cast("list[object]", messages[number]["message_files"]))
        records[index] = {**cast("dict[str, object]", records[index]), "upload_file_id": id}
        messages[number] = {**messages[number], "message_files": records}
    return Conversation({**conversation.fields, "messages": messages})


def _made_file_id(one: Attachment) -> str | None:
    if not _is_made(one):
        return None
    url = one.record.get("url")
    found = _TOOL_FILE.search(url) if isinstance(url, str) else None
    return found[1] if found is not None else str(uuid5(NAMESPACE_URL, "/".join(one.key)))


async def restore_files(
    vault: Vault, store: Store, content: FileStore, app: StoredApp, query: Query, failed: list[Failure]
) -> int:
    """Put back what the app's messages show and the server does not have; how many files that were.

    The conversations themselves have to be there. A file that exists stays as it is, so a second time changes
    nothing; bytes are durable before the row that makes them a file.

    Args:
        vault: Where the bytes are.
        store: The records.
        content: The store of files.
        app: Whose conversations.
        query: Which of them.
        failed: Gets the files that are damaged.

    Raises:
        ArchiveError: The archive cannot be read.
        StoreError: The store refused; what was put back until then stays.
    """
    done = 0
    found = _conversations(vault, query, failed)
    while (one := await asyncio.to_thread(next, found, None)) is not None:
        day, conversation = one
        rows = await store.read(partial(_missing, app=app, conversation=conversation))
        for attachment, row in rows:
            assert attachment.ref is not None
            try:
                data = await asyncio.to_thread(vault.shelf.read, day.organization, attachment.ref)
            except DamagedFileError as error:
                failed.append(Failure(conversation.id, str(error)))
                continue
            await content.put(row.id, data, max_bytes=len(data))
            done += await store.write(partial(_insert, row=row))
    return done


def _conversations(vault: Vault, query: Query, failed: list[Failure]) -> Iterator[tuple[Day, Conversation]]:
    for day, entry in iter_entries(vault, query):
        if not entry.files:
            continue
        try:
            found = Conversation.parse(decode_object(vault.read(day, entry), entry.file))
        except (DamagedFileError, BadJsonError):
            continue  # the restore of the conversation has said so
        yield day, with_file_ids(found)


def _missing(
    connection: Connection, app: StoredApp, conversation: Conversation
) -> list[tuple[Attachment, StoredFile]]:
    """Archived files that a message of the app shows and that the server does not have."""
    there = conversations.find(connection, app.id, conversation.id, end_user_id=None)
    wanted = [one for one in iter_attachments(conversation) if one.ref is not None and _is_upload(one)]
    if there is None or not wanted:
        return []
    shown = messages.list_files(connection, [one.message_id for one in wanted])
    runs = {str(said.get("id")): said.get("workflow_run_id") for said in conversation.messages}
    found: dict[str, tuple[Attachment, StoredFile]] = {}
    for one in wanted:
        id = str(one.record["upload_file_id"])
        row = next((row for row in shown.get(one.message_id, ()) if row.upload_file_id == id), None)
        if row is None or id in found or files.find(connection, id) is not None:
            continue
        run_id = runs.get(one.message_id)
        found[id] = (
            one,
            _row(
                one,
                app,
                created_at=row.created_at,
                conversation_id=conversation.id,
                end_user_id=there.end_user_id,
                run_id=run_id if isinstance(run_id, str) else one.message_id,
            ),
        )
    return list(found.values())


def _row(
    one: Attachment,
    app: StoredApp,
    *,
    created_at: datetime,
    conversation_id: str,
    end_user_id: str | None,
    run_id: str,
) -> StoredFile:
    assert one.ref is not None
    name = one.name or "file"
    return StoredFile(
        id=str(one.record["upload_file_id"]),
        workspace_id=app.workspace_id,
        app_id=app.id,
        origin="run" if one.record.get("belongs_to") == "assistant" or _is_made(one) else "upload",
        name=name,
        extension=extension_of(name),
        mime_type=one.mime_type or "application/octet-stream",
        size=one.ref.size,
        sha256=one.ref.sha256,
        created_at=created_at,
        created_by_role="account" if end_user_id is None else "end_user",
        created_by=end_user_id,
        conversation_id=conversation_id,
        run_id=run_id,
    )


def _insert(connection: Connection, row: StoredFile) -> int:
    if files.find(connection, row.id) is not None:
        return 0
    files.insert(connection, row)
    return 1


def _is_made(one: Attachment) -> bool:
    return one.record.get("transfer_method") in _MADE


def _is_upload(one: Attachment) -> bool:
    """Whether the server had it under an id of its own, which it can have again."""
    try:
        file_key(str(one.record.get("upload_file_id")))
    except ValueError:
        return False
    return True
