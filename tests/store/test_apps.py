from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import App, AppFilter, AppPage, Connection, Store, apps, workspaces

pytestmark = pytest.mark.anyio


async def test_an_app_is_found_as_it_was_stored(store: Store, app: App) -> None:
    def fn(connection: Connection) -> list[App | None]:
        return [
            apps.find(connection, app.id),
            apps.find_in_workspace(connection, app.workspace_id, app.id),
            apps.find_in_workspace(connection, "another workspace", app.id),
            apps.find(connection, "another id"),
        ]

    assert await store.read(fn) == [app, app, None, None]
    assert await store.read_quick(fn) == [app, app, None, None]


async def test_every_field_of_an_app_can_be_changed_but_where_it_comes_from(store: Store, app: App) -> None:
    changed = replace(
        app,
        name="Wetter\0",
        enable_api=False,
        enable_site=True,
        tags=[],
        site=None,
        max_active_requests=3,
        status="disabled",
        updated_at=at(5),
        created_at=at(9),
        workspace_id="elsewhere",
    )

    def fn(connection: Connection) -> App | None:
        assert apps.get_for_update(connection, app.id) == app
        apps.update(connection, changed)
        return apps.find(connection, app.id)

    assert await store.write(fn) == replace(
        changed, name="Wetter\ufffd", created_at=app.created_at, workspace_id=app.workspace_id
    )


async def test_an_app_that_does_not_exist_cannot_be_changed(store: Store, app: App) -> None:
    with pytest.raises(NotFoundError, match="app nothing does not exist"):
        await store.write(lambda connection: apps.update(connection, replace(app, id="nothing")))
    with pytest.raises(NotFoundError):
        await store.write(lambda connection: apps.get_for_update(connection, "nothing"))


async def test_the_apps_of_a_workspace_are_listed_newest_first(store: Store, app: App, rows: Rows) -> None:
    newer = replace(rows.app("Newer"), created_at=at(1))
    twin = replace(rows.app("Same time"), created_at=at(1))
    elsewhere = replace(rows.workspace, id=rows.ids.new())

    def fn(connection: Connection) -> list[str]:
        workspaces.find_or_create(connection, elsewhere)
        for other in (newer, twin, replace(rows.app("Theirs"), workspace_id=elsewhere.id)):
            apps.create(connection, other)
        return [found.name for found in apps.list_all(connection, rows.workspace.id)]

    assert await store.write(fn) == ["Same time", "Newer", "Weather"]


async def test_apps_are_listed_by_name_mode_maker_and_tag_in_numbered_pages(
    store: Store, app: App, rows: Rows
) -> None:
    other = replace(
        rows.app("100% Sunshine"), mode="workflow", created_by="ada", tags=["sun"], created_at=at(5)
    )
    await store.write(lambda connection: apps.create(connection, other))

    def fn(connection: Connection) -> list[AppPage]:
        return [
            apps.list_page(connection, app.workspace_id, wanted, page=page, limit=1)
            for wanted, page in (
                (AppFilter(), 1),
                (AppFilter(), 2),
                (AppFilter(), 3),
                (AppFilter(name="WEATH"), 1),
                (AppFilter(name="0% s"), 1),
                (AppFilter(mode="workflow"), 1),
                (AppFilter(created_by="ada"), 1),
                (AppFilter(tag=frozenset({"weather", "日本"})), 1),
                (AppFilter(tag=frozenset({"weather", "sun"})), 1),
            )
        ]

    assert await store.read(fn) == [
        AppPage((other,), 2, has_more=True),
        AppPage((app,), 2, has_more=False),
        AppPage((), 2, has_more=False),
        AppPage((app,), 1, has_more=False),
        AppPage((other,), 1, has_more=False),
        AppPage((other,), 1, has_more=False),
        AppPage((other,), 1, has_more=False),
        AppPage((app,), 1, has_more=False),
        AppPage((), 0, has_more=False),
    ]
