"""The console's cookies. Source: Dify console API, login."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from weft.server.console_api.passport import ACCESS_LIFE, REFRESH_LIFE

ACCESS = "access_token"
REFRESH = "refresh_token"
CSRF = "csrf_token"
_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login gives."""

    access: str
    refresh: str
    csrf: str


def read_cookie(request: Request, name: str) -> str:
    """A cookie under either spelling of its name; empty when there is none."""
    return request.cookies.get(_PREFIX + name) or request.cookies.get(name) or ""


def set_cookies(response: Response, tokens: Tokens, *, secure: bool) -> None:
    """Give a browser its tokens; `secure` names them so that no other host can have set them."""
    for name, value, life in (
        (ACCESS, tokens.access, ACCESS_LIFE),
        (REFRESH, tokens.refresh, REFRESH_LIFE),
        (CSRF, tokens.csrf, ACCESS_LIFE),
    ):
        response.set_cookie(
            _PREFIX + name if secure else name,
            value,
            max_age=int(life.total_seconds()),
            path="/",
            secure=secure,
            httponly=name != CSRF,  # a page has to read that one and send it back as a header
            samesite="lax",
        )


def clear_cookies(response: Response, *, secure: bool) -> None:
    """Take the tokens away."""
    for name in (ACCESS, REFRESH, CSRF):
        response.delete_cookie(
            _PREFIX + name if secure else name,
            path="/",
            secure=secure,
            httponly=name != CSRF,
            samesite="lax",
        )
