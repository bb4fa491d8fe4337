from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from weft.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    opened = open_sandbox(concurrency=4)
    yield opened
    await opened.close()
