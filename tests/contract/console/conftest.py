"""An account of the suite's server, and a chatflow that has been talked to."""

from __future__ import annotations

import pytest

from tests.contract.console_caller import ConsoleCaller, make_account, signed_in
from tests.contract.house import House


@pytest.fixture(scope="session")
async def owner(house: House) -> ConsoleCaller:
    """The owner of the workspace, logged in."""
    await make_account(house, "owner@b.c")
    return await signed_in(house, "owner@b.c")
