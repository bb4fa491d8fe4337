from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tests.store.conftest import FrozenClock
from weft.errors import MigrationError
from weft.store import Connection, Store, migrate, migration, migrations, open_store
from weft.store.tables import metadata

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
SQLITE_OBJECTS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


def schema(connection: Connection) -> dict[str, str]:
    """Everything that the database says about its tables, by name."""
    query = SQLITE_OBJECTS if connection.dialect.name == "sqlite" else POSTGRES_COLUMNS
    found = connection.execute(text(query)).all()
    return {name: " ".join(told.split()) for name, told in found if "alembic" not in name}


async def test_the_migrations_make_exactly_the_tables_that_the_program_uses(migrated: Store) -> None:
    def compare(connection: Connection) -> tuple[list[object], dict[str, str], dict[str, str]]:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        before = schema(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
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
