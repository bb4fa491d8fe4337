"""Keys that are made, not kept.

The default key of a served app and the operator's token follow from the server's secret, so that a start can
print them again while the store holds nothing but their hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import string

_ALPHABET = string.ascii_letters + string.digits


def app_key(secret: str, app_id: str) -> str:
    """The default key of an app: ``app-`` and 24 letters and digits."""
    return "app-" + _text(secret, f"app-key|{app_id}", 24)


def operator_token(secret: str) -> str:
    """The token that scripts use for console and archive."""
    return "weft-" + _text(secret, "operator-token", 40)


def admin_salt(secret: str) -> bytes:
    """What the first password of the first account is hashed with, and by which it is known."""
    return hmac.digest(secret.encode(), b"admin-salt", "sha256")[:16]


def admin_password(secret: str) -> str:
    """The first password of the account that every data directory begins with."""
    return _text(secret, "admin-password", 20)


def hash_key(key: str) -> str:
    """What the store keeps of a key: SHA-256, 64 hexadecimal digits; keys are random, so it needs no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def _text(secret: str, purpose: str, length: int) -> str:
    number = int.from_bytes(hmac.digest(secret.encode(), purpose.encode(), "sha512"), "big")
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
