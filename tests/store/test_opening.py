from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.store.conftest import FrozenClock
from weft.errors import ConfigError, MigrationError, StoreError
from weft.store import open_store
from weft.store.opening import database_url

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/weft.db", "sqlite:///data/weft.db"),
        ("sqlite:////data/weft.db", "sqlite:////data/weft.db"),
        ("postgresql://me:pw@host:5433/weft", "postgresql+asyncpg://me:pw@host:5433/weft"),
        ("postgres://host/weft", "postgresql+asyncpg://host/weft"),
        ("postgresql+psycopg://host/weft", "postgresql+asyncpg://host/weft"),
        ("postgresql://host/weft?sslmode=require", "postgresql+asyncpg://host/weft?ssl=require"),
    ],
)
def test_an_address_gets_the_driver_that_is_used(url: str, expected: str) -> None:
    assert database_url(url).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize("url", ["", "weft.db", "mysql://host/weft", "sqlite://", "sqlite:///:memory:"])
def test_an_address_of_another_kind_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:///path/weft\.db"):
        database_url(url)


async def test_a_database_file_is_made_with_its_folders(tmp_path: Path, clock: FrozenClock) -> None:
    async with open_store(f"sqlite:///{tmp_path}/new folder/100%/weft.db", clock=clock):
        pass

    assert (tmp_path / "new folder" / "100%" / "weft.db").is_file()


async def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot be opened"):
        async with open_store(f"sqlite:///{tmp_path}/file/weft.db", clock=clock):
            pass
    assert clock.slept == []


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    (tmp_path / "weft.db").write_text("Dear diary, " * 100)

    with pytest.raises(MigrationError, match="not a database"):
        async with open_store(f"sqlite:///{tmp_path}/weft.db", clock=clock):
            pass


async def test_a_postgres_that_is_not_up_yet_is_waited_for_and_then_given_up(
    tmp_path: Path, clock: FrozenClock
) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        async with open_store(
            f"postgresql://me:secret@/weft?host={tmp_path}", clock=clock, connect_timeout=2
        ):
            pass

    assert clock.slept == [0.5, 0.5, 0.5, 0.5]
    assert "secret" not in str(caught.value)


async def test_a_postgres_that_is_still_starting_is_waited_for(clock: FrozenClock) -> None:
    refusal = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

    async def say_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"E" + (len(refusal) + 4).to_bytes(4, "big") + refusal)
        writer.close()

    server = await asyncio.start_server(say_so, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreError, match="starting up"):
            async with open_store(
                f"postgresql://me@127.0.0.1:{port}/weft?sslmode=disable", clock=clock, connect_timeout=1
            ):
                pass

    assert clock.slept == [0.5, 0.5]


async def test_a_postgres_without_the_database_is_refused_at_once(
    postgres_server: str, clock: FrozenClock
) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        async with open_store(postgres_server.replace("/postgres?", "/nowhere?"), clock=clock):
            pass

    assert clock.slept == []
