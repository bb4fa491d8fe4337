from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.harness import answer, start
from tests.runs.house import WORKSPACE, write_app
from weft.errors import ConfigError, GraphError
from weft.ids import Ids, SequentialIds
from weft.runs import ServedApp, app_key, hash_key, serve_file
from weft.store import App, Store, apps, keys, workflows, workspaces
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def clock(store: Store) -> FrozenClock:
    await store.write(lambda connection: workspaces.find_or_create(connection, WORKSPACE))
    return FrozenClock()


@pytest.fixture
def ids() -> SequentialIds:
    return SequentialIds()


async def serve(path: Path, store: Store, clock: FrozenClock, ids: Ids) -> ServedApp:
    return await serve_file(
        path, store=store, clock=clock, ids=ids, secret="secret", workspace_id=WORKSPACE.id
    )


def write(path: Path, text: str = "Hi") -> Path:
    return write_app(
        path,
        {"start": start(), "a": answer(text)},
        "start > a",
        features={"opening_statement": "Hello"},
        environment_variables=[{"id": "e", "name": "url", "value_type": "string", "value": "u"}],
        conversation_variables=[{"id": "c", "name": "n", "value_type": "number", "value": 1}],
    )


async def test_a_file_becomes_an_app_with_a_published_version_and_a_key(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    path = write(tmp_path / "Weather.yml")
    served = await serve(path, store, clock, ids)
    app = await store.read(lambda connection: apps.find(connection, served.app.id))
    published = await store.read(lambda connection: workflows.find_published(connection, served.app.id))
    token = await store.read(lambda connection: keys.find_by_hash(connection, hash_key(served.key)))
    now = clock.now()
    assert (
        app
        == served.app
        == App(
            id=served.app.id,
            workspace_id=WORKSPACE.id,
            name="Weather",
            mode="advanced-chat",
            created_at=now,
            updated_at=now,
            icon_type="emoji",
            icon="🤖",
            icon_background="#FFFFFF",
            enable_site=True,
            site={"title": "Weather", "default_language": "en-US", "show_workflow_steps": True},
            source_file=str(path.resolve()),
            author_name="",
            workflow_id=served.workflow.id,
        )
    )
    assert published == served.workflow
    assert published is not None
    variable = {"value_type": "string", "description": ""}
    assert (published.version, published.dsl, published.features, published.environment_variables) == (
        "2026-03-01 12:00:00.000000",
        path.read_text(),
        {"opening_statement": "Hello"},
        [{**variable, "id": "e", "name": "url", "value": "u"}],
    )
    assert [declared["name"] for declared in published.conversation_variables] == ["n"]
    assert token is not None
    assert (token.kind, token.app_id, token.hint, token.token) == ("app", app.id, served.key[-4:], None)
    assert (served.key, served.outcome, served.file, served.warnings) == (
        app_key("secret", app.id),
        "created",
        path,
        (),
    )


async def test_serving_the_same_file_again_changes_nothing(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "app.yml")
    first = await serve(path, store, clock, ids)
    clock.advance(60)
    monkeypatch.chdir(tmp_path)
    again = await serve(Path("app.yml"), store, clock, ids)
    assert (again.app, again.workflow, again.key, again.outcome) == (
        first.app,
        first.workflow,
        first.key,
        "unchanged",
    )
    assert await everything(store, first.app) == (1, 1, 1)


async def test_a_changed_file_becomes_a_new_published_version_of_the_same_app(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.yml")
    first = await serve(path, store, clock, ids)
    clock.advance(60)
    second = await serve(write(path, "Hello"), store, clock, ids)
    assert (second.app.id, second.key, second.outcome) == (first.app.id, first.key, "published")
    assert second.workflow.id != first.workflow.id
    assert second.app.workflow_id == second.workflow.id
    assert await everything(store, first.app) == (1, 2, 1)
    back = await serve(write(path), store, clock, ids)
    assert (back.outcome, back.workflow.id in (first.workflow.id, second.workflow.id)) == ("published", False)


async def test_another_file_is_another_app_even_if_it_says_the_same(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    first = await serve(write(tmp_path / "one.yml"), store, clock, ids)
    second = await serve(write(tmp_path / "two.yml"), store, clock, ids)
    assert (first.app.id != second.app.id, first.key != second.key) == (True, True)


async def test_a_key_that_was_deleted_is_made_again(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.yml")
    first = await serve(path, store, clock, ids)
    token = await store.read(lambda connection: keys.find_by_hash(connection, hash_key(first.key)))
    assert token is not None
    await store.write(lambda connection: keys.delete_by_app(connection, first.app.id, token.id))
    again = await serve(path, store, clock, ids)
    assert (again.key, again.outcome) == (first.key, "unchanged")
    assert await store.read(lambda connection: keys.find_by_hash(connection, hash_key(first.key)))


async def test_a_file_with_a_byte_order_mark_is_stored_without_it(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.yml")
    text = path.read_text()
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    served = await serve(path, store, clock, ids)
    assert served.workflow.dsl == text


async def test_a_file_that_is_not_there_is_named(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    for path in (tmp_path / "gone.yml", tmp_path):
        with pytest.raises(ConfigError, match=f"cannot read {path}: .*; give the path of an exported app"):
            await serve(path, store, clock, ids)


async def test_a_file_that_cannot_be_run_is_not_stored(
    store: Store, clock: FrozenClock, ids: SequentialIds, tmp_path: Path
) -> None:
    path = tmp_path / "app.yml"
    write_app(path, {"start": start(), "n": {"type": "no-such-type"}, "m": {"type": "another"}}, "start > n")
    with pytest.raises(GraphError) as caught:
        await serve(path, store, clock, ids)
    assert [problem.node_id for problem in caught.value.problems] == ["n", "m"]
    assert await store.read(lambda connection: apps.list_all(connection, WORKSPACE.id)) == ()


async def everything(store: Store, app: App) -> tuple[int, int, int]:
    """Apps, versions and keys."""
    from sqlalchemy import func, select

    from weft.store import Connection, tables

    def count(connection: Connection) -> tuple[int, int, int]:
        versions = connection.execute(select(func.count()).select_from(tables.workflows)).scalar_one()
        return (
            len(apps.list_all(connection, WORKSPACE.id)),
            versions,
            len(keys.list_by_app(connection, app.id)),
        )

    return await store.read(count)
