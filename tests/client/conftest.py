from __future__ import annotations

import pytest

from tests.client.fake import MakeClient, make_async, make_blocking


@pytest.fixture(params=["async", "blocking"])
def make(request: pytest.FixtureRequest) -> MakeClient:
    return make_async if request.param == "async" else make_blocking
