"""A request as those who send one describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRequest:
    """One request; redirects that it leads to are followed.

    A header that the connection itself sets (``Content-Length``, ``Connection`` and the like) is left out,
    and ``Accept-Encoding`` keeps only what can be decoded here.
    """

    method: str
    """In capitals."""
    url: str = field(repr=False)
    """Absolute, ``http`` or ``https``. A user and password in it become a ``Basic`` authorization."""
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    credentials: frozenset[str] = frozenset()
    """Names of headers, lower case, that are for the first address only: a redirect to another origin goes
    without them. ``authorization``, ``cookie`` and the like need not be named."""
    verify_tls: bool = True
    """Whether the certificate of the other side must be trusted."""
    connect_seconds: float | None = None
    """See `EgressConfig`, also for the next two; ``None`` and what is not above 0 ask for the configured
    time, which is never exceeded."""
    read_seconds: float | None = None
    write_seconds: float | None = None
