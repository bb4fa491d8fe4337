"""A console that signs people in like servers of each generation, and says what it is told to say."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import httpx2

from tests.client.fake import EMAIL, PASSWORD, Asked, body_of, refused, said

Generation = Literal["cookies", "tokens", "oldest", "both"]
"""Now: cookies and Base64; before: tokens in the body and plain text; long before: one token; Weft: all."""

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def jwt(number: int, expires: datetime) -> str:
    """A token as servers make them, which tells when it expires and hides which it is."""
    claims = {"user_id": "a1", "exp": int(expires.timestamp()), "sub": "Console API Passport", "n": number}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, "c2lnbmF0dXJl"])


@dataclass(repr=False)  # it holds what must not be shown
class Console:
    """Answers requests of those who are signed in."""

    generation: Generation = "cookies"
    answers: Mapping[str, object] = field(default_factory=dict)
    """Method and path, such as ``GET /apps``, to a body, a response, or what makes one of the request."""
    prefix: str = ""
    """Of the cookies' names, ``__Host-`` with https."""
    life: float = 3600.0
    """Seconds of a pass."""
    now: Callable[[], datetime] = lambda: NOW
    tells_time: bool = False
    """Whether answers have a Date header."""
    locked: bool = False
    can_refresh: bool = True
    asked: list[Asked] = field(default_factory=list)
    issued: int = 0
    good: set[str] = field(default_factory=set)
    """Access tokens that are let in."""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/console/api")
        self.asked.append(
            Asked(
                request.method,
                path,
                dict(request.url.params),
                body_of(request),
                request.headers,
                request.extensions["timeout"],
            )
        )
        match path:
            case "/login":
                response = self._login()
            case "/refresh-token":
                response = self._refresh(request)
            case _:
                response = self._answer(request, f"{request.method} {path}")
        if self.tells_time:
            response.headers["Date"] = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response

    def paths(self) -> list[str]:
        return [asked.url for asked in self.asked]

    def revoke(self) -> None:
        """Let nobody in who is signed in now."""
        self.good.clear()

    def _login(self) -> httpx2.Response:
        sent = self.asked[-1].body
        assert isinstance(sent, dict)
        encoded = base64.b64encode(PASSWORD.encode()).decode()
        accepted = {"cookies": {encoded}, "both": {encoded, PASSWORD}}.get(self.generation, {PASSWORD})
        if self.locked:
            return refused(429, "email_code_login_limit", "Too many incorrect password attempts.")
        if sent["email"] != EMAIL or sent["password"] not in accepted:
            return refused(401, "authentication_failed", "Invalid email or password.")
        return self._issue()

    def _refresh(self, request: httpx2.Request) -> httpx2.Response:
        sent = self.asked[-1].body
        token = sent.get("refresh_token") if isinstance(sent, dict) else None
        if self.generation in ("cookies", "both"):
            token = cookies_of(request).get(f"{self.prefix}refresh_token") or token
        if not self.can_refresh or token != f"refresh-{self.issued}":
            return said({"result": "fail", "message": "Invalid refresh token"}, 401)
        return self._issue()

    def _issue(self) -> httpx2.Response:
        self.issued += 1
        expires = datetime.fromtimestamp(self.now().timestamp() + self.life, UTC)
        access, refresh = jwt(self.issued, expires), f"refresh-{self.issued}"
        self.good = {access}
        body: dict[str, object] = {"result": "success"}
        headers = []
        if self.generation in ("tokens", "both"):
            body["data"] = {"access_token": access, "refresh_token": refresh}
        if self.generation == "oldest":
            body["data"] = access
        if self.generation in ("cookies", "both"):
            for name, value in (
                ("access_token", access),
                ("refresh_token", refresh),
                ("csrf_token", f"csrf-{self.issued}"),
            ):
                cookie = f"{self.prefix}{name}={value}; Max-Age=3600; Path=/; SameSite=Lax"
                headers.append(("Set-Cookie", cookie + ("" if name == "csrf_token" else "; HttpOnly")))
        return httpx2.Response(200, json=body, headers=headers)

    def _answer(self, request: httpx2.Request, name: str) -> httpx2.Response:
        if name != "GET /setup" and (problem := self._problem(request)):
            return refused(401, "unauthorized", problem)
        if name == "POST /logout":
            self.revoke()
            return said({"result": "success"})
        if name not in self.answers:
            return refused(404, "not_found", f"nothing at {name}")
        answer = self.answers[name]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, httpx2.Response):  # each answer is read once, so this one is given anew
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return said(answer)

    def _problem(self, request: httpx2.Request) -> str | None:
        cookies = cookies_of(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.generation == "cookies":
            if cookies.get(f"{self.prefix}access_token") not in self.good:
                return "Invalid Authorization token."
            if request.headers.get("x-csrf-token") != f"csrf-{self.issued}":
                return "CSRF token is missing or invalid."
            return None
        return None if bearer in self.good else "Invalid Authorization token."


def cookies_of(request: httpx2.Request) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in request.headers.get("cookie", "").split("; "))
    return {name: value for name, _, value in pairs}
