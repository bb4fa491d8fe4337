"""Error replies of OpenAI-compatible services, turned into our errors.

Services put their words in many shapes, with a status of 4xx or 5xx, inside a stream that began with 200, or
in an HTML page of some proxy. The words are kept, secrets in them are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

import msgspec
from msgspec import Struct

from weft.errors import (
    BadReplyError,
    CredentialsError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedModelError,
)

_MAX_WORDS = 500
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)

# Statuses that codes inside a stream stand for, where there is no HTTP status any more.
_STATUS_OF_CODE = {
    "insufficient_quota": 402,
    "billing_hard_limit_reached": 402,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
}
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_QUOTA_WORDS = re.compile(
    r"insufficient (?:balance|credit|quota)|credit balance is too low|欠费|余额不足", re.IGNORECASE
)
_MODEL_CODES = frozenset({"model_not_found", "unsupported_model", "modelnotfound"})
_MODEL_WORDS = re.compile(
    r"model\b.{0,120}?\b(?:not found|not exist|does not exist|not supported by|not available|not a valid)"
    r"|\b(?:unknown|invalid|no such|not a valid) model\b",
    re.IGNORECASE | re.DOTALL,
)


class Refusal(Struct, frozen=True):
    """What a service said instead of an answer."""

    status: int
    """HTTP status, or the one that the code inside a stream stands for; 500 if nothing is known."""
    message: str = ""
    code: str = ""
    type: str = ""
    param: str = ""

    @property
    def is_quota(self) -> bool:
        """The account has nothing left, so that waiting does not help."""
        return (
            self.status == 402
            or self.code in _QUOTA_CODES
            or self.type in _QUOTA_CODES
            or (self.status in (400, 403, 429) and bool(_QUOTA_WORDS.search(self.message)))
        )

    @property
    def is_transient(self) -> bool:
        """Trying again may help."""
        return not self.is_quota and (self.status in (408, 409, 429) or self.status >= 500)

    @property
    def is_model(self) -> bool:
        """It is the model that is refused."""
        if self.status == 404 or self.code.lower() in _MODEL_CODES:
            return True
        return self.status in (400, 403, 422) and bool(_MODEL_WORDS.search(self.message))


class CallErrors(Struct, frozen=True):
    """Makes the errors of one call, with the names that a reader needs and without secrets."""

    provider: str
    """Provider's name as the app spells it."""
    model: str
    settings: str
    """Where this provider is configured, e.g. ``[providers.openai]``."""
    secrets: tuple[str, ...] = ()

    def refused(self, refusal: Refusal, retry_after: float | None = None) -> ProviderError:
        """The service said no; `retry_after` is in seconds."""
        said = self.clean(refusal.message) or "no reason given"
        text = f"provider {self.provider!r} refused model {self.model!r} ({refusal.status}): {said}"
        names = {"provider": self.provider, "model": self.model}
        if refusal.is_quota:
            return QuotaExceededError(f"{text}; top up the account at the service", **names)
        if refusal.is_model:
            return UnsupportedModelError(
                f"{text}; check the model's name, and base_url in {self.settings}", **names
            )
        if refusal.status in (401, 403):
            return CredentialsError(f"{text}; check api_key in {self.settings}", **names)
        if refusal.status == 429:
            return RateLimitedError(text, retry_after=retry_after, **names)
        if refusal.status in (408, 504):
            return ProviderTimeoutError(text, **names)
        if refusal.status >= 500:
            return BadReplyError(
                f"provider {self.provider!r} failed on model {self.model!r} ({refusal.status}): {said}",
                **names,
            )
        return ProviderError(text, **names)

    def bad_reply(self, what: str) -> BadReplyError:
        """The reply cannot be used."""
        return BadReplyError(self._text(what), provider=self.provider, model=self.model)

    def timed_out(self, what: str) -> ProviderTimeoutError:
        """The service was silent or out of reach."""
        return ProviderTimeoutError(self._text(what), provider=self.provider, model=self.model)

    def clean(self, text: str) -> str:
        """One line of bounded length, without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        short = " ".join(text.split())
        return short if len(short) <= _MAX_WORDS else f"{short[:_MAX_WORDS]}..."

    def _text(self, what: str) -> str:
        return f"provider {self.provider!r}, model {self.model!r}: {self.clean(what)}"


def parse_refusal(body: bytes, status: int | None = None) -> Refusal:
    """Read an error reply of any shape.

    Args:
        body: JSON, HTML or text.
        status: HTTP status; ``None`` for an error inside a stream, where the code has to say.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        content: object = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Refusal(status or 500, plain_words(text))
    found = _find_error(content)
    code, kind = _word(found, "code", "error_code"), _word(found, "type", "status")
    if status is None:
        status = _status_of(code) or _status_of(kind) or 500
    return Refusal(status, _message(found) or text, code, kind, _word(found, "param"))


def _find_error(content: object) -> Mapping[str, object]:
    if isinstance(content, list) and content:
        return _find_error(content[0])
    if not isinstance(content, Mapping):
        return {"message": str(content)}
    inner = content.get("error") or content.get("errors")
    if isinstance(inner, Mapping):
        return inner
    if isinstance(inner, list) and inner:
        return _find_error(inner[0])
    if inner and not isinstance(inner, bool):
        return {**content, "message": str(inner)}
    return content


def _message(error: Mapping[str, object]) -> str:
    for name in ("message", "error_msg", "msg", "detail", "error_description", "title"):
        value = error.get(name)
        if value:
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ""


def _word(error: Mapping[str, object], *names: str) -> str:
    for name in names:
        value = error.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""


def _status_of(code: str) -> int | None:
    if code.isdecimal() and 400 <= int(code) < 600:
        return int(code)
    return _STATUS_OF_CODE.get(code.lower())


def plain_words(text: str) -> str:
    """The text, or the title if it is a page of HTML."""
    if not text.startswith("<"):
        return text
    title = _TITLE.search(text)
    return f"an HTML page: {unescape(title[1])}" if title else "an HTML page"
