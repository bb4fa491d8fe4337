from __future__ import annotations

import pytest

from tests.client.fake import (
    MakeClient,
    MakeConsole,
    make_async,
    make_async_console,
    make_blocking,
    make_blocking_console,
)


@pytest.fixture(params=["async", "blocking"])
def make(request: pytest.FixtureRequest) -> MakeClient:
    return make_async if request.param == "async" else make_blocking


@pytest.fixture(params=["async", "blocking"])
def make_console(request: pytest.FixtureRequest) -> MakeConsole:
    return make_async_console if request.param == "async" else make_blocking_console
