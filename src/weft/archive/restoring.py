"""Putting archived conversations back into a server's store, as the rows that they were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError
from weft.archive.json_text import BadJsonError, decode_object
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.pull import PullTarget
from weft.archive.query import Query, iter_entries
from weft.archive.restoring_files import restore_files, with_file_ids
from weft.archive.run_record import RunRecord
from weft.archive.saving import Failure
from weft.archive.sources.stored import Whole, WholeRun
from weft.archive.sources.stored_record import restored, restored_run
from weft.archive.vault import Vault
from weft.errors import InvalidRequestError, NotFoundError
from weft.files import FileStore
from weft.store import (
    Connection,
    Store,
    StoredApp,
    app_annotations,
    changes,
    conversation_variables,
    conversations,
    end_users,
    feedbacks,
    forms,
    messages,
    node_executions,
    runs,
)

T = TypeVar("T")
AT_ONCE = 50
"""Conversations in one transaction."""
BYTES_AT_ONCE = 8 * 1024 * 1024
"""What their files may hold together; one larger than this has a transaction of its own."""


@dataclass(slots=True)
class Restored:
    """What a restore did."""

    conversations: int = 0
    """Put back."""
    messages: int = 0
    runs: int = 0
    files: int = 0
    """Attached files whose bytes were put back."""
    present: int = 0
    """In the store already, a deleted one included; nothing of them was touched."""
    failed: list[Failure] = field(default_factory=list)
    """Conversations and runs that cannot be put back, and why."""
    left: dict[str, str] = field(default_factory=dict)
    """Apps whose conversations were left where they are, by id, and why."""


async def restore_conversations(
    archive: PullTarget,
    store: Store,
    app_id: str,
    *,
    query: Query | None = None,
    progress: Callable[[Restored], None] | None = None,
    files: FileStore | None = None,
) -> Restored:
    """Put archived conversations back with their messages, runs, feedback and variables, under their old ids.

    What exists in the store stays as it is, so a second time changes nothing, and what was broken off is
    finished by doing it again. Each transaction holds some fifty conversations, whole ones.

    The bytes of attached files come back under their old ids too, where the archive has them. Runs that had
    not ended when they were archived come back as stopped.

    Args:
        app_id: The app that they are to belong to.
        query: Which; those that were archived from this app when left out.
        progress: Called in the event loop after each transaction.
        files: Where the bytes of attached files go; none puts back only what is known of them.

    Raises:
        NotFoundError: There is no such app.
        ArchiveError: The archive cannot be read.
        StoreError: The store refused; transactions that were complete stay.
    """
    app = next((one for one in await store.read(changes.list_apps) if one.id == app_id), None)
    if app is None:
        raise NotFoundError(f"there is no app {app_id!r}; make it first", kind="app", id=app_id)
    wanted = query or Query(app_ids=frozenset({app_id}))
    done = Restored()
    await _restore(archive, store, app, wanted, done, progress, files)
    return done


async def restore_to_their_apps(
    archive: PullTarget,
    store: Store,
    *,
    query: Query | None = None,
    workspace_id: str | None = None,
    progress: Callable[[Restored], None] | None = None,
    files: FileStore | None = None,
) -> Restored:
    """Put archived conversations back into the apps that they came from; see `restore_conversations`.

    What came from an app that is not there is left alone and named.

    Args:
        query: Which; all unless given.
        workspace_id: Only into apps of this workspace; into those of all when left out.
        progress: Called in the event loop after each transaction.
        files: Where the bytes of attached files go; none puts back only what is known of them.

    Raises:
        ArchiveError: The archive cannot be read.
        StoreError: The store refused; transactions that were complete stay.
    """
    wanted = query or Query()
    known = {app.id: app for app in await store.read(changes.list_apps)}
    done = Restored()
    for app_id in await asyncio.to_thread(_app_ids, archive.vault, wanted):
        app = known.get(app_id)
        if app is None:
            done.left[app_id] = "there is no such app; make it, or say into which app its conversations go"
        elif workspace_id not in (None, app.workspace_id):
            done.left[app_id] = "the app belongs to another workspace"
        else:
            its_own = replace(wanted, app_ids=frozenset({app_id}))
            await _restore(archive, store, app, its_own, done, progress, files)
    return done


def _app_ids(vault: Vault, query: Query) -> list[str]:
    found = {entry.app_id for _, entry in iter_entries(vault, query)}
    found |= {
        entry.app_id for _, entry in iter_entries(vault, query, kind="runs") if entry.conversation_id is None
    }
    return sorted(found)


async def _restore(
    archive: PullTarget,
    store: Store,
    app: StoredApp,
    wanted: Query,
    done: Restored,
    progress: Callable[[Restored], None] | None,
    files: FileStore | None,
) -> None:
    batches = _batches(archive.vault, wanted, app, done, with_files=files is not None)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        await _write(store, batch, done)
        if progress is not None:
            progress(done)
    if files is not None:
        done.files += await restore_files(archive.vault, store, files, app, wanted, done.failed)
    if app.mode == "workflow":
        await _restore_runs(archive.vault, store, app, wanted, done, progress)


async def _write(store: Store, batch: Sequence[Whole], done: Restored) -> None:
    added, present, failed = await store.write(lambda connection: _insert_all(connection, batch))
    done.conversations += len(added)
    done.messages += sum(len(whole.messages) for whole in added)
    done.runs += sum(len(whole.runs) for whole in added)
    done.present += present
    done.failed += failed


def _insert_all(connection: Connection, batch: Sequence[Whole]) -> tuple[list[Whole], int, list[Failure]]:
    ids = {whole.conversation.id for whole in batch}
    there = changes.owners(connection, "conversations", ids)
    foreign = set(
        changes.owners(connection, "messages", {one.id for whole in batch for one in whole.messages})
    )
    known_runs = set(
        changes.owners(connection, "runs", {one.run.id for whole in batch for one in whole.runs})
    )
    added: list[Whole] = []
    failed: list[Failure] = []
    present = 0
    for whole in batch:
        id = whole.conversation.id
        if there.get(id, whole.conversation.app_id) != whole.conversation.app_id:
            failed.append(Failure(id, f"it is there already, in the app {there[id]}"))
        elif id in there:
            present += 1
        elif any(message.id in foreign for message in whole.messages):
            failed.append(Failure(id, "a message of it exists in another conversation"))
        else:
            # A conversation that was taken out of the lists leaves its runs behind; those stay.
            whole.runs = [one for one in whole.runs if one.run.id not in known_runs]
            _insert(connection, whole)
            there[id] = whole.conversation.app_id
            foreign.update(message.id for message in whole.messages)
            known_runs.update(one.run.id for one in whole.runs)
            added.append(whole)
    return added, present, failed


def _insert(connection: Connection, whole: Whole) -> None:
    if whole.end_user is not None:
        end_users.find_or_create(connection, whole.end_user)
    conversations.insert(connection, whole.conversation)
    for message in whole.messages:
        messages.insert(connection, message)
        messages.insert_files(connection, whole.files.get(message.id, ()))
        for feedback in whole.feedback.get(message.id, ()):
            feedbacks.put(connection, feedback)
        annotation = whole.annotations.get(message.id)
        if (
            annotation is not None
            and app_annotations.find(connection, annotation.app_id, annotation.id) is None
        ):
            app_annotations.insert(connection, annotation)
    conversation_variables.insert_missing(connection, whole.variables)
    for one in whole.runs:
        _insert_run(connection, one)


def _insert_run(connection: Connection, whole: WholeRun) -> None:
    runs.start(connection, None, None, whole.run)
    node_executions.append(connection, whole.executions)
    for form in whole.forms:
        forms.create(connection, form)


async def _restore_runs(
    vault: Vault,
    store: Store,
    app: StoredApp,
    query: Query,
    done: Restored,
    progress: Callable[[Restored], None] | None,
) -> None:
    """The runs of an app without conversations."""

    def write(connection: Connection, batch: Sequence[WholeRun]) -> int:
        known = changes.owners(connection, "runs", {one.run.id for one in batch})
        new = [one for one in batch if one.run.id not in known]
        for one in new:
            _insert_run(connection, one)
        return len(new)

    found = _run_batches(vault, query, app, done)
    while (batch := await asyncio.to_thread(next, found, None)) is not None:
        added = await store.write(partial(write, batch=batch))
        done.runs += added
        done.present += len(batch) - added
        if progress is not None:
            progress(done)


def _batches(
    vault: Vault, query: Query, app: StoredApp, done: Restored, *, with_files: bool
) -> Iterator[list[Whole]]:
    batch: list[Whole] = []
    size = 0
    for day, entry in iter_entries(vault, query):
        if batch and (len(batch) >= AT_ONCE or size + entry.size > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        try:
            fields = decode_object(vault.read(day, entry), entry.file)
            conversation = Conversation.parse(fields)
            if with_files:
                conversation = with_file_ids(conversation)
            batch.append(restored(conversation.fields, find_runs(vault, day, conversation), app))
            size += entry.size
        except (DamagedFileError, BadJsonError, InvalidRequestError) as error:
            done.failed.append(Failure(entry.id, str(error)))
    if batch:
        yield batch


def _run_batches(vault: Vault, query: Query, app: StoredApp, done: Restored) -> Iterator[list[WholeRun]]:
    batch: list[WholeRun] = []
    for day, entry in iter_entries(vault, query, kind="runs"):
        if entry.conversation_id is not None:
            continue
        try:
            batch.append(restored_run(read_run(vault, day, entry), app))
        except (DamagedFileError, BadJsonError, InvalidRequestError) as error:
            done.failed.append(Failure(entry.id, str(error)))
        if len(batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def find_runs(vault: Vault, day: Day, conversation: Conversation) -> list[RunRecord]:
    """The archived runs of a conversation, in the order of its messages; what is not there is left out.

    Args:
        day: Where the conversation lies; its runs belong to the same organisation.

    Raises:
        DamagedFileError: A file is not what was written.
    """
    ids = [message.get("workflow_run_id") for message in conversation.messages]
    found = []
    for id in dict.fromkeys(id for id in ids if isinstance(id, str) and id):
        place = vault.locate("runs", day.organization, id)
        entry = None if place is None else vault.find_entry(place, id)
        if place is not None and entry is not None:
            found.append(read_run(vault, place, entry))
    return found


def read_run(vault: Vault, day: Day, entry: Entry) -> RunRecord:
    """An archived run.

    Raises:
        DamagedFileError: Its file is not what was written.
    """
    return RunRecord.parse(decode_object(vault.read(day, entry), entry.file))
