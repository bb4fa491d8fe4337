from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import text

from tests.store.conftest import FrozenClock
from tests.store.rows import Rows, at
from weft.errors import MigrationError
from weft.store import (
    Connection,
    LogEntry,
    LogFilter,
    LogPage,
    Store,
    apps,
    end_users,
    logs,
    migrate,
    migration,
    migrations,
    open_search_index,
    open_store,
    runs,
    workspaces,
)
from weft.store.sqlite import engine
from weft.store.tables import metadata, postgres_metadata

pytestmark = pytest.mark.anyio


@pytest.fixture
async def migrated(empty_url: str, clock: FrozenClock) -> AsyncIterator[Store]:
    """A store in a database that the migrations have just made, for the test to spoil."""
    async with open_store(empty_url, clock=clock) as store:
        yield store


POSTGRES_COLUMNS = """
SELECT table_name || '.' || column_name, ordinal_position || ' ' || data_type || ' ' || is_nullable || ' '
    || coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
"""
SQLITE_OBJECTS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"


def schema(connection: Connection) -> dict[str, str]:
    """Everything that the database says about its tables, by name."""
    query = SQLITE_OBJECTS if connection.dialect.name == "sqlite" else POSTGRES_COLUMNS
    found = connection.execute(text(query)).all()
    return {name: " ".join(told.split()) for name, told in found if "alembic" not in name}


async def test_the_migrations_make_exactly_the_tables_that_the_program_uses(migrated: Store) -> None:
    def compare(connection: Connection) -> tuple[list[object], dict[str, str], dict[str, str]]:
        on_postgres = connection.dialect.name == "postgresql"
        tables = [metadata, postgres_metadata] if on_postgres else metadata
        differences = compare_metadata(MigrationContext.configure(connection), tables)  # type: ignore[arg-type]
        before = schema(connection)
        for each in (metadata, postgres_metadata) if on_postgres else (metadata,):
            each.drop_all(connection)
            each.create_all(connection)
        return differences, before, schema(connection)

    differences, before, after = await migrated.write(compare)

    assert differences == []
    assert _in_any_order(before) == _in_any_order(after)


def _in_any_order(told: dict[str, str]) -> dict[str, set[str]]:
    """The definitions as sets of their parts, since constraints may stand in another order."""
    return {name: set(text.replace("(", " ").replace(")", " ").split(", ")) for name, text in told.items()}


def test_the_newest_revision_is_the_one_that_the_program_expects() -> None:
    folder = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert folder.get_heads() == [migration.HEAD]


async def test_migrating_again_changes_nothing(empty_url: str, migrated: Store) -> None:
    before = await migrated.read(schema)

    await migrate(empty_url)

    assert await migrated.read(schema) == before


async def test_processes_that_start_at_once_migrate_once(empty_url: str, clock: FrozenClock) -> None:
    await asyncio.gather(*[migrate(empty_url) for _ in range(4)])

    async with open_store(empty_url, clock=clock) as store:
        assert await store.read(migration.revision) == migration.HEAD


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(
    empty_url: str, migrated: Store, clock: FrozenClock
) -> None:
    await migrated.write(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )

    with pytest.raises(MigrationError, match=r"'9999'.*newer Weft"):
        async with open_store(empty_url, clock=clock):
            pass

    assert await migrated.read(migration.revision) == "9999"


async def test_a_database_with_other_tables_of_these_names_is_refused_and_left_alone(
    empty_url: str, migrated: Store, clock: FrozenClock
) -> None:
    await migrated.write(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    before = await migrated.read(schema)

    with pytest.raises(MigrationError, match="already exists"):
        async with open_store(empty_url, clock=clock):
            pass

    assert await migrated.read(schema) == before


async def test_rows_from_before_the_log_pages_are_counted_and_queued(
    tmp_path: Path, clock: FrozenClock, rows: Rows
) -> None:
    url = f"sqlite:///{tmp_path / 'weft.db'}"
    app = rows.app()
    person = rows.end_user(app)
    message = rows.message(rows.conversation(person), 0, "rain")
    run = replace(rows.run(message), status="succeeded", finished_at=at(1))

    def fill(connection: Connection) -> None:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        workspaces.find_or_create(connection, rows.workspace)
        apps.create(connection, app)
        end_users.find_or_create(connection, person)
        runs.start(connection, rows.conversation(person), None, run)

    with engine(tmp_path / "weft.db", 1.0, begin="BEGIN IMMEDIATE").begin() as connection:
        fill(connection)

    async with open_store(url, clock=clock, search_index=True) as store:
        index = open_search_index(url)
        while await index.step(store, 10):
            pass
        page = await store.read(
            lambda connection: logs.list_page(connection, app.id, LogFilter(keyword="RAIN"))
        )
        whole = await store.read(lambda connection: logs.list_page(connection, app.id, LogFilter()))

    assert page == whole == LogPage((LogEntry(run, person),), 1, has_more=False)
