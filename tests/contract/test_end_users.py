"""The people whom an app knows."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from tests.contract.caller import Caller
from weft.wire import DEFAULT_USER

pytestmark = pytest.mark.anyio


async def id_of(caller: Caller, user: str) -> str:
    """The id that the log tells of whoever sent a message."""
    await caller.said(user=user)
    page = (await caller.get("/workflows/logs", created_by_end_user_session_id=user)).ok
    return str(page["data"][0]["created_by_end_user"]["id"])


@pytest.mark.requirement("api-190")
async def test_an_end_user_can_be_looked_up(flow: Caller, user: str) -> None:
    end_user_id = await id_of(flow, user)
    found = (await flow.get(f"/end-users/{end_user_id}")).ok
    for name in ("created_at", "updated_at"):
        assert datetime.fromisoformat(found.pop(name)).tzinfo is not None
    assert found == {
        "id": end_user_id,
        "tenant_id": "00000000-0000-7000-8000-000000000001",
        "app_id": flow.app_id,
        "type": "service-api",
        "external_user_id": user,
        "name": None,
        "is_anonymous": False,
        "session_id": user,
    }


async def test_only_the_shared_user_is_anonymous(flow: Caller) -> None:
    await flow.get("/conversations")
    end_user_id = await id_of(flow, DEFAULT_USER)
    assert (await flow.get(f"/end-users/{end_user_id}")).ok["is_anonymous"] is True


@pytest.mark.requirement("api-191")
async def test_another_apps_end_user_is_not_told(flow: Caller, plain: Caller, user: str) -> None:
    absent = (404, "end_user_not_found", "End user not found.")
    end_user_id = await id_of(flow, user)
    assert (await plain.get(f"/end-users/{end_user_id}")).error == absent
    assert (await flow.get(f"/end-users/{uuid4()}")).error == absent
    assert (await flow.get("/end-users/nobody")).error[:2] == (404, "not_found")
