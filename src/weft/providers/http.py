"""The one HTTP session that all model services of this process share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


class Http:
    """Opens a session when it is first needed and closes it if it is its own.

    Args:
        session: Somebody else's session to use instead; it is not closed here.
        max_connections: Connections open at once, over all services; further calls wait for one.
    """

    def __init__(self, session: aiohttp.ClientSession | None = None, *, max_connections: int = 2000) -> None:
        self._given = session
        self._own: aiohttp.ClientSession | None = None
        self._max_connections = max_connections

    def session(self) -> aiohttp.ClientSession:
        """The session; call it inside the event loop that will use it."""
        if self._given is not None:
            return self._given
        if self._own is None or self._own.closed:
            # A third of a second that nobody should wait for who only loads an app or plays a script.
            import aiohttp

            self._own = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                # Each call sets its own timeouts; a total one would cut long answers.
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._own

    async def close(self) -> None:
        """Close the session if it was opened here; calling twice does no harm."""
        own, self._own = self._own, None
        if own is not None:
            await own.close()
