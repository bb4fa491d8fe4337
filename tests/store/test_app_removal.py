from __future__ import annotations

import pytest

from tests.store.rows import Rows
from weft.store import (
    App,
    Connection,
    EndUser,
    Store,
    app_removal,
    apps,
    conversations,
    end_users,
    keys,
    messages,
    runs,
    workflows,
)

pytestmark = pytest.mark.anyio


async def test_an_app_goes_at_once_and_its_records_in_portions(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    other = rows.app("Other")
    talks = [rows.conversation(end_user, n) for n in range(3)]
    theirs = rows.conversation(rows.end_user(other, "u2"))

    def insert(connection: Connection) -> None:
        apps.create(connection, other)
        workflows.publish(connection, rows.workflow(app))
        keys.create(connection, rows.token(app, "aaaa"))
        for talk in (*talks, theirs):
            message = rows.message(talk)
            runs.start(connection, talk, message, rows.run(message))

    await store.write(insert)
    removed = await store.write(
        lambda connection: [
            app_removal.remove(connection, "another workspace", app.id),
            app_removal.remove(connection, app.workspace_id, app.id),
            app_removal.remove(connection, app.workspace_id, app.id),
        ]
    )
    assert removed == [False, True, False]

    def look(connection: Connection) -> list[object]:
        return [
            apps.find(connection, app.id),
            keys.find_by_hash(connection, "aaaa"),
            end_users.find(connection, app.id, end_user.id),
        ]

    assert await store.read(look) == [None, None, None]
    portions: list[int] = []
    while not portions or portions[-1]:
        portions.append(
            await store.write(lambda connection: app_removal.remove_records(connection, app.id, limit=2))
        )
    assert portions == [2, 1, 2, 1, 0]

    def left(connection: Connection) -> list[object]:
        return [
            messages.find_first(connection, app.id, talks[0].id),
            conversations.find(connection, other.id, theirs.id, end_user_id=None),
        ]

    assert await store.read(left) == [None, theirs]
