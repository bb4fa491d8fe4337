"""One server for the whole suite, with the apps that most of its tests call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.house import House, open_house


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): the requirements that a test shows")


@pytest.fixture(scope="session")
def actor() -> Actor:
    """The model of the suite's server."""
    return Actor()


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, actor: Actor) -> AsyncIterator[House]:
    """The suite's server."""
    async with open_house(tmp_path_factory.mktemp("house"), models=actor) as opened:
        yield opened


@pytest.fixture(scope="session")
async def flow(house: House) -> Caller:
    """A chatflow with every feature on, whose model repeats what it is told."""
    return await house.serve(apps.echo_flow(*apps.FORM, features=apps.FEATURES, variables=apps.VARIABLES))


@pytest.fixture(scope="session")
async def plain(house: House) -> Caller:
    """The same with every feature off."""
    return await house.serve(apps.echo_flow(*apps.FORM, name="G"))


@pytest.fixture(scope="session")
async def failing(house: House) -> Caller:
    """A chatflow that always fails with ``boom``."""
    return await house.serve(apps.failing_flow())


@pytest.fixture(scope="session")
async def work(house: House) -> Caller:
    """A workflow app whose model repeats what it is told."""
    return await house.serve(apps.echo_workflow())


@pytest.fixture(scope="session")
def _names() -> Iterator[str]:
    return (f"user-{number}" for number in count(1))


@pytest.fixture
def user(_names: Iterator[str]) -> str:
    """Somebody whom no other test knows."""
    return next(_names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For a server of the test's own."""
    return tmp_path
