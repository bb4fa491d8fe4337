"""How a client reaches its server."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import ConfigError

if TYPE_CHECKING:
    import ssl

_COOKIE = re.compile(r"(?i)(b?['\"]set-cookie['\"], b?['\"][^=;'\"]+=)[^;'\"]*")
_LOGGERS = ("httpcore2.http11", "httpcore2.http2", "httpcore2.proxy")
"""Where the HTTP library shows answers' headers whole, at the level DEBUG."""


@dataclass(frozen=True, slots=True)
class Network:
    """Proxy, certificates and connections.

    Attributes:
        proxy: Address of a proxy, ``http://``, ``https://`` or ``socks5://``; may hold its credentials.
        ca_file: File with the certificates of authorities to trust instead of the usual ones, in PEM form.
        ssl_context: Takes the place of `ca_file` when more has to be said, e.g. a client certificate.
        trust_environment: Whether ``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` and such are obeyed.
        max_connections: Open at the same time; further requests wait for `Timeouts.pool`.
        max_idle: Connections that stay open for the next request.
        idle_seconds: How long they do.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | os.PathLike[str] | None = None
    ssl_context: ssl.SSLContext | None = None
    trust_environment: bool = True
    max_connections: int = 100
    max_idle: int = 20
    idle_seconds: float = 30.0

    def verify(self) -> ssl.SSLContext | bool:
        """What the HTTP library is told about certificates.

        Raises:
            ConfigError: The file cannot be read or holds no certificates.
        """
        if self.ssl_context is not None:
            return self.ssl_context
        if self.ca_file is None:
            return True
        import ssl  # takes as long to import as the rest of this room

        try:
            return ssl.create_default_context(cafile=os.fspath(self.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the certificates in {os.fspath(self.ca_file)!r} cannot be read: {error}; "
                "give a file in PEM form"
            ) from error


def hide_cookies_in_logs() -> None:
    """Keep the values of cookies, which may be tokens, out of the HTTP library's debug records."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _HidesCookies) for known in logger.filters):
            logger.addFilter(_HidesCookies())


class _HidesCookies(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and "set-cookie" in record.msg.lower():
            record.msg = _COOKIE.sub(r"\1***", record.msg)
        return True
