from __future__ import annotations

from pathlib import Path

import pytest

from tests.egress.server import fetch, serve
from weft.egress import AddressRefusedError, EgressConfig
from weft.runs import open_runtime
from weft.settings import Settings

pytestmark = pytest.mark.anyio


async def test_the_settings_say_what_requests_of_flows_may_do(tmp_path: Path) -> None:
    http = {
        "allow_private_addresses": True,
        "connect_seconds": 1,
        "read_seconds": 2,
        "write_seconds": 3,
        "max_text_bytes": "4KiB",
        "max_file_bytes": "5KiB",
    }

    async with (
        open_runtime(Settings.model_validate({"data": tmp_path, "http": http})) as runtime,
        serve() as server,
    ):
        egress = runtime.services.egress
        assert egress.config == EgressConfig(
            allow_private_addresses=True,
            connect_seconds=1,
            read_seconds=2,
            write_seconds=3,
            max_text_bytes=4096,
            max_file_bytes=5120,
        )
        assert await fetch(egress, server.url) == (200, b"ok")


async def test_without_a_word_in_the_settings_flows_do_not_reach_this_machine(tmp_path: Path) -> None:
    async with open_runtime(Settings(data=tmp_path)) as runtime, serve() as server:
        with pytest.raises(AddressRefusedError):
            await fetch(runtime.services.egress, server.url)
        assert server.requests == []
