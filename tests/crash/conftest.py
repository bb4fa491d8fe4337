from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.contract import apps
from tests.crash.victim import Victim
from weft.testing.fake_models import FakeModels


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database_url(backend: str, request: pytest.FixtureRequest) -> str | None:
    """An empty database on Postgres; nothing where the data folder holds it."""
    if backend == "sqlite":
        return None
    address: str = request.getfixturevalue("postgres_server")
    engine = create_async_engine(
        address.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        await connection.exec_driver_sql("DROP DATABASE IF EXISTS weft_crash WITH (FORCE)")
        await connection.exec_driver_sql("CREATE DATABASE weft_crash")
    await engine.dispose()
    return address.replace("/postgres?", "/weft_crash?")


@pytest.fixture
async def fake() -> AsyncIterator[FakeModels]:
    """The models, which survive."""
    async with FakeModels() as service:
        yield service


@pytest.fixture
async def victim(
    tmp_path: Path, fake: FakeModels, database_url: str | None, pytestconfig: pytest.Config
) -> AsyncIterator[Victim]:
    """A server of a chatflow that remembers, whose model repeats what it is told."""
    flow = apps.chatflow(
        [
            apps.start(),
            apps.llm("llm", prompt_template=[{"role": "system", "text": "Be kind."}], memory=apps.MEMORY),
            apps.assign("note", ("conversation.topic", "over-write", "{sys.query}")),
            apps.answer("{{#llm.text#}}!"),
        ],
        "start > llm > note > answer",
        variables=[apps.conversation_variable("topic", "string", "none")],
    )
    path = tmp_path / "flow.yml"
    path.write_text(json.dumps(flow), encoding="utf-8")
    made = Victim(
        path,
        tmp_path / "data",
        fake.url,
        pytestconfig.rootpath / ".pytest_cache" / "weft-bytecode",
        database_url,
    )
    yield made
    await made.close()
