from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    App,
    Connection,
    Conversation,
    EndUser,
    Feedback,
    Store,
    StoredApp,
    changes,
    conversations,
    feedbacks,
    messages,
    node_executions,
    runs,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def talks(store: Store, end_user: EndUser, rows: Rows) -> list[Conversation]:
    """Four conversations, a second apart, each with a message and its run."""
    made = [rows.conversation(end_user, number) for number in range(4)]

    def insert(connection: Connection) -> None:
        for talk in made:
            conversations.insert(connection, talk)
            message = rows.message(talk)
            messages.insert(connection, message)
            run = replace(rows.run(message), finished_at=at(5), status="succeeded")
            runs.start(connection, None, None, run)
            node_executions.append(connection, [rows.execution(run, 1)])

    await store.write(insert)
    return made


async def test_pages_of_changes_go_back_in_time_and_pages_of_idle_ones_forth(
    store: Store, app: App, talks: list[Conversation]
) -> None:
    a, b, c, d = (talk.id for talk in talks)
    first = await store.read(lambda connection: changes.list_changed(connection, app.id, None, limit=3))
    place = first[-1].at, first[-1].id
    rest = await store.read(lambda connection: changes.list_changed(connection, app.id, place, limit=3))
    assert ([one.id for one in first], [one.id for one in rest]) == ([d, c, b], [a])
    idle = await store.read(lambda connection: changes.list_idle(connection, app.id, at(2.5), None, limit=2))
    after = idle[-1].at, idle[-1].id
    more = await store.read(lambda connection: changes.list_idle(connection, app.id, at(2.5), after, limit=2))
    assert ([one.id for one in idle], [one.id for one in more]) == ([a, b], [c])
    assert await store.read(lambda connection: changes.count(connection, app.id)) == 4


async def test_a_version_changes_with_whatever_is_said_or_judged(
    store: Store, app: App, talks: list[Conversation], rows: Rows
) -> None:
    first, second, *_ = talks

    def look(connection: Connection) -> list[str]:
        found = changes.find_changed(connection, app.id, [first.id, second.id])
        return [one.version for one in sorted(found, key=lambda one: one.id)]

    before = await store.read(look)

    def judge(connection: Connection) -> None:
        (message,) = messages.list_page(connection, app.id, first.id).items
        feedbacks.put(
            connection,
            Feedback(rows.ids.new(), app.id, first.id, message.id, "like", "user", at(9), at(9)),
        )
        messages.insert(connection, rows.message(second, 9))

    await store.write(judge)
    after = await store.read(look)
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False]
    rated = await store.read(
        lambda connection: changes.list_rated(connection, app.id, int(at(9).timestamp() * 1_000_000))
    )
    assert [one.id for one in rated] == [first.id]


async def test_what_is_removed_leaves_nothing_and_what_has_changed_stays(
    store: Store, app: App, talks: list[Conversation], rows: Rows
) -> None:
    wanted = await store.read(lambda c: changes.list_idle(c, app.id, at(1.5), None, limit=9))
    await store.write(lambda connection: messages.insert(connection, rows.message(talks[0], 9)))
    gone = await store.write(lambda connection: changes.remove(connection, app.id, wanted))
    assert gone == [talks[1].id]
    assert await store.write(lambda connection: changes.remove(connection, "another", wanted)) == []

    def count(connection: Connection) -> list[int]:
        tables = ("conversations", "messages", "runs", "node_executions")
        return [int(connection.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar_one()) for t in tables]

    assert await store.read(count) == [3, 4, 3, 3]


async def test_ids_are_known_with_their_apps(store: Store, app: App, talks: list[Conversation]) -> None:
    deleted = talks[0].id
    await store.write(
        lambda connection: conversations.mark_deleted(connection, app.id, deleted, at(9), end_user_id=None)
    )
    asked = {deleted, talks[1].id, "nobody"}
    found = await store.read(lambda connection: changes.owners(connection, "conversations", asked))
    assert found == {deleted: app.id, talks[1].id: app.id}
    assert await store.read(lambda connection: changes.owners(connection, "runs", {"nobody"})) == {}
    assert await store.read(lambda connection: changes.count(connection, app.id)) == 3
    apps = await store.read(changes.list_apps)
    assert apps == [StoredApp(app.id, app.workspace_id, app.name, app.mode)]
