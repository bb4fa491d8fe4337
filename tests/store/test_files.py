from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import App, Connection, EndUser, Store, StoredFile, apps, files, runs

pytestmark = pytest.mark.anyio


def upload(rows: Rows, app: App, seconds: float = 0) -> StoredFile:
    return StoredFile(
        id=rows.ids.new(),
        workspace_id=app.workspace_id,
        app_id=app.id,
        origin="upload",
        name="Übersicht 図.png",
        extension="png",
        mime_type="image/png",
        size=2**40,
        sha256="0" * 64,
        created_at=at(seconds),
        created_by_role="end_user",
        created_by=rows.ids.new(),
    )


class Talk:
    """A conversation whose message shows files, as it is stored."""

    def __init__(self, rows: Rows, end_user: EndUser, *shown: StoredFile) -> None:
        self.conversation = rows.conversation(end_user)
        self.message = rows.message(self.conversation)
        self.run = rows.run(self.message)
        self.files = [replace(rows.file(self.message), upload_file_id=file.id) for file in shown]

    def store(self, connection: Connection) -> None:
        runs.start(connection, self.conversation, self.message, self.run, (), self.files)


async def test_a_file_is_found_by_its_id(store: Store, rows: Rows, app: App) -> None:
    file = replace(upload(rows, app), run_id="r", conversation_id="c", source_url="https://e.org/a")
    other = upload(rows, app)

    def fn(connection: Connection) -> list[object]:
        files.insert(connection, file)
        files.insert(connection, other)
        return [
            files.find(connection, file.id),
            files.find(connection, "nothing"),
            files.find_many(connection, app.id, [file.id, other.id, "nothing"]),
            files.find_many(connection, app.id, []),
            files.find_many(connection, "another app", [file.id]),
        ]

    assert await store.write(fn) == [file, None, {file.id: file, other.id: other}, {}, {}]


async def test_an_app_uses_the_files_of_its_messages(
    store: Store, rows: Rows, app: App, end_user: EndUser
) -> None:
    used, unused = upload(rows, app), upload(rows, app)
    talk, again = Talk(rows, end_user, used), Talk(rows, end_user, used)

    def fn(connection: Connection) -> list[set[str]]:
        files.insert(connection, used)
        files.insert(connection, unused)
        talk.store(connection)
        again.store(connection)
        return [
            files.apps_that_use(connection, used.id),
            files.apps_that_use(connection, unused.id),
        ]

    assert await store.write(fn) == [{app.id}, set()]


async def test_a_file_is_claimed_by_the_first_run_that_uses_it(store: Store, rows: Rows, app: App) -> None:
    file, other = upload(rows, app), upload(rows, app)

    def fn(connection: Connection) -> list[StoredFile | None]:
        for one in (file, other):
            files.insert(connection, one)
        files.claim(connection, [], conversation_id="c", run_id="r")
        files.claim(connection, [file.id], conversation_id="c1", run_id="r1")
        files.claim(connection, [file.id, "nothing"], conversation_id="c2", run_id="r2")
        return [files.find(connection, file.id), files.find(connection, other.id)]

    assert await store.write(fn) == [replace(file, conversation_id="c1", run_id="r1"), other]


async def test_the_files_of_a_conversation_are_those_that_no_other_shows(
    store: Store, rows: Rows, app: App, end_user: EndUser
) -> None:
    shown, shared, claimed, foreign, unused = (upload(rows, app) for _ in range(5))
    talk, other = Talk(rows, end_user, shown, shared), Talk(rows, end_user, shared, foreign)
    claimed = replace(claimed, conversation_id=talk.conversation.id)

    def fn(connection: Connection) -> list[set[str]]:
        for file in (shown, shared, claimed, foreign, unused):
            files.insert(connection, file)
        talk.store(connection)
        other.store(connection)

        def of(app_id: str, conversation_id: str) -> set[str]:
            return set(files.list_of_conversation(connection, app_id, conversation_id, limit=10))

        return [
            of(app.id, talk.conversation.id),
            of(app.id, other.conversation.id),
            of("another app", talk.conversation.id),
            set(files.list_of_app(connection, app.id, limit=10)),
            set(files.list_of_app(connection, "another app", limit=10)),
        ]

    everything = {shown.id, shared.id, claimed.id, foreign.id, unused.id}
    assert await store.write(fn) == [{shown.id, claimed.id}, {foreign.id}, set(), everything, set()]


async def test_files_are_unused_when_they_are_old_and_of_no_conversation(
    store: Store, rows: Rows, app: App, end_user: EndUser
) -> None:
    elsewhere = replace(rows.app(), id=rows.ids.new())
    old, young, shown = upload(rows, app), upload(rows, app, 10), upload(rows, app)
    claimed = replace(upload(rows, app), conversation_id="c")
    workflow = replace(upload(rows, app), run_id="r")
    theirs = upload(rows, elsewhere)

    def fn(connection: Connection) -> list[set[str]]:
        apps.create(connection, elsewhere)
        for file in (old, young, shown, claimed, workflow, theirs):
            files.insert(connection, file)
        Talk(rows, end_user, shown).store(connection)
        return [
            set(files.list_unused(connection, at(10), app_id=app.id, limit=10)),
            set(files.list_unused(connection, at(11), limit=10)),
            set(files.list_unused(connection, at(0), limit=10)),
        ]

    assert await store.write(fn) == [
        {old.id, workflow.id},
        {old.id, workflow.id, theirs.id, young.id},
        set(),
    ]


async def test_files_are_stray_when_their_run_went_wrong_and_no_message_shows_them(
    store: Store, rows: Rows, app: App, end_user: EndUser
) -> None:
    well, failed = Talk(rows, end_user), Talk(rows, end_user)
    made = [
        replace(upload(rows, app), origin="run", run_id=run_id)
        for run_id in (well.run.id, failed.run.id, failed.run.id, "gone", None)
    ]
    sent = replace(upload(rows, app), run_id=failed.run.id)
    failed.files = [replace(rows.file(failed.message), upload_file_id=made[1].id)]

    def fn(connection: Connection) -> list[set[str]]:
        for file in (*made, sent):
            files.insert(connection, file)
        well.store(connection)
        failed.store(connection)
        before = set(files.list_stray(connection, at(1), limit=10))
        runs.finish(connection, replace(failed.run, status="failed", finished_at=at(1)), None)
        return [
            before,
            set(files.list_stray(connection, at(1), limit=10)),
            set(files.list_stray(connection, at(0), limit=10)),
        ]

    assert await store.write(fn) == [
        {made[3].id, made[4].id},
        {made[2].id, made[3].id, made[4].id},
        set(),
    ]


async def test_lists_have_a_limit_and_what_was_deleted_is_gone(store: Store, rows: Rows, app: App) -> None:
    made = [upload(rows, app) for _ in range(3)]

    def fn(connection: Connection) -> list[int]:
        for file in made:
            files.insert(connection, file)
        two = files.list_of_app(connection, app.id, limit=2)
        return [
            len(two),
            files.delete_many(connection, two),
            files.delete_many(connection, two),
            files.delete_many(connection, []),
            len(files.list_of_app(connection, app.id, limit=10)),
        ]

    assert await store.write(fn) == [2, 2, 0, 0, 1]
