"""Signing in, and the account. Source: Dify console API, `/login`, `/refresh-token`, `/account`."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import Text
from weft.wire.console._base import ConsoleModel


class LoginRequest(ConsoleModel):
    """Body of a login."""

    email: str
    password: str = Field(repr=False)
    """Base64 of the UTF-8 password; plain text for servers of before."""
    remember_me: bool = False


class LoginTokens(ConsoleModel):
    """Tokens as older servers tell them in the body; current ones set cookies."""

    access_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)


class LoginAnswer(ConsoleModel):
    """The answer to a login or a refresh, success or not."""

    result: Text = ""
    """``success`` or ``fail``."""
    data: LoginTokens | str | None = Field(default=None, repr=False)
    """Tokens; the access token alone from the oldest servers; a sentence after a failure."""
    message: Text = ""
    """Why a refresh failed."""
    code: str | None = None


class Account(ConsoleModel):
    """The account that is signed in."""

    id: str
    name: Text = ""
    email: Text = ""
    avatar: str | None = None
    avatar_url: str | None = None
    interface_language: str | None = None
    interface_theme: str | None = None
    timezone: str | None = None
    """IANA name; statistics and conversation filters are in this zone."""
    is_password_set: bool | None = None
    last_login_at: int | None = None
    """Unix seconds."""
    last_login_ip: str | None = None
    created_at: int | None = None
    """Unix seconds."""


class TimezoneRequest(ConsoleModel):
    """Body that changes the account's time zone."""

    timezone: str
    """IANA name."""


class SetupStatus(ConsoleModel):
    """Whether the server has been set up."""

    step: Text = ""
    """``finished`` or ``not_started``."""
    setup_at: int | str | None = None
