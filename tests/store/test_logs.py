from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    App,
    Connection,
    EndUser,
    LogEntry,
    LogFilter,
    LogPage,
    Run,
    Store,
    end_users,
    logs,
    runs,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def entries(store: Store, app: App, end_user: EndUser, rows: Rows) -> list[LogEntry]:
    """Log entries of one app, newest first; not among them a debugging run and one of another app."""
    friend = rows.end_user(app, "Ünal_2")
    asked = [
        (end_user, "Is it 100% rain?", "succeeded", 0),
        (friend, "ПРИВЕТ", "failed", 10),
        (end_user, "Snow?", "stopped", 10),
        (friend, "Hail?", "partial-succeeded", 20),
    ]
    made: list[LogEntry] = []
    for person, query, status, seconds in asked:
        message = rows.message(rows.conversation(person), seconds, query)
        run = replace(rows.run(message), status=status, outputs={"answer": f"About {query}"})
        made.append(LogEntry(run, person))
    by_account = replace(
        made[0].run,
        id=rows.ids.new(),
        end_user_id=None,
        account_id="ada",
        created_by_role="account",
        created_at=at(30),
        inputs={},
        outputs=None,
    )
    made.append(LogEntry(by_account, None))
    hidden = [
        replace(made[0].run, id=rows.ids.new(), triggered_from="debugging"),
        replace(made[0].run, id=rows.ids.new(), app_id="another app"),
    ]

    def insert(connection: Connection) -> None:
        end_users.find_or_create(connection, friend)
        for run in [*(entry.run for entry in made), *hidden]:
            runs.start(connection, None, None, run)

    await store.write(insert)
    return list(reversed(made))


async def list_logs(store: Store, app: App, wanted: LogFilter, page: int = 1, limit: int = 20) -> LogPage:
    return await store.read(
        lambda connection: logs.list_page(connection, app.id, wanted, page=page, limit=limit)
    )


async def test_the_log_is_listed_newest_first_in_numbered_pages(
    store: Store, app: App, entries: list[LogEntry]
) -> None:
    pages = [await list_logs(store, app, LogFilter(), page, limit=2) for page in (1, 2, 3, 4, 99)]

    assert pages == [
        LogPage(tuple(entries[:2]), 5, has_more=True),
        LogPage(tuple(entries[2:4]), 5, has_more=True),
        LogPage(tuple(entries[4:]), 5, has_more=False),
        LogPage((), 5, has_more=False),
        LogPage((), 5, has_more=False),
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogFilter(status="failed"), ["ПРИВЕТ"]),
        (LogFilter(status="running"), []),
        (LogFilter(created_after=at(10)), ["", "Hail?", "Snow?", "ПРИВЕТ"]),
        (LogFilter(created_before=at(10)), ["Snow?", "ПРИВЕТ", "Is it 100% rain?"]),
        (LogFilter(created_after=at(10), created_before=at(10), status="stopped"), ["Snow?"]),
        (LogFilter(session_id="u1"), ["Snow?", "Is it 100% rain?"]),
        (LogFilter(session_id="u"), []),
        (LogFilter(account_id="ada"), [""]),
        (LogFilter(keyword="RAIN"), ["Is it 100% rain?"]),
        (LogFilter(keyword="about h"), ["Hail?"]),
        (LogFilter(keyword="привет"), ["ПРИВЕТ"]),
        (LogFilter(keyword="0%"), ["Is it 100% rain?"]),
        (LogFilter(keyword="%"), ["Is it 100% rain?"]),
        (LogFilter(keyword="ünal_"), ["Hail?", "ПРИВЕТ"]),
        (LogFilter(keyword="\0"), []),
        (LogFilter(keyword="Is it 100% rain?" + "x" * 20), []),
    ],
)
async def test_filters_narrow_the_log(
    store: Store, app: App, entries: list[LogEntry], wanted: LogFilter, found: list[str]
) -> None:
    page = await list_logs(store, app, wanted)

    assert [entry.run.inputs.get("sys.query", "") for entry in page.items] == found
    assert page.total == len(found)


async def test_a_keyword_may_be_the_id_of_a_run(store: Store, app: App, entries: list[LogEntry]) -> None:
    page = await list_logs(store, app, LogFilter(keyword=entries[2].run.id.upper()))

    assert page == LogPage((entries[2],), 1, has_more=False)


async def test_thirty_characters_of_a_keyword_count(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    run: Run = rows.run(rows.message(rows.conversation(end_user), 0, "x" * 30))
    await store.write(lambda connection: runs.start(connection, None, None, run))

    page = await list_logs(store, app, LogFilter(keyword="x" * 30 + "and more"))

    assert page.items == (LogEntry(run, end_user),)
