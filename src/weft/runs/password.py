"""Passwords of accounts, kept as scrypt hashes. Source: RFC 7914; costs as OWASP recommends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

_N, _R, _P = 2**14, 8, 5
_LENGTH = 32


def hash_password(password: str, salt: bytes | None = None) -> str:
    """What the store keeps of a password: ``scrypt$N$r$p$salt$hash``."""
    salt = os.urandom(16) if salt is None else salt
    digest = _scrypt(password, salt, _N, _R, _P)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(digest)])


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one that was hashed; false for anything that is no such hash."""
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        if kind != "scrypt":
            return False
        expected = base64.b64decode(digest)
        given = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    except ValueError:
        return False
    return hmac.compare_digest(given, expected)


def is_salted_with(stored: str, salt: bytes) -> bool:
    """Whether that salt went into a hash."""
    return stored.split("$")[-2:-1] == [_text(salt)]


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=_LENGTH, maxmem=2**26)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
