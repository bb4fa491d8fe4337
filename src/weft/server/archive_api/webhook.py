"""Telling others what went wrong: signed messages to addresses of the settings.

The header ``X-Weft-Signature`` is ``v1=`` and the HMAC-SHA256, in hexadecimal, of the timestamp, a dot and
the body; ``X-Weft-Timestamp`` is that timestamp, in unix seconds. Whoever receives a message should refuse
one that is older than five minutes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from weft.clock import Clock
from weft.egress import Egress, EgressError, EgressRequest
from weft.errors import ConfigError
from weft.version import __version__

_ANSWER_BYTES: Final = 64 * 1024


class Webhooks:
    """The addresses, and how messages get there.

    Args:
        urls: Whom to tell.
        secret: What messages are signed with.
        egress: Sends them; it refuses addresses that are not public unless it is told otherwise.
        clock: The time.

    Raises:
        ConfigError: There are addresses and no secret.
    """

    def __init__(self, urls: Sequence[str], secret: str, *, egress: Egress, clock: Clock) -> None:
        if urls and not secret:
            raise ConfigError("archive.webhook_urls needs archive.webhook_secret, to sign the messages with")
        self.urls = {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in urls}
        """By a digest, under which a job names an address without storing it."""
        self._secret = secret
        self._egress = egress
        self._clock = clock

    async def send(self, to: str, *, event: str, delivery: str, body: bytes) -> int:
        """Send a message once.

        Args:
            to: The digest of the address.
            event: What happened.
            delivery: The same for every attempt, so that a receiver can tell.
            body: JSON.

        Returns:
            The status of the answer.

        Raises:
            ConfigError: The settings do not have that address any more.
            EgressError: It cannot be reached, may not be, or did not answer with success.
        """
        url = self.urls.get(to)
        if url is None:
            raise ConfigError("the address of this message is not in archive.webhook_urls any more")
        timestamp = str(int(self._clock.now().timestamp()))
        headers = (
            ("content-type", "application/json"),
            ("user-agent", f"weft/{__version__}"),
            ("x-weft-event", event),
            ("x-weft-delivery", delivery),
            ("x-weft-timestamp", timestamp),
            ("x-weft-signature", sign(self._secret, timestamp, body)),
        )
        request = EgressRequest(method="POST", url=url, headers=headers, body=body, read_seconds=30.0)
        async with self._egress.request(request) as response:
            await response.read(_ANSWER_BYTES)
            if not 200 <= response.status < 300:
                raise EgressError(f"{response.origin} answered with status {response.status}")
            return response.status


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a message."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
