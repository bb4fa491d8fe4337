"""What an app key's source finds, and what it does when its server has less than ours."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from tests.archive.records import StoppedClock, open_archive
from weft.archive import AppKeySource, AsyncArchive, PullReport
from weft.client import AsyncClient
from weft.errors import InvalidRequestError, UnauthorizedError

pytestmark = pytest.mark.anyio
APP = "11111111-1111-4111-8111-111111111111"


class OldServer:
    """A Dify of before: no log of chatflows, no list of feedback; people have conversations."""

    def __init__(self) -> None:
        self.talks: dict[str, list[str]] = {"ann": [f"a{n}" for n in range(5)], "ben": ["b0"]}
        self.log: list[str] = []
        self.has_feedback = False
        self.rated: list[dict[str, object]] = []
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self.is_open = True

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, query = request.url.path.removeprefix("/v1"), dict(request.url.params)
        if not self.is_open:
            return httpx2.Response(401, json={"code": "unauthorized", "message": "no", "status": 401})
        if path == "/info":
            return httpx2.Response(200, json={"name": "Old", "mode": "advanced-chat", "tags": []})
        if path == "/workflows/logs":
            return httpx2.Response(200, json=self._log())
        if path == "/app/feedbacks" and self.has_feedback:
            return httpx2.Response(200, json={"data": self.rated})
        if path.startswith("/end-users/"):
            return httpx2.Response(200, json={"id": "e1", "session_id": "ben"})
        if path == "/conversations":
            return self._conversations(query)
        if path == "/messages":
            self.asked.append(query["conversation_id"])
            return httpx2.Response(200, json=_messages(query["conversation_id"]))
        return httpx2.Response(404, json={"code": "not_found", "message": "no", "status": 404})

    def _log(self) -> dict[str, object]:
        rows = [
            {
                "id": f"log-{user}",
                "workflow_run": {"id": f"run-{user}", "status": "succeeded", "created_at": 1_760_000_000},
                "created_by_end_user": {"id": "e", "session_id": user},
                "created_at": 1_760_000_000,
            }
            for user in self.log
        ]
        return {"page": 1, "limit": 100, "total": len(rows), "has_more": False, "data": rows}

    def _conversations(self, query: dict[str, str]) -> httpx2.Response:
        ids = [id for id in self.talks.get(query["user"], []) if id not in self.gone]
        last = query.get("last_id")
        if last is not None and last not in ids:
            return httpx2.Response(404, json={"code": "not_found", "message": "no", "status": 404})
        rest = ids[ids.index(last) + 1 :] if last is not None else ids
        page = [
            {"id": id, "name": id, "created_at": 1_760_000_000, "updated_at": 1_760_000_001}
            for id in rest[:2]
        ]
        if last == "a1":
            self.gone.add("a3")
        return httpx2.Response(200, json={"limit": 2, "has_more": len(rest) > 2, "data": page})


def _messages(conversation_id: str) -> dict[str, object]:
    message = {"id": f"m-{conversation_id}", "query": "q", "answer": "a", "created_at": 1_760_000_000}
    return {"limit": 100, "has_more": False, "data": [message]}


async def pull(root: Path, server: OldServer, *users: str) -> tuple[PullReport, set[str]]:
    clock = StoppedClock()
    async with (
        AsyncArchive(open_archive(root, clock=clock)) as archive,
        AsyncClient("http://old", "app-x", transport=httpx2.MockTransport(server)) as client,
    ):
        report = await archive.pull(AppKeySource(client, clock=clock, app_id=APP, users=users))
        return report, {one.id for one in archive.archive.iter_conversations()}


async def test_given_users_are_asked_for_though_there_is_no_log(tmp_path: Path) -> None:
    report, found = await pull(tmp_path, OldServer(), "ann")
    assert report.succeeded, report
    # a3 was deleted while the list was read, after the page that ended with it: the walk went back and on.
    assert found == {"a0", "a1", "a2", "a3", "a4"}
    assert "users who left no trace" in report.apps[0].app.limits[0]


async def test_users_of_the_log_are_remembered(tmp_path: Path) -> None:
    server = OldServer()
    server.log = ["ben"]
    assert (await pull(tmp_path, server))[1] == {"b0"}
    server.log = []
    server.talks["ben"].append("b1")
    assert (await pull(tmp_path, server))[1] == {"b0", "b1"}


async def test_users_are_found_by_their_feedback(tmp_path: Path) -> None:
    server = OldServer()
    server.has_feedback = True
    server.rated = [
        {
            "id": "f1",
            "conversation_id": "b0",
            "message_id": "m",
            "rating": "like",
            "from_end_user_id": "e1",
            "created_at": "2025-10-10T10:00:00",
        }
    ]
    assert (await pull(tmp_path, server))[1] == {"b0"}


async def test_an_opinion_that_is_given_changed_or_taken_back_later_brings_its_conversation_again(
    tmp_path: Path,
) -> None:
    server = OldServer()
    server.has_feedback = True
    server.asked.clear()

    async def loaded(*ratings: str) -> list[str]:
        server.rated = [
            {"id": f"f{n}", "conversation_id": f"a{n}", "rating": rating, "created_at": f"2025-10-0{n + 1}"}
            for n, rating in enumerate(ratings)
        ]
        server.asked.clear()
        await pull(tmp_path, server, "ann")
        return sorted(server.asked)

    assert len(await loaded()) == 5
    assert await loaded("like", "like") == ["a0", "a1"]
    assert await loaded("like", "like") == []
    assert await loaded("like", "dislike") == ["a1"]
    assert await loaded("like") == ["a1"]


async def test_a_server_that_gives_the_same_opinions_for_ever_is_not_asked_for_ever(tmp_path: Path) -> None:
    server = OldServer()
    server.has_feedback = True
    server.rated = [{"id": f"f{n}", "conversation_id": "a0", "rating": "like"} for n in range(100)]
    assert (await pull(tmp_path, server, "ben"))[1] == {"b0"}


async def test_a_key_that_is_not_good_is_said_at_once(tmp_path: Path) -> None:
    server = OldServer()
    server.is_open = False
    with pytest.raises(UnauthorizedError):
        await pull(tmp_path, server)


async def test_the_app_has_to_be_named() -> None:
    async with AsyncClient("http://old", "app-x") as client:
        with pytest.raises(InvalidRequestError):
            AppKeySource(client, clock=StoppedClock(), app_id="")
