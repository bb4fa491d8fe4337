"""Where a request may have the server pull from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.archive.desk import URL, open_desk
from weft.server.archive_api.target import Target

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("allowed", [False, True])
async def test_an_address_in_a_request_is_guarded_unless_the_operator_says_otherwise(
    tmp_path: Path, allowed: bool
) -> None:
    chosen = {
        "pull_private_addresses": allowed,
        "url": "http://10.0.0.5/v1",
        "api_key": "app-1",
        "app_id": "a",
    }
    async with open_desk(tmp_path, archive=chosen) as desk:
        desk.upstream.put(1)
        assert (await desk.save()).ok["saved_count"] == 1
        assert [(spec.url, spec.is_guarded) for spec in desk.upstream.asked] == [(URL, not allowed)]
        # What the settings name may be anywhere.
        named = desk.archive.resolve(Target(source="default"))
        assert [(spec.url, spec.is_guarded) for spec in named] == [("http://10.0.0.5/v1", False)]
