from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tests.store.conftest import FrozenClock
from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import (
    App,
    Connection,
    Imported,
    Page,
    Store,
    Workflow,
    apps,
    open_store,
    workflows,
    workspaces,
)

pytestmark = pytest.mark.anyio


async def test_publishing_stores_a_version_and_makes_it_the_current_one(
    store: Store, app: App, rows: Rows
) -> None:
    first, second = rows.workflow(app, "one", 1), rows.workflow(app, "two", 2)

    def fn(connection: Connection) -> list[Workflow | None]:
        before = workflows.find_published(connection, app.id)
        workflows.publish(connection, first)
        workflows.publish(connection, second)
        return [
            before,
            workflows.find_published(connection, app.id),
            workflows.find(connection, app.id, first.id),
            workflows.find(connection, "another app", first.id),
        ]

    assert await store.write(fn) == [None, second, first, None]
    assert await store.read(lambda connection: apps.find(connection, app.id)) == replace(
        app, workflow_id=second.id, updated_at=at(2)
    )


async def test_content_that_is_published_is_not_published_again_until_it_was_replaced(
    store: Store, app: App, rows: Rows
) -> None:
    contents = ["one", "one", "two", "one"]
    versions = [rows.workflow(app, content, number) for number, content in enumerate(contents)]

    def fn(connection: Connection) -> list[str]:
        return [workflows.publish(connection, version).id for version in versions]

    assert await store.write(fn) == [versions[0].id, versions[0].id, versions[2].id, versions[3].id]


async def test_a_version_is_called_after_the_instant_of_publishing() -> None:
    assert workflows.version_label(at(0.5)) == "2026-01-31 09:30:00.500000"


async def test_a_version_needs_an_app_and_another_name_than_draft(store: Store, app: App, rows: Rows) -> None:
    version = rows.workflow(app)

    with pytest.raises(NotFoundError):
        await store.write(lambda connection: workflows.publish(connection, replace(version, app_id="none")))
    with pytest.raises(ValueError, match="is a draft"):
        await store.write(lambda connection: workflows.publish(connection, replace(version, version="draft")))


async def test_an_app_has_one_draft_that_keeps_its_id(store: Store, app: App, rows: Rows) -> None:
    first = replace(rows.workflow(app, "one"), version="draft", created_by="ada")
    second = replace(rows.workflow(app, "two", 5), version="draft", updated_by="ben", marked_name="Two")

    def fn(connection: Connection) -> list[Workflow | None]:
        return [
            workflows.find_draft(connection, app.id),
            workflows.save_draft(connection, first),
            workflows.save_draft(connection, second),
            workflows.find_draft(connection, app.id),
            workflows.find_published(connection, app.id),
        ]

    kept = replace(second, id=first.id, created_at=first.created_at, created_by="ada")
    assert await store.write(fn) == [None, first, kept, kept, None]


async def test_a_draft_is_saved_as_a_draft(store: Store, app: App, rows: Rows) -> None:
    with pytest.raises(ValueError, match="not a draft"):
        await store.write(lambda connection: workflows.save_draft(connection, rows.workflow(app)))


def import_content(connection: Connection, rows: Rows, content: str, seconds: float) -> Imported:
    app = replace(rows.app(f"Named {content}", source_file="/apps/weather.yml"), created_at=at(seconds))
    workspaces.find_or_create(connection, rows.workspace)
    return workflows.import_file(connection, app, rows.workflow(app, content, seconds))


async def test_a_file_becomes_an_app_once_and_a_version_whenever_it_changes(store: Store, rows: Rows) -> None:
    def fn(connection: Connection) -> list[Imported]:
        return [
            import_content(connection, rows, content, seconds)
            for seconds, content in enumerate(["one", "one", "two"])
        ]

    first, again, changed = await store.write(fn)

    assert [done.outcome for done in (first, again, changed)] == ["created", "unchanged", "published"]
    assert again.workflow == first.workflow
    assert again.app == first.app
    assert changed.app == replace(
        first.app, name="Named two", workflow_id=changed.workflow.id, updated_at=at(2)
    )
    assert changed.workflow.id != first.workflow.id
    assert await store.read(lambda connection: apps.list_all(connection, rows.workspace.id)) == (changed.app,)


async def test_what_was_set_on_the_server_outlives_a_change_of_the_file(store: Store, rows: Rows) -> None:
    first = await store.write(lambda connection: import_content(connection, rows, "one", 0))
    set_by_hand = replace(first.app, enable_api=False, tags=["mine"], site=None)
    await store.write(lambda connection: apps.update(connection, set_by_hand))

    changed = await store.write(lambda connection: import_content(connection, rows, "two", 1))

    assert (changed.app.enable_api, changed.app.tags, changed.app.site) == (False, ["mine"], None)


async def test_processes_that_serve_one_file_at_once_make_one_app_and_one_version(
    url: str, clock: FrozenClock
) -> None:
    workspace = Rows().workspace

    async def serve(store: Store, first_id: int) -> Imported:
        rows = Rows(first_id)
        rows.workspace = workspace
        return await store.write(lambda connection: import_content(connection, rows, "one", 0))

    async with open_store(url, clock=clock) as one, open_store(url, clock=clock) as other:
        done = await asyncio.gather(
            *[serve(store, n) for n in range(100, 900, 100) for store in (one, other)]
        )

    assert len({imported.app.id for imported in done}) == 1
    assert len({imported.workflow.id for imported in done}) == 1
    assert [imported.outcome for imported in done].count("created") == 1


async def test_an_app_without_a_file_cannot_be_imported_as_one(store: Store, rows: Rows) -> None:
    app = rows.app()

    with pytest.raises(ValueError, match="no source file"):
        await store.write(lambda connection: workflows.import_file(connection, app, rows.workflow(app)))


async def test_versions_are_listed_marked_and_deleted(store: Store, app: App, rows: Rows) -> None:
    versions = [rows.workflow(app, "same", seconds) for seconds in range(3)]
    draft = replace(rows.workflow(app, "draft", 9), version=workflows.DRAFT)

    def fn(connection: Connection) -> list[object]:
        for version in versions:
            workflows.publish(connection, version, again=True)
        workflows.save_draft(connection, draft)
        marked = replace(versions[0], marked_name="first", updated_by="ada")
        workflows.mark(connection, marked)
        return [
            workflows.list_page(connection, app.id, limit=2),
            workflows.list_page(connection, app.id, page=2, limit=2),
            workflows.list_page(connection, app.id, named_only=True),
            workflows.list_by_id(connection, {versions[1].id, "nobody's"}),
            workflows.list_by_id(connection, set()),
            workflows.delete_version(connection, "another app", versions[1].id),
            workflows.delete_version(connection, app.id, draft.id),
            workflows.delete_version(connection, app.id, versions[1].id),
            workflows.find(connection, app.id, versions[1].id),
        ]

    marked = replace(versions[0], marked_name="first", updated_by="ada")
    assert await store.write(fn) == [
        Page((versions[2], versions[1]), has_more=True),
        Page((marked,), has_more=False),
        Page((marked,), has_more=False),
        {versions[1].id: versions[1]},
        {},
        False,
        False,
        True,
        None,
    ]
    with pytest.raises(NotFoundError, match="Workflow not found"):
        await store.write(lambda connection: workflows.mark(connection, versions[1]))
