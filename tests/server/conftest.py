from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.house import House, open_house
from weft.testing.fake_models import FakeModels


@pytest.fixture
async def fake() -> AsyncIterator[FakeModels]:
    """A model service on a port of its own; it repeats what it is told."""
    async with FakeModels() as service:
        yield service


@pytest.fixture
async def house(tmp_path: Path, fake: FakeModels) -> AsyncIterator[House]:
    """A server whose models are that service, asked once and waited for briefly."""
    provider = {
        "base_url": fake.url,
        "max_retries": 0,
        "timeouts": {"connect": 5.0, "first_byte": 0.3, "between_chunks": 0.3},
    }
    async with open_house(tmp_path, providers={"openai": provider}) as opened:
        yield opened
