from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import (
    App,
    Connection,
    EndUser,
    Page,
    SessionEntry,
    SessionFilter,
    Store,
    accounts,
    apps,
    conversations,
    end_users,
    messages,
    runs,
    session_list,
)

pytestmark = pytest.mark.anyio


async def test_conversations_are_listed_by_whom_when_and_name(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    friend, ada = rows.end_user(app, "friend"), rows.account("ada@example.com")
    talks = [
        rows.conversation(end_user, 0, "100% Rain"),
        replace(rows.conversation(friend, 1, "Snow"), updated_at=at(9)),
        replace(rows.conversation(end_user, 2, "Rain"), invoke_from="web-app"),
        replace(
            rows.conversation(end_user, 3, "Mine"),
            end_user_id=None,
            account_id=ada.id,
            from_source="console",
            invoke_from="explore",
        ),
    ]
    hidden = [
        replace(rows.conversation(end_user, 4), is_deleted=True),
        replace(rows.conversation(end_user, 5), invoke_from="debugger"),
    ]

    def write(connection: Connection) -> None:
        end_users.find_or_create(connection, friend)
        accounts.create(connection, ada)
        for conversation in (*talks, *hidden):
            conversations.insert(connection, conversation)
        messages.insert(connection, replace(rows.message(talks[1], 1), run_id=None))
        messages.insert(connection, replace(rows.message(talks[1], 2), run_id=None))

    await store.write(write)

    async def listed(last_id: str | None = None, limit: int = 20, **wanted: Any) -> Page[SessionEntry]:
        return await store.read(
            lambda connection: session_list.list_conversations(
                connection, app.id, SessionFilter(**wanted), last_id=last_id, limit=limit
            )
        )

    async def places(**wanted: Any) -> list[int]:
        page = await listed(**wanted)
        return [next(n for n, talk in enumerate(talks) if talk.id == entry.id) for entry in page.items]

    found = await listed(limit=1)
    assert found == Page(
        (SessionEntry(talks[1].id, "friend", "Snow", at(1), at(9), 2),),
        has_more=True,
    )
    assert [entry.user for entry in (await listed(sort_by="created_at")).items] == [
        end_user.session_id,
        "friend",
        end_user.session_id,
        ada.id,
    ]
    assert await places() == [1, 3, 2, 0]
    assert await places(sort_by="created_at") == [0, 1, 2, 3]
    assert await places(sort_by="-created_at") == [3, 2, 1, 0]
    assert await places(user=end_user.session_id) == [2, 0]
    assert await places(user=ada.id) == [3]
    assert await places(user="nobody") == []
    assert await places(end_user_id=end_user.id) == [0]
    assert await places(name="RAIN") == [2, 0]
    assert await places(name="0%") == [0]
    assert await places(created_after=at(1), created_before=at(2)) == [1, 2]
    walked, last_id = [], None
    while True:
        page = await listed(last_id, 1)
        walked += [entry.id for entry in page.items]
        if not page.has_more:
            break
        last_id = walked[-1]
    assert walked == [talks[n].id for n in (1, 3, 2, 0)]
    with pytest.raises(NotFoundError, match="Last session not exists"):
        await listed("nobody")


async def test_runs_without_conversations_are_sessions_of_one(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    flow = replace(rows.app("Flow"), mode="workflow")
    person = rows.end_user(flow, "ann")
    message = rows.message(rows.conversation(person))
    made = [
        replace(
            rows.run(message),
            id=rows.ids.new(),
            app_id=flow.id,
            mode="workflow",
            conversation_id=None,
            message_id=None,
            end_user_id=person.id,
            created_at=at(seconds),
            triggered_from="debugging" if seconds == 2 else "app-run",
            created_from="web-app" if seconds == 1 else "service-api",
        )
        for seconds in range(4)
    ]

    def write(connection: Connection) -> None:
        apps.create(connection, flow)
        end_users.find_or_create(connection, person)
        for run in made:
            runs.start(connection, None, None, run)

    await store.write(write)

    async def places(last_id: str | None = None, **wanted: Any) -> list[int]:
        page = await store.read(
            lambda connection: session_list.list_runs(
                connection, flow.id, SessionFilter(**wanted), last_id=last_id
            )
        )
        for entry in page.items:
            run = next(run for run in made if run.id == entry.id)
            assert entry == SessionEntry(run.id, "ann", None, run.created_at, run.created_at, 1)
        return [next(n for n, run in enumerate(made) if run.id == entry.id) for entry in page.items]

    assert await places() == [3, 1, 0]
    assert await places(made[3].id) == [1, 0]
    assert await places(sort_by="updated_at", user="ann", created_after=at(1)) == [1, 3]
    assert await places(end_user_id=person.id) == [3, 0]
    assert await places(name="x") == []
    assert await places(user="nobody") == []
