"""What an account carries after it has logged in: access, CSRF and refresh tokens.

Access and CSRF tokens are JSON Web Tokens signed by the server (HS256); nothing of them is stored. One
algorithm, made and read in one place, needs no library. Refresh tokens are random; the store has hashes.

Source: RFC 7519; Dify console API, login.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import timedelta
from typing import Final

import msgspec

from weft.clock import Clock
from weft.errors import UnauthorizedError

ACCESS_LIFE: Final = timedelta(hours=1)
REFRESH_LIFE: Final = timedelta(days=30)
INVALID = "Invalid token."

_SUBJECT = "Console API Passport"
_ISSUER = "SELF_HOSTED"
_MAX_CHARS = 4096


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_HEAD = _text(b'{"alg":"HS256","typ":"JWT"}')


class Passport:
    """Makes tokens and reads them.

    Args:
        secret: The server's.
        clock: The time.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        self._key = hmac.digest(secret.encode(), b"console-tokens", "sha256")
        self._clock = clock

    def access(self, account_id: str) -> str:
        """A token that stands for a login."""
        return self._sign({"user_id": account_id, "exp": self._expiry(), "iss": _ISSUER, "sub": _SUBJECT})

    def csrf(self, account_id: str) -> str:
        """A token by which a page shows that it can read this server's cookies."""
        return self._sign({"exp": self._expiry(), "sub": account_id})

    def refresh(self) -> str:
        """A token to log in again with."""
        return secrets.token_urlsafe(48)

    def account_of(self, access: str) -> str:
        """Whose login an access token stands for.

        Raises:
            UnauthorizedError: It is none of ours, or has expired.
        """
        claims = self._read(access)
        if claims is None or claims.get("sub") != _SUBJECT:
            raise UnauthorizedError(INVALID)
        if self._is_over(claims):
            raise UnauthorizedError("Token has expired.")
        return str(claims.get("user_id"))

    def is_csrf_of(self, token: str, account_id: str) -> bool:
        """Whether this is a CSRF token of the account that has not expired."""
        claims = self._read(token)
        return claims is not None and claims.get("sub") == account_id and not self._is_over(claims)

    def _expiry(self) -> int:
        return int((self._clock.now() + ACCESS_LIFE).timestamp())

    def _is_over(self, claims: dict[str, object]) -> bool:
        expiry = claims.get("exp")
        return not isinstance(expiry, int) or self._clock.now().timestamp() >= expiry

    def _sign(self, claims: dict[str, object]) -> str:
        signed = f"{_HEAD}.{_text(msgspec.json.encode(claims))}"
        return f"{signed}.{_text(self._seal(signed))}"

    def _seal(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode(), "sha256")

    def _read(self, token: str) -> dict[str, object] | None:
        """The claims of a token that this server has signed."""
        if len(token) > _MAX_CHARS or not token.isascii():
            return None
        signed, _, seal = token.rpartition(".")
        head, _, body = signed.partition(".")
        try:
            if head != _HEAD or not hmac.compare_digest(self._seal(signed), _bytes(seal)):
                return None
            claims = msgspec.json.decode(_bytes(body))
        except (binascii.Error, ValueError, msgspec.DecodeError):
            return None
        return claims if isinstance(claims, dict) else None
