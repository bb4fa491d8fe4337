from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.house import open_house
from tests.server.archive.desk import PATH

pytestmark = pytest.mark.anyio


async def test_a_server_archives_its_own_conversations(tmp_path: Path) -> None:
    sources: dict[str, dict[str, object]] = {"own": {"kind": "own-store", "organization_id": "org-1"}}
    async with open_house(tmp_path, models=Actor(), sources=sources) as house:
        flow = await house.serve(apps.echo_flow())
        said = await flow.said("Where is my parcel?")
        headers = {"authorization": f"Bearer {house.runtime.operator_token}"}
        url = house.serving.url + PATH
        async with house.session.post(url, json={"source": "own"}, headers=headers) as reply:
            saved = await reply.json()
        assert (saved["success"], saved["saved_count"]) == (True, 1)
        assert await _count(house.session, url, headers) == 1
        found = f"{url}/conversations/{said['conversation_id']}"
        async with house.session.get(found, headers=headers, params={"organization_id": "org-1"}) as reply:
            assert (await reply.json())["messages"][0]["query"] == "Where is my parcel?"


async def _count(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    async with session.get(url, headers=headers, params={"action": "summary"}) as reply:
        return int((await reply.json())["total_files"])
