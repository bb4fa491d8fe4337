"""A console that behaves as badly as a test wants: rows move, answers break, connections die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2

APP = "11111111-1111-4111-8111-111111111111"
BEGIN = int(datetime(2025, 10, 1, tzinfo=UTC).timestamp())


def conversation_id(number: int) -> str:
    return f"22222222-2222-4222-8222-{number:012d}"


@dataclass
class Talk:
    """A conversation; each number is a message, made at that second."""

    at: int
    said: list[int]
    name: str = "Chat"
    likes: int = 0


@dataclass
class FakeConsole:
    """One app with conversations, as a transport for the client."""

    talks: dict[int, Talk] = field(default_factory=dict)
    before: Callable[[int, str], httpx2.Response | None] = lambda number, path: None
    """Told number and path of each request after the login; may answer it, change rows, raise."""
    now: int = BEGIN + 86_400
    """The server's clock."""
    asked: list[str] = field(default_factory=list)
    active: int = 0

    def add(self, number: int, turns: int = 1) -> None:
        self.now += 600
        self.talks[number] = Talk(self.now, [self.now + turn for turn in range(turns)])

    def go_on(self, number: int) -> None:
        self.now += 1
        talk = self.talks[number]
        talk.at = self.now
        talk.said.append(self.now)

    def like(self, number: int) -> None:
        self.talks[number].likes += 1

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    def wanted(self) -> dict[str, int]:
        """How many messages each conversation has."""
        return {conversation_id(number): len(talk.said) for number, talk in self.talks.items()}

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/console/api")
        if path == "/login":
            return _json({"result": "success", "data": {"access_token": "t", "refresh_token": "r"}})
        if path == "/account/profile":
            return _json({"id": "a", "name": "A", "email": "a@b.c", "timezone": "America/New_York"})
        self.asked.append(path)
        answer = self.before(len(self.asked), path)
        if answer is not None:
            return answer
        query = dict(request.url.params)
        if path == "/apps":
            return _json(_page([{"id": APP, "name": "App", "mode": "advanced-chat"}], 1, 100))
        if path == f"/apps/{APP}":
            return _json({"id": APP, "name": "App", "mode": "advanced-chat"})
        if path.endswith("/chat-conversations"):
            return _json(self._conversations(query))
        if path.endswith("/chat-messages"):
            return self._messages(query)
        return _json({"code": "not_found", "message": "no", "status": 404}, 404)

    def _conversations(self, query: dict[str, str]) -> dict[str, object]:
        rows = sorted(self.talks.items(), key=lambda pair: (pair[1].at, pair[0]), reverse=True)
        if query.get("sort_by") == "-created_at":
            rows.sort(key=lambda pair: pair[1].said[0], reverse=True)
        if "end" in query:
            from zoneinfo import ZoneInfo

            local = datetime.strptime(query["end"], "%Y-%m-%d %H:%M").replace(
                tzinfo=ZoneInfo("America/New_York")
            )
            by = "at" if query["sort_by"] == "-updated_at" else "said"
            limit = local.timestamp() + 60
            rows = [
                (number, talk) for number, talk in rows if (talk.at if by == "at" else talk.said[0]) < limit
            ]
        return _page(
            [self._row(number, talk) for number, talk in rows], int(query["page"]), int(query["limit"])
        )

    def _row(self, number: int, talk: Talk) -> dict[str, object]:
        return {
            "id": conversation_id(number),
            "status": "normal",
            "from_source": "api",
            "from_end_user_id": "u1",
            "from_end_user_session_id": "ann",
            "name": talk.name,
            "summary": "q",
            "read_at": None,
            "created_at": talk.said[0],
            "updated_at": talk.at,
            "annotated": False,
            "model_config": {"model": None, "pre_prompt": None},
            "message_count": len(talk.said),
            "user_feedback_stats": {"like": talk.likes, "dislike": 0},
            "admin_feedback_stats": {"like": 0, "dislike": 0},
            "status_count": None,
        }

    def _messages(self, query: dict[str, str]) -> httpx2.Response:
        found = [n for n in self.talks if conversation_id(n) == query["conversation_id"]]
        if not found:
            return _json({"code": "not_found", "message": "Conversation Not Exists.", "status": 404}, 404)
        talk = self.talks[found[0]]
        rows = list(_said(found[0], talk))
        if "first_id" in query:
            rows = rows[: [row["id"] for row in rows].index(query["first_id"])]
        limit = int(query["limit"])
        return _json({"limit": limit, "has_more": len(rows) > limit, "data": rows[-limit:]})


def _said(number: int, talk: Talk) -> Iterator[dict[str, object]]:
    for turn, at in enumerate(talk.said):
        yield {
            "id": f"33333333-3333-4333-8333-{number:06d}{turn:06d}",
            "conversation_id": conversation_id(number),
            "query": f"q{turn}",
            "answer": f"a{turn} ☃",
            "created_at": at,
            "feedbacks": [{"rating": "like", "from_source": "user"}] if turn == 0 and talk.likes else [],
            "message_files": [{"id": "f", "url": "/files/x?timestamp=1&nonce=2&sign=3"}],
        }


def _page(rows: list[dict[str, object]], page: int, limit: int) -> dict[str, object]:
    start = (page - 1) * limit
    return {
        "page": page,
        "limit": limit,
        "total": len(rows),
        "has_more": len(rows) > start + limit,
        "data": rows[start : start + limit],
    }


def _json(body: object, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, json=body)
