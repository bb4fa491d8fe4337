from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import App, Connection, EndUser, Page, Run, Store, run_history, runs

pytestmark = pytest.mark.anyio


@pytest.fixture
async def history(store: Store, app: App, end_user: EndUser, rows: Rows) -> list[Run]:
    """Runs of an app, newest first; two began at the same instant."""
    made = []
    for seconds, status, source in (
        (0, "succeeded", "app-run"),
        (1, "failed", "app-run"),
        (1, "succeeded", "app-run"),
        (2, "running", "debugging"),
    ):
        run = rows.run(rows.message(rows.conversation(end_user), seconds))
        made.append(replace(run, status=status, triggered_from=source))

    def insert(connection: Connection) -> None:
        for run in (*made, replace(made[0], id=rows.ids.new(), app_id="another app")):
            runs.start(connection, None, None, run)

    await store.write(insert)
    return made[::-1]


async def test_runs_are_paged_by_the_last_one_seen(store: Store, app: App, history: list[Run]) -> None:
    def fn(connection: Connection) -> list[Page[Run]]:
        first = run_history.list_page(connection, app.id, "app-run", limit=1)
        rest = run_history.list_page(connection, app.id, "app-run", last_id=first.items[0].id, limit=2)
        return [first, rest, run_history.list_page(connection, app.id, "debugging")]

    assert await store.read(fn) == [
        Page((history[1],), has_more=True),
        Page((history[2], history[3]), has_more=False),
        Page((history[0],), has_more=False),
    ]
    failed = await store.read(
        lambda connection: run_history.list_page(connection, app.id, "app-run", status="failed")
    )
    assert failed.items == (history[2],)
    with pytest.raises(NotFoundError, match="Last workflow run not exists"):
        await store.read(
            lambda connection: run_history.list_page(connection, "another", "app-run", last_id=history[0].id)
        )


async def test_runs_are_counted_by_status_and_time(store: Store, app: App, history: list[Run]) -> None:
    def fn(connection: Connection) -> list[dict[str, int]]:
        return [
            run_history.count_by_status(connection, app.id, "app-run"),
            run_history.count_by_status(connection, app.id, "app-run", status="failed"),
            run_history.count_by_status(connection, app.id, "app-run", since=at(1)),
            run_history.count_by_status(connection, app.id, "app-run", since=at(5)),
        ]

    assert await store.read(fn) == [
        {"succeeded": 2, "failed": 1},
        {"failed": 1},
        {"succeeded": 1, "failed": 1},
        {},
    ]
